import { createHash } from 'node:crypto';
import t from 'tap';
import { genesis, Lines, readLink, type Head } from '../../src/record/chain.js';

const body = (text: string): string => `"type":"system.test","text":${JSON.stringify(text)}`;

t.test('lines of every length and alphabet are whole, chained and hashed byte for byte', async (t) => {
  const lines = new Lines();
  const texts = [
    '',
    'plain',
    'é ü 😀 \u2028',
    'x'.repeat(7_000),
    '€'.repeat(2_000),
    ...Array<string>(40).fill('y'.repeat(4_000)),
  ];
  for (const round of [1, 2]) {
    lines.clear();
    let head: Head = genesis;
    for (const text of texts) head = lines.seal(head, 1_790_000_000_000, body(text));
    const written = lines.written.toString('utf8').split('\n');
    t.equal(written.length, texts.length + 1, `round ${String(round)}`);
    t.equal(written.pop(), '');
    let prev = genesis.hash;
    for (const [index, line] of written.entries()) {
      const covered = line.slice(0, line.lastIndexOf(',"hash":"'));
      const hash = createHash('sha256').update(covered).digest('hex');
      t.match(readLink(Buffer.from(line)), { seq: index + 1, prev, hash, intact: true });
      t.equal((JSON.parse(line) as { text: string }).text, texts[index]);
      prev = hash;
    }
    t.equal(head.hash, prev);
  }
});

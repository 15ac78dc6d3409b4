import { copyFileSync, cpSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createHash, randomInt } from 'node:crypto';
import { join } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { verifyAuditLog } from '../../src/record/record.js';
import { keyEvent, opened, sample } from './fixtures/sample.js';
import { decisionEvent } from '../../src/record/decision-text.js';
import { allowed } from '../../src/record/verdicts.js';

type Kind = 'flip' | 'delete' | 'insert' | 'swap' | 'truncate';
interface Edit {
  readonly kind: Kind;
  readonly record: number;
  readonly at: number;
  readonly bit: number;
}

async function written(dir: string, count: number): Promise<void> {
  const { log } = await opened(dir, { segmentBytes: 300_000 });
  const { trail } = sample();
  const decision = decisionEvent(trail, allowed(trail), 1_790_000_000_000);
  await Promise.all(Array.from({ length: count }, (_, n) => log.commit(n % 3 === 0 ? decision : keyEvent(n))));
  await log.close();
}

function applied(lines: readonly Buffer[], { kind, record, at, bit }: Edit): Buffer {
  const list = [...lines];
  const index = record % lines.length;
  const line = list[index] ?? Buffer.alloc(0);
  if (kind === 'flip') {
    const changed = Buffer.from(line);
    changed[at % line.length] = (changed[at % line.length] ?? 0) ^ (1 << bit);
    list[index] = changed;
  } else if (kind === 'delete') list.splice(index, 1);
  else if (kind === 'insert') list.splice(at % (lines.length + 1), 0, line);
  else if (kind === 'swap') {
    const other = (index + 1 + (at % (lines.length - 1))) % lines.length;
    [list[index], list[other]] = [list[other] ?? line, line];
  } else list.length = index;
  return Buffer.concat(list);
}

const edits: fc.Arbitrary<Edit> = fc.record({
  kind: fc.constantFrom<Kind>('flip', 'delete', 'insert', 'swap', 'truncate'),
  record: fc.nat(100_000),
  at: fc.nat(100_000),
  bit: fc.nat(7),
});

t.test('R4 verifyAuditLog() finds every edit of a log, with its position', async (t) => {
  const base = t.testdir();
  const dir = join(base, 'audit');
  const work = join(base, 'work');
  await written(dir, 600);
  const segments = readdirSync(dir)
    .filter((name) => name.endsWith('.jsonl'))
    .sort();
  t.ok(segments.length >= 2);
  t.match(await verifyAuditLog(dir), { ok: true });
  const split = (name: string): Buffer[] => {
    const bytes = readFileSync(join(dir, name));
    const lines: Buffer[] = [];
    for (let start = 0; start < bytes.length;) {
      const end = bytes.indexOf(10, start) + 1;
      lines.push(bytes.subarray(start, end));
      start = end;
    }
    return lines;
  };
  const contents = new Map(segments.map((name) => [name, split(name)]));
  cpSync(dir, work, { recursive: true });
  const seed = randomInt(2 ** 31 - 1);
  t.comment(`seed ${String(seed)}`);
  let tried = 0;
  await fc.assert(
    fc.asyncProperty(edits, fc.nat(segments.length - 1), async (edit, which) => {
      const name = segments[which] ?? '';
      const lines = contents.get(name) ?? [];
      const changed = applied(lines, edit);
      if (changed.equals(Buffer.concat(lines))) return true; // two equal neighbours swapped
      tried += 1;
      writeFileSync(join(work, name), changed);
      const { ok, problems } = await verifyAuditLog(work);
      copyFileSync(join(dir, name), join(work, name));
      const [first] = problems;
      return !ok && first !== undefined && (first.line > 0 || first.sequence !== null) && first.kind.length > 0;
    }),
    { numRuns: 500, seed },
  );
  t.ok(tried > 450, `${String(tried)} edits tried, seed ${String(seed)}`);
});

t.test('AU-06 whole-file edits are found', async (t) => {
  const base = t.testdir();
  const dir = join(base, 'audit');
  await written(dir, 600);
  const copyOf = (name: string): string => {
    const to = join(base, name);
    mkdirSync(to);
    cpSync(dir, to, { recursive: true });
    return to;
  };
  const segments = readdirSync(dir)
    .filter((name) => name.endsWith('.jsonl'))
    .sort();

  const gone = copyOf('last-segment-gone');
  rmSync(join(gone, segments.at(-1) ?? ''));
  t.match(await verifyAuditLog(gone), { ok: false, problems: [{ kind: 'truncated' }] });

  const empty = copyOf('all-gone');
  for (const name of segments) rmSync(join(empty, name));
  t.match(await verifyAuditLog(empty), { ok: false, problems: [{ kind: 'truncated', sequence: 1 }] });

  const first = copyOf('first-gone');
  rmSync(join(first, segments[0] ?? ''));
  t.match(await verifyAuditLog(first), { ok: false, problems: [{ kind: 'missing-segment' }, { kind: 'missing' }] });

  const older = copyOf('older-copy');
  const { log } = await opened(dir);
  await log.commit(keyEvent(1));
  await log.close();
  copyFileSync(join(dir, 'checkpoint.json'), join(older, 'checkpoint.json'));
  t.match(await verifyAuditLog(older), { ok: false, problems: [{ kind: 'truncated' }] });

  const forged = copyOf('rewritten');
  let prev = '';
  for (const name of segments) {
    const lines = readFileSync(join(forged, name), 'utf8').split('\n').slice(0, -1);
    const out = lines.map((line) => {
      const record = JSON.parse(line) as { seq: number };
      let covered = line.slice(0, line.lastIndexOf(',"hash":"'));
      if (record.seq >= 100)
        covered = covered
          .replace(/"prev":"[0-9a-f]{64}"/, `"prev":"${prev}"`)
          .replace('"actor":"local"', '"actor":"other"');
      if (record.seq > 100) covered = covered.replace(/("seq":\d+,"hash":")[0-9a-f]{64}/, `$1${prev}`);
      prev = createHash('sha256').update(covered).digest('hex');
      return `${covered},"hash":"${prev}"}\n`;
    });
    writeFileSync(join(forged, name), out.join(''));
  }
  const verdict = await verifyAuditLog(forged);
  t.equal(verdict.ok, false);
  t.ok(
    verdict.problems.some(({ kind }) => kind === 'rewritten'),
    JSON.stringify(verdict.problems.slice(0, 3)),
  );

  const bare = copyOf('no-checkpoint-file');
  rmSync(join(bare, 'checkpoint.json'));
  t.match(await verifyAuditLog(bare), { ok: false, problems: [{ kind: 'missing-checkpoint' }] });
});

t.test('verifyAuditLog() survives anything', async (t) => {
  const dir = t.testdir({
    '000001.jsonl': Buffer.concat([
      Buffer.alloc(3_000_000, 0x7b),
      Buffer.from('\n{}\nnull\n"x"\n\n'),
      Buffer.alloc(5_000),
    ]),
    '000003.jsonl': '',
    'checkpoint.json': '[]',
    'other.txt': 'x',
  });
  const verdict = await verifyAuditLog(dir);
  t.equal(verdict.ok, false);
  t.equal(verdict.records, 0);
  const { log } = await opened(dir);
  await log.commit(keyEvent(1));
  await log.close();
  t.equal((await verifyAuditLog(dir)).records, 4, 'header, recovery, the event and a checkpoint');
});

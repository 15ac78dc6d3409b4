import { chmodSync, readFileSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadManifests } from '../../src/identify/identify.js';
import { addToManifest, manifestText, type ManifestEntry } from '../../src/manifests/manifests.js';
import { plainEntry } from '../identify/fixtures/support.js';

const made = (letter: string): ManifestEntry => {
  const { id, hash } = plainEntry(letter.repeat(16));
  return { id, hash, name: `key: "${letter}" # one`, spaces: ['alpha', 'beta'], permissions: ['MemoryRead'] };
};
const [one, two] = [made('a'), made('b')];
const line = (entry: ManifestEntry): string => JSON.stringify(entry);

const texts: readonly { name: string; text: string; isKept?: false }[] = [
  { name: 'what it has made itself', text: manifestText([one]) },
  {
    name: 'comments above, beside, between and below',
    text: `# top\nkeys: # all\n  # first\n  - ${line(one)} # beside\n\n  # the next one\n    # deeper\n# left\n`,
  },
  { name: 'a list at the left margin', text: `keys:\n- ${line(one)}\n# end\n` },
  { name: 'no newline at the end', text: `keys:\n    - ${line(one)}` },
  { name: 'an end of the document', text: `---\nkeys:\n  - ${line(one)}\n...\n` },
  { name: 'lines that end as on Windows', text: `# top\r\nkeys:\r\n  - ${line(one)}\r\n` },
  { name: 'a list in one line', text: `# top\nkeys: [${line(one)}]\n`, isKept: false },
  { name: 'an empty list', text: '# none yet\nkeys: []\n', isKept: false },
];

for (const { name, text, isKept = true } of texts)
  t.test(`addToManifest() adds to ${name}`, async (t) => {
    const dir = t.testdir({ 'k.yaml': text });
    const file = join(dir, 'k.yaml');
    t.strictSame(await addToManifest(file, two), { ok: true, value: 'added' });
    const after = readFileSync(file, 'utf8');
    const loaded = await loadManifests(dir);
    t.match(
      loaded.ok && loaded.value.entries.map(({ id }) => id),
      text.includes('aaaa') ? [one['id'], two['id']] : [two['id']],
    );
    t.equal(loaded.ok && loaded.value.entries.at(-1)?.name, two['name']);
    for (const comment of text.match(/#[^\r\n"]*$/gm) ?? []) t.ok(after.includes(comment), comment);
    const cuts = Array.from({ length: text.length + 1 }, (_, cut) => cut);
    const isOnePiece = cuts.some((cut) => after.startsWith(text.slice(0, cut)) && after.endsWith(text.slice(cut)));
    t.equal(isOnePiece, isKept, 'one piece was put in, and not a letter beside it has changed');
    t.equal(/\r\n/.test(text), /\r\n/.test(after));
    t.notOk(/\r\n/.test(text) && /[^\r]\n/.test(after), 'one kind of line end');
    t.strictSame(readdirSync(dir), ['k.yaml'], 'nothing is left over');
  });

t.test('addToManifest() keeps mode and link, and makes a new file for its owner alone', async (t) => {
  const dir = t.testdir({ real: { 'k.yaml': manifestText([one]) } });
  const real = join(dir, 'real', 'k.yaml');
  chmodSync(real, 0o640);
  const link = join(dir, 'link.yaml');
  symlinkSync(real, link);
  t.match(await addToManifest(link, two), { ok: true });
  t.equal(statSync(real).mode & 0o777, 0o640);
  t.match(readFileSync(real, 'utf8'), String(two['id']));
  t.match(await addToManifest(join(dir, 'new.yaml'), two), { ok: true, value: 'made' });
  t.equal(statSync(join(dir, 'new.yaml')).mode & 0o777, 0o600);
});

t.test('addToManifest() refuses what it would make worse, and changes nothing', async (t) => {
  const dir = t.testdir({
    'broken.yaml': 'keys: [',
    'strange.yaml': 'keys:\n  - { id: x }\n',
    'busy.yaml': manifestText([one]),
    sub: {},
  });
  writeFileSync(join(dir, '.busy.yaml.next'), '');
  const cases: readonly [string, RegExp][] = [
    ['broken.yaml', /broken\.yaml:\d/],
    ['strange.yaml', /keys\.0/],
    ['busy.yaml', /another command is writing/],
    ['sub.yml', /name it \*\.yaml/],
    [join('none', 'k.yaml'), /ENOENT/],
  ];
  for (const [name, why] of cases) {
    const file = join(dir, name);
    const before = name.includes('sub') || name.includes('none') ? null : readFileSync(file, 'utf8');
    t.match(await addToManifest(file, two), { ok: false, why });
    if (before !== null) t.equal(readFileSync(file, 'utf8'), before);
  }
  t.strictSame(readdirSync(dir).sort(), ['.busy.yaml.next', 'broken.yaml', 'busy.yaml', 'strange.yaml', 'sub']);
});

t.test('addToManifest() loses nothing when several add at once', async (t) => {
  const file = join(t.testdir({ 'k.yaml': manifestText([one]) }), 'k.yaml');
  const answers = await Promise.all(['c', 'd', 'e', 'f'].map((letter) => addToManifest(file, made(letter))));
  const loaded = await loadManifests(join(file, '..'));
  t.equal(loaded.ok && loaded.value.entries.length, 1 + answers.filter(({ ok }) => ok).length);
  t.ok(answers.some(({ ok }) => ok));
});

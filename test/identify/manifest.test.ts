import { createHook } from 'node:async_hooks';
import { symlinkSync } from 'node:fs';
import t from 'tap';
import { createKeyRing, idConflicts, loadManifests } from '../../src/identify/identify.js';
import { describeProblem } from '../../src/base/document.js';
import { plainEntry } from './fixtures/support.js';

const salt = 'c2FsdHNhbHRzYWx0c2FsdA';
const hash = 'aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g';
const good = `$argon2id$v=19$m=19456,t=2,p=1$${salt}$${hash}`;
const entry = (id: string, more = ''): string =>
  `  - id: ${id}\n    hash: ${good}\n    name: test only\n    spaces: [alpha]\n    permissions: [MemoryRead]\n${more}`;
const a = 'a'.repeat(16);
const b = 'b'.repeat(16);
const c = 'c'.repeat(16);

const told = async (
  t: { testdir(files: Record<string, string>): string },
  files: Record<string, string>,
  known?: Parameters<typeof loadManifests>[1],
): Promise<string[]> => {
  const dir = t.testdir(files);
  const loaded = await loadManifests(dir, known);
  return loaded.ok ? [] : loaded.why.map((problem) => describeProblem(problem).replace(`${dir}/`, ''));
};

t.test('loadManifests() reads every file in the order of their names', async (t) => {
  const dir = t.testdir({
    'b.yaml': `keys:\n${entry(b, '    tier: pro\n    roles: [writer]\n    owner: team\n    not_before: 2027-01-01T00:00:00Z\n    expires_at: 2028-01-01T01:00:00+01:00\n')}`,
    'a.yaml': `keys:\n${entry(a, `    rotation: { replaced_by: ${b}, grace_until: 2027-02-01T00:00:00Z }\n    revoked: { at: 2027-01-02T00:00:00Z, reason: stolen }\n`)}`,
    'empty.yaml': 'keys: []\n',
    '.hidden.yaml': 'not read',
    'README.md': 'not read',
  });
  const loaded = await loadManifests(dir);
  if (!loaded.ok) throw new Error(loaded.why.map(describeProblem).join('\n'));
  t.strictSame(loaded.value.refused, []);
  t.strictSame(
    loaded.value.entries.map(({ id }) => id),
    [a, b],
  );
  t.match(loaded.value.entries[0], {
    rotation: { replacedBy: b, graceUntilMs: Date.parse('2027-02-01T00:00:00Z') },
    revoked: { reason: 'stolen' },
    owner: null,
    tier: null,
  });
  t.match(loaded.value.entries[1], {
    tier: 'pro',
    roles: ['writer'],
    owner: 'team',
    expiresAtMs: Date.parse('2028-01-01T00:00:00Z'),
    source: { kind: 'manifest', file: `${dir}/b.yaml` },
  });
});

t.test(
  'loadManifests() lets others have their turn while it checks a long list, and names every wrong entry of it',
  async (t) => {
    const ids = Array.from({ length: 2_000 }, (_, n) => String(n).padStart(16, 'k'));
    const dir = t.testdir({ 'keys.yaml': `keys:\n${ids.map((id) => entry(id)).join('')}` });
    let turns = 0;
    const counter = createHook({
      init: (_, type) => {
        if (type === 'Immediate') turns += 1;
      },
    }).enable();
    const whole = await loadManifests(dir);
    counter.disable();
    t.ok(whole.ok && whole.value.entries.length === ids.length);
    t.ok(turns >= 2_000 / 64 - 1, `${turns} turns`);
    const wrong = ids.map((id, n) => (n === 3 || n === 1_999 ? entry(id, '    tierr: pro\n') : entry(id)));
    t.match(await told(t, { 'keys.yaml': `keys:\n${wrong.join('')}` }), [
      /^keys\.yaml:\d+:\d+: keys\.3\.tierr: unknown name; did you mean "tier"\?/,
      /^keys\.yaml:\d+:\d+: keys\.1999\.tierr: unknown name; did you mean "tier"\?/,
    ]);
  },
);

t.test('KY-14 an entry whose hash was tampered with is left out with its line; the others are served', async (t) => {
  const tampered = ['m=4194304,t=2,p=1', 'm=8,t=2,p=1', 'm=19456,t=1000,p=1', 'm=19456,t=2,p=255'].map(
    (parameters) => `$argon2id$v=19$${parameters}$${salt}$${hash}`,
  );
  const hashes = [...tampered, good.replace('argon2id', 'argon2i'), '$2b$12$abcdefghijklmnopqrstuv', good.slice(0, -9)];
  const dir = t.testdir({
    'keys.yaml': `keys:\n${entry(a)}${hashes.map((each, index) => entry(String(index).padStart(16, 'x')).replace(good, each)).join('')}${entry(b)}`,
  });
  const loaded = await loadManifests(dir);
  if (!loaded.ok) throw new Error(loaded.why.map(describeProblem).join('\n'));
  t.strictSame(
    loaded.value.entries.map(({ id }) => id),
    [a, b],
  );
  t.strictSame(
    loaded.value.refused.map(({ line }) => line),
    hashes.map((_, index) => 8 + 5 * index),
    'each with the line of its hash',
  );
  for (const problem of loaded.value.refused)
    t.notMatch(describeProblem(problem), /aGFzaA|aGFzaG|c2Fsd/, 'no hash is shown');
});

const bad: readonly [name: string, files: Record<string, string>, want: readonly RegExp[]][] = [
  ['an unknown field', { 'k.yaml': `keys:\n${entry(a, '    secret: oops\n')}` }, [/^k\.yaml:7:5: .*secret/]],
  [
    'an unknown permission',
    { 'k.yaml': `keys:\n${entry(a).replace('MemoryRead', 'MemoryRaed')}` },
    [/^k\.yaml:6:\d+: keys\.0\.permissions/],
  ],
  ['a malformed id', { 'k.yaml': `keys:\n${entry('ABC')}` }, [/^k\.yaml:2:\d+: keys\.0\.id: .*16 characters/]],
  [
    'a mixed *',
    { 'k.yaml': `keys:\n${entry(a).replace('[alpha]', "['*', alpha]")}` },
    [/^k\.yaml:5:\d+: keys\.0\.spaces: must be \* alone/],
  ],
  [
    'no space',
    { 'k.yaml': `keys:\n${entry(a).replace('[alpha]', '[]')}` },
    [/^k\.yaml:5:\d+: keys\.0\.spaces: must name at least one/],
  ],
  [
    'a date without a time',
    { 'k.yaml': `keys:\n${entry(a, '    expires_at: 2027-01-01\n')}` },
    [/^k\.yaml:7:\d+: keys\.0\.expires_at: .*must be a time/],
  ],
  [
    'an id twice in one file',
    { 'k.yaml': `keys:\n${entry(a)}${entry(a)}` },
    [/^k\.yaml:7:\d+: keys\.1\.id: key a{16} stands already in .*k\.yaml:2/],
  ],
  [
    'an id in two files',
    { 'k.yaml': `keys:\n${entry(a)}`, 'l.yaml': `keys:\n${entry(a)}` },
    [/^l\.yaml:2:\d+: .*stands already in .*k\.yaml:2/],
  ],
  [
    'several problems at once',
    { 'k.yaml': `keys:\n${entry('x')}`, 'l.yaml': 'keys: [', 'm.yml': '' },
    [/^k\.yaml:2/, /^l\.yaml:1/, /^m\.yml: is not read: name it \*\.yaml/],
  ],
  ['a list at the top', { 'k.yaml': '[]' }, [/^k\.yaml:1/]],
  ['an alias', { 'k.yaml': `x: &x 1\nkeys:\n${entry(a)}` }, [/^k\.yaml:\d/]],
];
for (const [name, files, want] of bad) {
  t.test(`loadManifests() refuses ${name}, with its place`, async (t) => {
    const problems = await told(t, files);
    t.equal(problems.length, want.length, problems.join('\n'));
    want.forEach((each, index) => {
      t.match(problems[index], each);
    });
  });
}

t.test('loadManifests() compares roles and tiers with the policy', async (t) => {
  const files = { 'k.yaml': `keys:\n${entry(a, '    roles: [writer, nobody]\n    tier: gold\n')}` };
  const problems = await told(t, files, { roles: new Set(['writer']), tiers: new Set(['pro']) });
  t.equal(problems.length, 2);
  t.match(problems[0], /^k\.yaml:7:\d+: keys\.0\.roles: role "nobody"/);
  t.match(problems[1], /^k\.yaml:8:\d+: keys\.0\.tier: tier "gold"/);
});

t.test('loadManifests() tells a directory that is not there, and follows the links of a ConfigMap', async (t) => {
  const dir = t.testdir({ '..2027': { 'k.yaml': `keys:\n${entry(c)}` } });
  symlinkSync('..2027', `${dir}/..data`);
  symlinkSync('..data/k.yaml', `${dir}/k.yaml`);
  const loaded = await loadManifests(dir);
  t.strictSame(loaded.ok && loaded.value.entries.map(({ id }) => id), [c]);
  const none = await loadManifests(`${dir}/nowhere`);
  t.match(
    none.ok ? '' : describeProblem(none.why[0] ?? { file: '', line: 0, column: 0, path: '', message: '' }),
    /nowhere: does not exist; wanted a directory/,
  );
});

t.test('idConflicts() names the place of a key that is in the store as well', async (t) => {
  const dir = t.testdir({ 'k.yaml': `keys:\n${entry(a)}${entry(b)}` });
  const loaded = await loadManifests(dir);
  if (!loaded.ok) throw new Error('no');
  t.strictSame(idConflicts(loaded.value, [plainEntry(c)]), []);
  t.match(idConflicts(loaded.value, [plainEntry(b)]).map(describeProblem), [
    /k\.yaml:7:\d+: .*key b{16} is in the store as well/,
  ]);
  const ring = createKeyRing();
  ring.replaceManifests(loaded.value.entries);
  t.equal(ring.size(), 2);
});

t.test('the example manifest loads', async (t) => {
  const loaded = await loadManifests(new URL('../../config/keys', import.meta.url).pathname);
  t.equal(loaded.ok && loaded.value.entries.length, 1);
  t.strictSame(loaded.ok && loaded.value.refused, []);
});

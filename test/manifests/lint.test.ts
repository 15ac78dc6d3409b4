import t from 'tap';
import { loadManifests, type KeyEntry } from '../../src/identify/identify.js';
import { fileFindings, lintCodes, lintManifests, type LintOptions } from '../../src/manifests/manifests.js';
import { plainEntry } from '../identify/fixtures/support.js';

const nowMs = Date.parse('2027-01-01T00:00:00Z');
const days = (count: number): number => nowMs + count * 86_400_000;
const id = 'a'.repeat(16);
const other = 'b'.repeat(16);
const plain: LintOptions = {
  nowMs,
  maxLifetimeMs: 366 * 86_400_000,
  unusedMs: 90 * 86_400_000,
  policy: {
    roles: new Map([
      ['reader', ['MemoryRead']],
      ['writer', ['MemoryRead', 'MemoryWrite']],
      ['admin', ['AdminKeyManagement']],
    ]),
    tiers: new Set(['free', 'pro']),
  },
  lastUsedAtMs: null,
};
/** An entry that nothing can be said against. */
const good = plainEntry(id, {
  expiresAtMs: days(30),
  createdAtMs: days(-200),
  source: { kind: 'manifest', file: 'k.yaml' },
});
const hashOf = (cost: string): string => good.hash.replace('m=19456,t=2,p=1', cost);
const place = (
  key: string,
  line: number,
): readonly [string, { file: string; line: number; column: number; path: string; message: string }] => [
  key,
  { file: 'k.yaml', line, column: 3, path: 'keys.0.id', message: '' },
];

function codes(entries: readonly KeyEntry[], options: Partial<LintOptions> = {}): readonly string[] {
  const places = new Map(entries.map((entry, index) => place(entry.id, index + 1)));
  return lintManifests({ entries, refused: [], places }, { ...plain, ...options }).map(
    ({ level, code, line }) => `${line} ${level} ${code}`,
  );
}

const used = (ms: number | null): Partial<LintOptions> => ({ lastUsedAtMs: new Map(ms === null ? [] : [[id, ms]]) });
const rotation = (until: number): KeyEntry['rotation'] => ({ replacedBy: other, graceUntilMs: until });
const cases: readonly {
  name: string;
  facts: Partial<KeyEntry>;
  options?: Partial<LintOptions>;
  want: readonly string[];
}[] = [
  { name: 'nothing against a good one', facts: {}, want: [] },
  { name: 'no end', facts: { expiresAtMs: null }, want: ['warning no-expiry'] },
  { name: 'no end of a revoked one', facts: { expiresAtMs: null, revoked: { atMs: nowMs, reason: 'x' } }, want: [] },
  { name: 'an end at the limit', facts: { expiresAtMs: days(366) }, want: [] },
  { name: 'an end beyond the limit', facts: { expiresAtMs: days(366) + 1 }, want: ['warning far-expiry'] },
  { name: 'an end in the past', facts: { expiresAtMs: nowMs }, want: ['warning expired'] },
  { name: 'a begin behind the end', facts: { notBeforeMs: days(31) }, want: ['error never-valid'] },
  { name: 'writing everywhere', facts: { spaces: ['*'], permissions: ['MemoryWrite'] }, want: ['warning all-spaces'] },
  {
    name: 'writing everywhere by a role',
    facts: { spaces: ['*'], permissions: [], roles: ['writer'] },
    want: ['warning all-spaces'],
  },
  { name: 'reading everywhere', facts: { spaces: ['*'], permissions: ['MemoryRead'] }, want: [] },
  {
    name: 'administration with data',
    facts: { permissions: ['AdminAudit', 'MemoryRead'] },
    want: ['warning admin-and-data'],
  },
  {
    name: 'administration with data by roles',
    facts: { permissions: [], roles: ['admin', 'reader'] },
    want: ['warning admin-and-data'],
  },
  { name: 'administration alone', facts: { permissions: ['AdminAudit', 'AdminConfig'] }, want: [] },
  { name: 'an unknown role', facts: { roles: ['boss'] }, want: ['error unknown-role'] },
  { name: 'an unknown tier', facts: { tier: 'gold' }, want: ['error unknown-tier'] },
  { name: 'no policy to compare with', facts: { roles: ['boss'], tier: 'gold' }, options: { policy: null }, want: [] },
  { name: 'no use ever', facts: {}, options: used(null), want: ['warning unused'] },
  { name: 'no use for long', facts: {}, options: used(days(-90)), want: ['warning unused'] },
  { name: 'a use lately', facts: {}, options: used(days(-90) + 1), want: [] },
  { name: 'no use of a young one', facts: { createdAtMs: days(-89) }, options: used(null), want: [] },
  {
    name: 'a grace that is over',
    facts: { rotation: rotation(days(-1)) },
    want: ['warning past-grace', 'warning unknown-successor'],
  },
  {
    name: 'a grace that goes on',
    facts: { rotation: rotation(days(1)), expiresAtMs: null },
    want: ['warning unknown-successor'],
  },
  { name: 'a hash of little work', facts: { hash: hashOf('m=8192,t=2,p=1') }, want: ['warning weak-hash'] },
  { name: 'a hash of other work that is enough', facts: { hash: hashOf('m=9216,t=4,p=1') }, want: [] },
];
for (const { name, facts, options, want } of cases)
  t.test(`lintManifests() finds ${name}`, async (t) => {
    t.strictSame(
      codes([{ ...good, ...facts }], options),
      want.map((one) => `1 ${one}`),
    );
  });

t.test('lintManifests() compares keys with each other', async (t) => {
  const second = { ...plainEntry(other, { expiresAtMs: days(30), name: 'another' }), source: good.source };
  t.strictSame(codes([good, second]), []);
  t.strictSame(codes([good, { ...second, hash: good.hash }]), ['2 error same-hash']);
  t.strictSame(codes([good, { ...second, name: good.name }]), ['2 warning same-name']);
  t.strictSame(
    codes([
      { ...good, rotation: rotation(days(1)) },
      { ...second, name: good.name },
    ]),
    [],
    'a rotated key and its successor',
  );
  t.strictSame(
    codes([
      { ...good, expiresAtMs: nowMs },
      { ...second, name: good.name },
    ]),
    ['1 warning expired'],
    'a dead one has its name no more',
  );
});

t.test('lintManifests() tells entries that a load leaves out; every code is in the list', async (t) => {
  const text = `keys:\n  - { id: ${id}, name: a, spaces: [x], permissions: [MemoryRead], hash: none }\n`;
  const loaded = await loadManifests(t.testdir({ 'k.yaml': text }));
  if (!loaded.ok) throw new Error('should load');
  t.match(lintManifests(loaded.value, plain), [
    { level: 'error', code: 'refused-hash', line: 2, message: /must be an Argon2id/ },
  ]);
  const broken = await loadManifests(t.testdir({ 'k.yaml': 'keys: [1]\n' }));
  if (broken.ok) throw new Error('should not load');
  t.match(fileFindings(broken.why), [{ level: 'error', code: 'unreadable', line: 1, id: null }]);
  const all = new Set([
    ...cases.flatMap(({ want }) => want.map((one) => one.split(' ')[1])),
    'refused-hash',
    'unreadable',
    'same-hash',
    'same-name',
  ]);
  t.strictSame([...all].sort(), lintCodes);
});

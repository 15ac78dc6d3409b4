import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { newDecisionId } from '../../src/base/ids.js';
import { hashKey, loadManifests, newKey } from '../../src/identify/identify.js';
import { adviseKeys, manifestPatch, type AdviceReport, type Rights } from '../../src/review/review.js';
import { writeLog } from './fixtures/log.js';

const nowMs = Date.parse('2026-11-21T00:00:00Z');
const day = 86_400_000;
const roles = new Map([
  ['reader', ['MemoryRead']],
  ['writer', ['MemoryDelete', 'MemoryRead', 'MemoryWrite']],
]);

interface Use {
  readonly key: string;
  readonly permission: string;
  readonly spaces?: readonly string[];
  readonly all?: boolean;
  readonly allow?: boolean;
  readonly more?: number;
  readonly daysAgo?: number;
}

async function advice(
  t: Test,
  keys: readonly Rights[],
  uses: readonly Use[],
  policy: typeof roles | null = roles,
): Promise<AdviceReport> {
  const dir = t.testdir();
  const lines = uses.map(({ key, permission, spaces = ['alpha'], all = false, allow = true, more, daysAgo = 1 }) => {
    const atMs = nowMs - daysAgo * day;
    const cut = more === undefined ? '' : `,"ids_more":${String(more)}`;
    const text =
      `"id":"${newDecisionId(atMs)}","subject":{"kind":"api_key","id":"${key}"},"route":"r","permission":"${permission}",` +
      `"spaces":{"all":${String(all)},"ids":${JSON.stringify(spaces)}${cut}},"effect":"${allow ? 'allow' : 'deny'}","input":null,` +
      `"decision":{"allow":${String(allow)},"reasons":[],"missing":[]}`;
    return { atMs, text };
  });
  await writeLog(
    dir,
    lines.sort((one, other) => one.atMs - other.atMs),
  );
  return adviseKeys({ dir, fromMs: nowMs - 30 * day, nowMs, keys, rolePermissions: policy });
}

const key = (over: Partial<Rights>): Rights => ({
  id: 'k1',
  name: 'one',
  permissions: [],
  roles: [],
  spaces: ['alpha'],
  ...over,
});

t.test('what a key never used is told, and what it used is kept', async (t) => {
  const { keys, days } = await advice(
    t,
    [key({ permissions: ['MemoryRead', 'MemoryWrite', 'AdminAudit'], spaces: ['alpha', 'beta', 'gamma'] })],
    [
      { key: 'k1', permission: 'MemoryRead' },
      { key: 'k1', permission: 'MemoryRead', spaces: ['beta'], daysAgo: 3 },
      { key: 'k1', permission: 'AdminAudit', allow: false },
      { key: 'other', permission: 'MemoryWrite' },
      { key: 'k1', permission: 'MemoryWrite', daysAgo: 40 },
    ],
  );
  t.match(keys, [
    {
      allowed: 2,
      denied: 1,
      unused: { permissions: ['MemoryWrite', 'AdminAudit'], roles: [], spaces: ['gamma'] },
      keep: { permissions: ['MemoryRead'], spaces: ['alpha', 'beta'] },
    },
  ]);
  t.ok(days >= 1 && days <= 30, `${String(days)} days of log`);
});

t.test('as few roles as gave what was used are kept', async (t) => {
  const both = key({ roles: ['reader', 'writer'] });
  const one = async (uses: readonly string[], rights = both): Promise<readonly string[]> =>
    (
      await advice(
        t,
        [rights],
        uses.map((permission) => ({ key: 'k1', permission })),
      )
    ).keys[0]?.keep.roles ?? [];
  t.strictSame(await one(['MemoryRead', 'MemoryWrite']), ['writer']);
  t.strictSame(await one(['MemoryRead']), ['reader']);
  t.strictSame(
    await one(['MemoryRead'], key({ roles: ['reader', 'writer'], permissions: ['MemoryRead'] })),
    [],
    'held directly',
  );
  const { keys } = await advice(t, [key({ roles: ['writer'] })], [{ key: 'k1', permission: 'MemoryRead' }]);
  t.match(keys[0]?.notes, ['of the role writer it did not use MemoryDelete, MemoryWrite']);
  const blind = await advice(t, [both], [{ key: 'k1', permission: 'MemoryRead' }], null);
  t.match(blind.keys[0], { keep: { roles: ['reader', 'writer'] }, notes: [/no policy is at hand/] });
});

t.test('spaces are only taken away where the log knows them all', async (t) => {
  const spaces = async (
    own: readonly string[],
    uses: readonly Partial<Use>[],
  ): Promise<readonly string[] | undefined> =>
    (
      await advice(
        t,
        [key({ spaces: own, permissions: ['MemoryRead'] })],
        uses.map((use) => ({ key: 'k1', permission: 'MemoryRead', ...use })),
      )
    ).keys[0]?.keep.spaces;
  t.strictSame(
    await spaces(['*'], [{}, { spaces: ['beta'] }]),
    ['alpha', 'beta'],
    'a star becomes what it was used for',
  );
  t.strictSame(await spaces(['*'], [{}, { all: true, spaces: [] }]), ['*'], 'all of them were reached');
  t.strictSame(
    await spaces(['alpha', 'beta'], [{ spaces: [] }]),
    ['alpha', 'beta'],
    'none was reached: a key must have one',
  );
  t.strictSame(
    await spaces(['alpha', 'beta', 'c'], [{ more: 3 }]),
    ['alpha', 'beta', 'c'],
    'the record had no room for all',
  );
});

t.test('a key that was never used keeps everything, and is told', async (t) => {
  const { keys, from, days } = await advice(t, [key({ permissions: ['MemoryRead'] })], []);
  t.match(keys, [
    {
      allowed: 0,
      unused: { permissions: ['MemoryRead'] },
      keep: { permissions: ['MemoryRead'] },
      notes: [/never used/],
    },
  ]);
  t.ok(from !== null || days === 0);
});

t.test('the patch is a manifest that loads, with fewer rights and nothing else changed', async (t) => {
  const dir = t.testdir();
  const { id, text } = newKey('engram_key');
  const before = {
    id,
    hash: await hashKey(text),
    name: 'a "quoted" name: # no comment',
    owner: 'team',
    spaces: ['alpha', 'beta'],
    permissions: ['MemoryRead', 'MemoryWrite'],
    tier: 'pro',
    expires_at: '2030-01-01T00:00:00.000Z',
    rotation: { replaced_by: 'abcdefghij012345', grace_until: '2027-01-01T00:00:00.000Z' },
  };
  mkdirSync(join(dir, 'before'));
  writeFileSync(join(dir, 'before', 'k.yaml'), JSON.stringify({ keys: [before] }));
  const read = await loadManifests(join(dir, 'before'));
  if (!read.ok) throw new Error('the manifest does not load');
  const { keys } = await advice(t, [key({ ...before, roles: [] })], [{ key: id, permission: 'MemoryRead' }]);
  mkdirSync(join(dir, 'after'), { recursive: true });
  writeFileSync(join(dir, 'after', 'k.yaml'), manifestPatch(read.value.entries, keys));
  const again = await loadManifests(join(dir, 'after'));
  if (!again.ok) throw new Error(JSON.stringify(again.why));
  const [old, now] = [read.value.entries[0], again.value.entries[0]];
  t.strictSame({ ...now, source: null }, { ...old, permissions: ['MemoryRead'], spaces: ['alpha'], source: null });
});

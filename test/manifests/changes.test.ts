import t from 'tap';
import type { KeyEntry } from '../../src/identify/identify.js';
import { expiringKeys, keyChanges, statedKey, type KeyChange } from '../../src/manifests/manifests.js';
import { plainEntry } from '../identify/fixtures/support.js';

const at = (text: string): number => Date.parse(text);
const entry = (facts: Partial<KeyEntry> = {}): KeyEntry =>
  plainEntry('a'.repeat(16), { source: { kind: 'manifest', file: '/here/team.yaml' }, ...facts });
const base = entry();
const changed = (before: Partial<KeyEntry>, after: Partial<KeyEntry>): KeyChange | undefined =>
  keyChanges([statedKey({ ...base, ...before })], [statedKey({ ...base, ...after })])[0];

const revoked = { atMs: at('2027-01-01T00:00:00Z'), reason: 'lost' };
const rotation = (until: string): KeyEntry['rotation'] => ({ replacedBy: 'b'.repeat(16), graceUntilMs: at(until) });
const fields: readonly {
  name: string;
  before: Partial<KeyEntry>;
  after: Partial<KeyEntry>;
  field: string;
  widens: boolean;
  change?: KeyChange['change'];
}[] = [
  {
    name: 'one permission more',
    before: {},
    after: { permissions: ['MemoryRead', 'MemoryWrite'] },
    field: 'permissions',
    widens: true,
  },
  { name: 'one permission less', before: {}, after: { permissions: [] }, field: 'permissions', widens: false },
  {
    name: 'one permission for another',
    before: {},
    after: { permissions: ['SpaceList'] },
    field: 'permissions',
    widens: true,
  },
  { name: 'one space more', before: {}, after: { spaces: ['alpha', 'beta'] }, field: 'spaces', widens: true },
  { name: 'every space', before: {}, after: { spaces: ['*'] }, field: 'spaces', widens: true },
  { name: 'one space instead of every', before: { spaces: ['*'] }, after: {}, field: 'spaces', widens: false },
  { name: 'a role', before: {}, after: { roles: ['writer'] }, field: 'roles', widens: true },
  { name: 'a role less', before: { roles: ['writer'] }, after: {}, field: 'roles', widens: false },
  { name: 'another tier', before: {}, after: { tier: 'free' }, field: 'tier', widens: false },
  {
    name: 'a later end',
    before: { expiresAtMs: at('2027-02-01T00:00:00Z') },
    after: { expiresAtMs: at('2027-03-01T00:00:00Z') },
    field: 'expires_at',
    widens: true,
  },
  {
    name: 'an earlier end',
    before: { expiresAtMs: at('2027-03-01T00:00:00Z') },
    after: { expiresAtMs: at('2027-02-01T00:00:00Z') },
    field: 'expires_at',
    widens: false,
  },
  {
    name: 'no end any more',
    before: { expiresAtMs: at('2027-03-01T00:00:00Z') },
    after: {},
    field: 'expires_at',
    widens: true,
  },
  {
    name: 'an end',
    before: {},
    after: { expiresAtMs: at('2027-03-01T00:00:00Z') },
    field: 'expires_at',
    widens: false,
  },
  {
    name: 'an earlier begin',
    before: { notBeforeMs: at('2027-03-01T00:00:00Z') },
    after: { notBeforeMs: at('2027-02-01T00:00:00Z') },
    field: 'not_before',
    widens: true,
  },
  {
    name: 'a later begin',
    before: {},
    after: { notBeforeMs: at('2027-02-01T00:00:00Z') },
    field: 'not_before',
    widens: false,
  },
  {
    name: 'a rotation',
    before: {},
    after: { rotation: rotation('2027-02-01T00:00:00Z') },
    field: 'rotation.grace_until',
    widens: false,
  },
  {
    name: 'a longer grace',
    before: { rotation: rotation('2027-02-01T00:00:00Z') },
    after: { rotation: rotation('2027-03-01T00:00:00Z') },
    field: 'rotation.grace_until',
    widens: true,
  },
  {
    name: 'a rotation taken back',
    before: { rotation: rotation('2027-02-01T00:00:00Z') },
    after: {},
    field: 'rotation.grace_until',
    widens: true,
  },
  { name: 'a revocation', before: {}, after: { revoked }, field: 'revoked', widens: false, change: 'revoked' },
  {
    name: 'a revocation taken back',
    before: { revoked },
    after: {},
    field: 'revoked',
    widens: true,
    change: 'restored',
  },
  { name: 'another secret', before: {}, after: { hash: plainEntry('x').hash }, field: 'secret', widens: true },
  { name: 'another owner', before: {}, after: { owner: 'somebody' }, field: 'owner', widens: false },
  { name: 'another name', before: {}, after: { name: 'renamed' }, field: 'name', widens: false },
  {
    name: 'another file',
    before: {},
    after: { source: { kind: 'manifest', file: '/here/other.yaml' } },
    field: 'file',
    widens: false,
  },
];

for (const { name, before, after, field, widens, change = 'changed' } of fields) {
  t.test(`keyChanges() tells ${name}${widens ? ', which is more than before' : ''}`, async (t) => {
    const found = changed(before, after);
    t.equal(found?.change, change);
    t.equal(found?.widens, widens);
    t.equal(found?.fields[0]?.field, field);
    t.notMatch(JSON.stringify(found), /argon2|fingerprint|[0-9a-f]{32}/, 'neither a hash nor what stands for it');
  });
}

t.test('keyChanges() takes no notice of order, directory and equal entries', async (t) => {
  t.equal(changed({ spaces: ['a', 'b'] }, { spaces: ['b', 'a'] }), undefined);
  t.equal(changed({}, { source: { kind: 'manifest', file: '/elsewhere/team.yaml' } }), undefined);
  t.equal(changed({}, {}), undefined);
});

t.test('keyChanges() tells added keys with their rights, and removed ones last', async (t) => {
  const other = entry({ id: 'b'.repeat(16), name: 'other', expiresAtMs: at('2027-03-01T00:00:00Z') });
  t.match(keyChanges([statedKey(base)], [statedKey(other)]), [
    {
      change: 'added',
      id: other.id,
      name: 'other',
      file: 'team.yaml',
      widens: false,
      rights: {
        spaces: ['alpha'],
        permissions: ['MemoryRead'],
        tier: 'pro',
        owner: 'tests',
        expires_at: '2027-03-01T00:00:00.000Z',
      },
      fields: [],
    },
    { change: 'removed', id: base.id, file: 'team.yaml', widens: false },
  ]);
});

t.test('expiringKeys() lists what ends within the time, the first to end first', async (t) => {
  const nowMs = at('2027-01-01T00:00:00Z');
  const ending = (id: string, facts: Partial<KeyEntry>): ReturnType<typeof statedKey> =>
    statedKey({ ...base, id: id.repeat(16), ...facts });
  const keys = [
    ending('a', { expiresAtMs: at('2027-01-20T00:00:00Z') }),
    ending('b', { expiresAtMs: at('2027-01-31T00:00:00Z') }), // the last millisecond of 30 days
    ending('c', { expiresAtMs: at('2027-01-31T00:00:00.001Z') }),
    ending('d', { rotation: rotation('2027-01-05T00:00:00Z'), expiresAtMs: at('2027-01-25T00:00:00Z') }),
    ending('e', { expiresAtMs: nowMs }),
    ending('f', { expiresAtMs: at('2027-01-20T00:00:00Z'), revoked }),
    ending('g', {}),
    ending('h', { rotation: rotation('2027-06-05T00:00:00Z'), expiresAtMs: at('2027-01-25T00:00:00Z') }),
  ];
  t.strictSame(
    expiringKeys(keys, { nowMs, withinMs: 30 * 86_400_000 }).map(({ id, ends_at: ends, because }) => [
      id[0],
      ends,
      because,
    ]),
    [
      ['d', '2027-01-05T00:00:00.000Z', 'grace'],
      ['a', '2027-01-20T00:00:00.000Z', 'expiry'],
      ['h', '2027-01-25T00:00:00.000Z', 'expiry'],
      ['b', '2027-01-31T00:00:00.000Z', 'expiry'],
    ],
  );
});

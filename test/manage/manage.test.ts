import t from 'tap';
import { createKeyRing, createVerifier, parseKey, type KeyRing } from '../../src/identify/identify.js';
import {
  createKeyAdmin,
  localOperator,
  newManifestKey,
  type Grantor,
  type KeyAdminContext,
  type KeyAnswer,
  type KeyDesk,
  type KeyProblem,
  type KeyWish,
} from '../../src/manage/manage.js';
import { openStore, type Store } from '../../src/store/store.js';
import { FakeClock, countingMeter, madeKey, memoryAudit, plainEntry } from '../identify/fixtures/support.js';
import { loadManifests } from '../../src/identify/identify.js';

interface Bench {
  readonly desk: KeyDesk;
  readonly ring: KeyRing;
  readonly store: Store;
  readonly audit: ReturnType<typeof memoryAudit>;
  readonly clock: FakeClock;
  as(grantor: Grantor): KeyDesk;
  count(name: string): number;
}

function bench(t: { testdir(): string; teardown(work: () => void): void }, more: Partial<KeyAdminContext> = {}): Bench {
  const clock = new FakeClock();
  const opened = openStore({ dataDir: t.testdir(), clock });
  if (!opened.ok) throw new Error(opened.why);
  t.teardown(() => {
    opened.value.close();
  });
  const ring = createKeyRing(clock);
  const audit = memoryAudit();
  const { meter, of } = countingMeter();
  const admin = createKeyAdmin({
    ring,
    store: opened.value,
    audit,
    clock,
    meter,
    prefixes: ['engram_key', 'kor'],
    isPersistent: true,
    reach: 'process',
    known: () => ({ roles: new Set(['reader', 'writer']), tiers: new Set(['free', 'pro']) }),
    ...more,
  });
  return {
    desk: admin.as(localOperator),
    as: (grantor) => admin.as(grantor),
    ring,
    store: opened.value,
    audit,
    clock,
    count: of,
  };
}

const wish: KeyWish = {
  name: 'search',
  owner: 'team',
  spaces: ['alpha'],
  permissions: ['MemoryRead'],
  roles: ['reader'],
  tier: 'pro',
  expiresInMs: 86_400_000,
};
const valueOf = async <T>(answer: KeyAnswer<T>): Promise<T> => {
  const settled = await answer;
  if (!settled.ok) throw new Error(settled.why.problems.join('\n'));
  return settled.value;
};
const problemOf = async (answer: KeyAnswer<unknown>): Promise<KeyProblem> => {
  const settled = await answer;
  if (settled.ok) throw new Error('should have been refused');
  return settled.why;
};

t.test('createKey() shows the key once, keeps its hash, and is recorded before it works', async (t) => {
  const { desk, ring, store, audit, clock, count } = bench(t);
  const made = await valueOf(desk.createKey(wish));
  t.strictSame(Object.keys(made), ['id', 'key', 'name', 'spaces', 'permissions', 'roles', 'tier', 'expires_at']);
  t.equal(made.expires_at, new Date(clock.ms + 86_400_000).toISOString());
  t.strictSame(parseKey(made.key, ['engram_key']), { prefix: 'engram_key', id: made.id });
  const entry = ring.find(made.id);
  t.match(entry, { name: 'search', owner: 'team', source: { kind: 'store' } });
  t.strictSame(store.findKey(made.id), entry);
  const verifier = createVerifier({ concurrency: 1, queue: 1, cacheEntries: 10 }, { meter: countingMeter().meter });
  const unlimited = { claim: () => Promise.resolve({ admits: () => true, end: () => undefined }) };
  t.equal(await verifier.verify(made.key, entry ?? null, unlimited), 'yes');
  t.match(audit.events, [{ type: 'key.created', fields: { actor_kind: 'local', key_id: made.id, spaces: ['alpha'] } }]);
  t.notMatch(JSON.stringify(audit.events), new RegExp(made.key.slice(-49)), 'KY-16 the secret is in no record');
  t.notMatch(
    JSON.stringify([audit.events, await valueOf(desk.listKeys({})), await valueOf(desk.checkKey(made.id))]),
    /\$argon2/,
  );
  t.equal(count('credentialOperation create success'), 1);
});

t.test('an action that cannot be recorded is not done, but a key is revoked all the same', async (t) => {
  const { desk, ring, store, audit, count } = bench(t);
  const made = await valueOf(desk.createKey(wish));
  audit.isBroken = true;
  await t.rejects(desk.createKey(wish));
  await t.rejects(desk.rotateKey(made.id, { force: true }));
  t.equal(ring.size(), 1);
  t.equal(store.keys().entries.length, 1);
  t.equal(ring.find(made.id)?.rotation, null);
  await t.rejects(desk.revokeKey(made.id, 'stolen'), {
    code: 'record.unavailable',
    message: /is revoked and opens nothing any more, but no space left: revoke it again to record it/,
  });
  t.equal(ring.find(made.id)?.revoked?.reason, 'stolen', 'in force');
  t.equal(store.findKey(made.id)?.revoked?.reason, 'stolen', 'and kept');
  t.equal(count('credentialOperation revoke failure'), 1);
  t.notOk(audit.events.some(({ type }) => type === 'key.revoked'));
  audit.isBroken = false;
  t.match(await valueOf(desk.revokeKey(made.id, 'again')), { already: true, reason: 'stolen' });
  t.equal(audit.events.filter(({ type }) => type === 'key.revoked').length, 1, 'recorded by the next try');
  await valueOf(desk.revokeKey(made.id, 'again'));
  t.equal(audit.events.filter(({ type }) => type === 'key.revoked').length, 1, 'once');
});

const invalid: readonly [name: string, change: Partial<KeyWish>, want: readonly RegExp[]][] = [
  ['empty name', { name: '' }, [/^name: /]],
  ['long name', { name: 'x'.repeat(129) }, [/^name: /]],
  ['control in name', { name: 'a\u001b[2J' }, [/^name: /]],
  ['bidi in owner', { owner: 'a\u202eb' }, [/^owner: /]],
  ['no space', { spaces: [] }, [/^spaces: .*at least one/]],
  ['* and a name', { spaces: ['*', 'alpha'] }, [/^spaces: .*\* alone/]],
  ['a blank in a space', { spaces: ['al pha'] }, [/^spaces: entry 1/]],
  ['a comma in a space', { spaces: ['a', 'b,c'] }, [/^spaces: entry 2/]],
  ['a space twice', { spaces: ['a', 'a'] }, [/^spaces: .*twice/]],
  ['unknown permission', { permissions: ['MemoryRaed'] }, [/^permissions: "MemoryRaed" is not one of MemoryRead/]],
  ['unknown role', { roles: ['boss'] }, [/^roles: "boss" is not one of the policy's roles: reader, writer/]],
  ['unknown tier', { tier: 'gold' }, [/^tier: "gold" is not one of the policy's tiers: free, pro/]],
  ['no right at all', { permissions: [], roles: [] }, [/^permissions: name at least one/]],
  ['the past', { expiresInMs: -1 }, [/^expires_at: .*future/]],
  ['zero', { expiresInMs: 0 }, [/^expires_at: .*future/]],
  ['too far', { expiresInMs: 1e15 }, [/^expires_at: .*100 years/]],
  ['two ends', { expiresAtMs: 1 }, [/give one of them/]],
  [
    'everything',
    { name: '', spaces: [], permissions: ['x'], tier: 'y' },
    [/^name/, /^spaces/, /^permissions/, /^tier/],
  ],
];
for (const [name, change, want] of invalid) {
  t.test(`createKey() refuses ${name}, by its field`, async (t) => {
    const { desk, ring, audit } = bench(t);
    const { kind, problems } = await problemOf(desk.createKey({ ...wish, ...change }));
    t.equal(kind, 'invalid');
    t.match(problems, want);
    t.equal(problems.length, want.length);
    t.equal(ring.size() + audit.events.length, 0);
  });
}

t.test('nobody grants what he does not hold, nor gets it by rotating', async (t) => {
  const { desk, as } = bench(t);
  const limited = as({
    actor: { kind: 'api_key', id: 'k', address: '127.0.0.1' },
    holds: { permissions: ['MemoryRead', 'AdminKeyManagement'], roles: [], spaces: ['alpha'] },
  });
  t.ok((await limited.createKey({ ...wish, roles: [] })).ok);
  const { kind, problems } = await problemOf(
    limited.createKey({ ...wish, spaces: ['*'], permissions: ['MemoryWrite'], roles: ['writer'] }),
  );
  t.equal(kind, 'forbidden');
  t.match(problems, [/"MemoryWrite"/, /"writer"/, /"\*"/]);
  const strong = await valueOf(desk.createKey({ ...wish, permissions: ['AdminIncident'] }));
  t.equal((await problemOf(limited.rotateKey(strong.id, { force: true }))).kind, 'forbidden');
  t.ok((await limited.revokeKey(strong.id, 'anybody who manages keys may end one')).ok);
});

t.test('rotateKey() makes a successor with the same rights; the old key has its grace period', async (t) => {
  const { desk, ring, store, audit, clock } = bench(t);
  const old = await valueOf(desk.createKey(wish));
  clock.ms += 1_000;
  const next = await valueOf(desk.rotateKey(old.id, { graceMs: 5_000 }));
  t.match(next, {
    name: 'search',
    spaces: ['alpha'],
    permissions: ['MemoryRead'],
    roles: ['reader'],
    tier: 'pro',
    replaces: old.id,
    grace_until: new Date(clock.ms + 5_000).toISOString(),
  });
  t.equal(next.expires_at, new Date(clock.ms + 86_400_000).toISOString(), 'the same lifetime, from now');
  t.not(next.id, old.id);
  t.strictSame(ring.find(old.id)?.rotation, { replacedBy: next.id, graceUntilMs: clock.ms + 5_000 });
  t.strictSame(store.findKey(old.id), ring.find(old.id));
  t.match(audit.events[1], { type: 'key.rotated', fields: { key_id: next.id, replaces: old.id } });
  t.match(await valueOf(desk.listKeys({})), [
    { id: old.id, state: 'deprecated' },
    { id: next.id, state: 'active' },
  ]);
  t.match(await problemOf(desk.rotateKey(old.id, { force: true })), {
    kind: 'conflict',
    problems: [new RegExp(`rotated already.*${next.id}`)],
  });
  clock.ms += 5_000;
  t.strictSame(
    (await valueOf(desk.listKeys({}))).map(({ id }) => id),
    [next.id],
  );
  t.match(await valueOf(desk.listKeys({ includeExpired: true })), [{ id: old.id, state: 'rotated' }, { id: next.id }]);
  const third = await valueOf(desk.rotateKey(next.id, { force: true }));
  t.equal(ring.find(next.id)?.rotation?.graceUntilMs, clock.ms, 'force ends the old key at once');
  t.match(await problemOf(desk.rotateKey(third.id, { graceMs: -1 })), { kind: 'invalid', problems: [/grace_period/] });
  t.match(await problemOf(desk.rotateKey('nobody0000000000', { force: true })), { kind: 'not-found' });
});

t.test('two rotations at once make one successor', async (t) => {
  const { desk, ring, audit } = bench(t);
  const old = await valueOf(desk.createKey(wish));
  const answers = await Promise.all([desk.rotateKey(old.id, { force: true }), desk.rotateKey(old.id, { force: true })]);
  t.strictSame(
    answers.map(({ ok }) => ok),
    [true, false],
  );
  t.equal(ring.size(), 2);
  t.strictSame(
    audit.events.map(({ type }) => type),
    ['key.created', 'key.rotated'],
  );
});

t.test('a key of a manifest is not rotated here; its revocation is kept and wins', async (t) => {
  const { desk, ring, store, audit } = bench(t);
  const entry = plainEntry('m'.repeat(16), { source: { kind: 'manifest', file: 'config/keys/team.yaml' } });
  ring.replaceManifests([entry]);
  t.match(await problemOf(desk.rotateKey(entry.id, { force: true })), {
    kind: 'conflict',
    problems: [/config\/keys\/team\.yaml/],
  });
  const revoked = await valueOf(desk.revokeKey(entry.id, 'stolen'));
  t.match(revoked, {
    already: false,
    reason: 'stolen',
    reach: /in force in this process, and after its restarts; .*`revoked` in config\/keys\/team\.yaml/,
  });
  t.equal(ring.find(entry.id)?.revoked?.reason, 'stolen');
  t.equal(store.manifestRevocations().get(entry.id)?.reason, 'stolen');
  t.match(await valueOf(desk.revokeKey(entry.id, 'again')), { already: true, reason: 'stolen' });
  t.equal(audit.events.length, 1, 'the second changes nothing');
  ring.replaceManifests([entry]);
  t.equal(ring.find(entry.id)?.revoked?.reason, 'stolen', 'after a reload too');
  t.strictSame(await valueOf(desk.listKeys({})), []);
  t.match(await valueOf(desk.listKeys({ includeRevoked: true })), [
    { id: entry.id, state: 'revoked', source: 'config/keys/team.yaml' },
  ]);
});

t.test('a revoke that the store cannot keep is in force, told as failed, and saved by the next try', async (t) => {
  let isBroken = true;
  const kept: string[] = [];
  const { desk, ring, audit } = bench(t, {
    store: {
      insertKey: () => undefined,
      rotateKey: () => undefined,
      uses: () => null,
      allUses: () => new Map(),
      usesSinceMs: () => null,
      usesByDay: () => [],
      revokeKey: (id) => {
        if (isBroken) throw new Error('disk full');
        kept.push(id);
      },
    },
  });
  ring.put(plainEntry('s'.repeat(16)));
  await t.rejects(desk.revokeKey('s'.repeat(16), 'stolen'), { message: 'disk full' });
  t.equal(ring.find('s'.repeat(16))?.revoked?.reason, 'stolen');
  t.match(
    audit.events.map(({ type }) => type),
    ['key.revoked', 'key.failed'],
  );
  isBroken = false;
  t.ok((await desk.revokeKey('s'.repeat(16), 'stolen')).ok);
  t.strictSame(kept, ['s'.repeat(16)]);
});

t.test('where the data directory does not last, keys come from manifests and the reach says so', async (t) => {
  const { desk, ring } = bench(t, { isPersistent: false });
  t.match(await problemOf(desk.createKey(wish)), { kind: 'conflict', problems: [/not persistent.*manifest/] });
  ring.replaceManifests([plainEntry('m'.repeat(16), { source: { kind: 'manifest', file: 'keys/team.yaml' } })]);
  t.match(await valueOf(desk.revokeKey('m'.repeat(16), '')), {
    reason: 'no reason given',
    reach: /^in force in this process only; set `revoked` in keys\/team\.yaml/,
  });
});

t.test('checkKey() takes an id or a whole key, and tells state and uses', async (t) => {
  const { desk, ring, store, clock } = bench(t);
  const { text, entry } = await madeKey();
  store.insertKey(entry);
  ring.put(entry);
  store.noteUse(entry.id, false);
  store.noteUse(entry.id, true);
  t.match(await valueOf(desk.checkKey(entry.id)), {
    id: entry.id,
    state: 'active',
    secret_matches: null,
    uses: {
      total: 2,
      deprecated: 1,
      last_used_at: new Date(clock.ms).toISOString(),
      by_day: [{ day: '2027-01-01', uses: 2 }],
    },
  });
  t.match(await valueOf(desk.checkKey(text)), { id: entry.id, secret_matches: true });
  ring.put({ ...entry, hash: plainEntry(entry.id).hash });
  t.match(await valueOf(desk.checkKey(text)), { secret_matches: false });
  t.match(await problemOf(desk.checkKey('x')), { kind: 'invalid', problems: [/id .*or a whole key/] });
  t.match(await problemOf(desk.checkKey(`${text.slice(0, -1)}!`)), { kind: 'invalid' });
  t.match(await problemOf(desk.checkKey('nobody0000000000')), { kind: 'not-found' });
});

t.test('newManifestKey() writes an entry that loads and verifies', async (t) => {
  const made = await newManifestKey(
    { ...wish, roles: [], spaces: ['*'], name: 'with: "quotes" # and more' },
    'kor',
    new FakeClock(),
  );
  if (!made.ok) throw new Error(made.why.problems.join());
  t.notMatch(made.value.manifest, new RegExp(made.value.key.slice(-40)));
  const loaded = await loadManifests(t.testdir({ 'made.yaml': made.value.manifest }));
  t.match(loaded.ok && loaded.value.entries, [
    { id: made.value.id, name: 'with: "quotes" # and more', spaces: ['*'], tier: 'pro', owner: 'team' },
  ]);
  t.match(await newManifestKey({ ...wish, spaces: [] }, 'kor', new FakeClock()), {
    ok: false,
    why: { kind: 'invalid' },
  });
});

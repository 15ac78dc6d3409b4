import t from 'tap';
import type { Refusal } from '../../src/model/codes.js';
import type { Identity } from '../../src/model/proofs.js';
import type { CleanRequest } from '../../src/model/request.js';
import type { Result } from '../../src/base/result.js';
import {
  createFailureBuckets,
  createIdentify,
  createKeyRing,
  createVerifier,
  newKey,
  type AuthMode,
  type KeyEntry,
  type KeyRing,
  type StaticTokens,
  type Verifier,
} from '../../src/identify/identify.js';
import { sealed } from './fixtures/sealed.js';
import { FakeClock, bearer, countingMeter, madeKey, plainEntry, request } from './fixtures/support.js';

const noTokens: StaticTokens = {
  find: () => undefined,
  current: () => undefined,
  latest: () => undefined,
  refresh: () => Promise.resolve(),
  close: () => undefined,
};

interface Bench {
  readonly clock: FakeClock;
  readonly ring: KeyRing;
  readonly verifier: Verifier;
  readonly used: [string, boolean][];
  count(name: string): number;
  ask(request: CleanRequest): Result<Identity, Refusal> | Promise<Result<Identity, Refusal>>;
}

interface BenchOptions {
  readonly entries?: readonly KeyEntry[];
  readonly modes?: readonly AuthMode[];
  readonly tokens?: StaticTokens;
  readonly perMinute?: number;
  readonly perMinutePerKey?: number;
  readonly queue?: number;
}

function bench({
  entries = [],
  modes = ['api_key'],
  tokens = noTokens,
  perMinute = 100_000,
  perMinutePerKey = 100_000,
  queue = 1_000,
}: BenchOptions): Bench {
  const clock = new FakeClock();
  const { meter, of } = countingMeter();
  const ring = createKeyRing(clock);
  ring.replaceStore(entries);
  const verifier = createVerifier({ concurrency: 1, queue, cacheEntries: 1_000 }, { meter });
  const used: [string, boolean][] = [];
  const ask = createIdentify({
    modes: new Set(modes),
    prefixes: ['engram_key', 'kor'],
    keys: ring,
    verifier,
    failures: createFailureBuckets({ perMinute, perMinutePerKey, waitingPerAddress: 256 }, clock),
    tokens,
    clock,
    meter,
    used: (id, isDeprecated) => void used.push([id, isDeprecated]),
  });
  return { clock, ring, verifier, used, count: of, ask };
}

const refusalOf = async (answer: ReturnType<Bench['ask']>): Promise<Refusal | null> => {
  const settled = await answer;
  return settled.ok ? null : settled.why;
};
const codeOf = async (answer: ReturnType<Bench['ask']>): Promise<string> => (await refusalOf(answer))?.code ?? 'pass';

t.test('KY-01 a key is hashed once; the second use answers at once', async (t) => {
  const { text, entry } = await madeKey();
  const { ask, verifier, used, count } = bench({ entries: [entry] });
  const first = await ask(bearer(text));
  t.ok(first.ok);
  const second = ask(request({ 'X-API-Key': text }));
  t.notOk(second instanceof Promise, 'no promise on a hit');
  t.equal(verifier.stats.hashes, 1);
  if (!(second instanceof Promise) && second.ok) {
    t.match(second.value.subject, {
      kind: 'api_key',
      id: entry.id,
      owner: 'tests',
      spaces: ['alpha'],
      permissions: ['MemoryRead'],
      tier: 'pro',
      deprecated: false,
    });
    t.equal(second.value.live(), null);
  }
  t.strictSame(used, [
    [entry.id, false],
    [entry.id, false],
  ]);
  t.equal(count('keyValidation hit'), 1);
  t.equal(count('authAttempt success none'), 2);
});

t.test('KY-02 KY-03 a cached key opens nothing for another secret of its id', async (t) => {
  const { text, entry } = await madeKey();
  const { ask, verifier } = bench({ entries: [entry] });
  t.equal(await codeOf(ask(bearer(text))), 'pass');
  const other = newKey('engram_key').text;
  const body = text.slice(0, -6);
  const flipped = sealed(body.slice(0, 40) + (body.charAt(40) === 'a' ? 'b' : 'a') + body.slice(41));
  const swapped = sealed(`engram_key_${entry.id}${other.slice('engram_key_'.length + 16, -6)}`);
  for (const credential of [flipped, swapped, sealed(body.replace('engram_key', 'kor'))]) {
    t.equal(await codeOf(ask(bearer(credential))), 'identify.unauthenticated');
  }
  t.equal(verifier.stats.hashes, 4, 'each was hashed: its checksum is right');
  t.equal(await codeOf(ask(bearer(`engram_key_${entry.id}_anything`))), 'identify.unauthenticated');
  t.equal(verifier.stats.hashes, 4);
});

t.test('KY-05 unknown, wrong, revoked, expired and future keys take one way', async (t) => {
  const clock = new FakeClock();
  const revoked = await madeKey({ revoked: { atMs: 1, reason: 'test' } });
  const expired = await madeKey({ expiresAtMs: clock.ms - 1 });
  const future = await madeKey({ notBeforeMs: clock.ms + 60_000 });
  const rotated = await madeKey({ rotation: { replacedBy: revoked.entry.id, graceUntilMs: clock.ms } });
  const { ask, verifier, count } = bench({ entries: [revoked.entry, expired.entry, future.entry, rotated.entry] });
  const wrong = sealed(
    `engram_key_${expired.entry.id}${newKey('engram_key').text.slice('engram_key_'.length + 16, -6)}`,
  );
  const answers: (Refusal | null)[] = [];
  for (let turn = 1; turn <= 3; turn += 1) {
    for (const text of [newKey('engram_key').text, wrong, revoked.text, expired.text, future.text, rotated.text]) {
      const before = verifier.stats.hashes;
      answers.push(await refusalOf(ask(bearer(text))));
      t.equal(verifier.stats.hashes - before, 1, 'one computation each, every time');
    }
  }
  t.strictSame(new Set(answers.map((why) => why?.code)), new Set(['identify.unauthenticated']));
  t.strictSame(
    new Set(answers.map((why) => Object.keys(why ?? {}).join())),
    new Set(['code,detail']),
    'nothing but the detail, which no caller sees, tells them apart',
  );
  for (const [reason, times] of [
    ['unknown', 3],
    ['wrong', 3],
    ['revoked', 3],
    ['expired', 6],
    ['not_yet', 3],
  ] as const)
    t.equal(count(`authAttempt failure ${reason}`), times, reason);
});

t.test('KY-06 what is malformed costs no hash', async (t) => {
  const { text, entry } = await madeKey();
  const { ask, verifier } = bench({ entries: [entry] });
  const values = [
    'Bearer',
    'Bearer ',
    `Bearer\t${text}`,
    `Bearer  ${text}`,
    `Token ${text}`,
    text,
    `Bearer ${text}\x00`,
    `Bearer ${text} `,
    `Bearer ${text},${text}`,
    `Bearer ${'a'.repeat(8_193)}`,
    'Bearer engram_key__x',
    'Bearer engram_key_a',
    `Bearer engram_key_${entry.id.slice(0, 7)}_${entry.id.slice(8)}_${text.slice(-49)}`,
    'Basic YTpi',
    'Bearer \xe9',
    `Bearer ${text.slice(0, -1)}`,
    `Bearer ${text.toUpperCase()}`,
    '',
  ];
  for (const value of values)
    t.equal(
      await codeOf(ask(request({ Authorization: value }))),
      'identify.unauthenticated',
      JSON.stringify(value.slice(0, 40)),
    );
  for (const value of ['', `Bearer ${text}`, ` ${text}`, 'x'.repeat(5_000)])
    t.equal(await codeOf(ask(request({ 'X-API-Key': value }))), 'identify.unauthenticated');
  t.equal(await codeOf(ask(request({}))), 'identify.unauthenticated');
  t.equal(await codeOf(ask(request({ Cookie: `key=${text}` }))), 'identify.unauthenticated');
  t.equal(verifier.stats.hashes, 0);
  t.equal(await codeOf(ask(request({ Authorization: `bearer ${text}` }))), 'pass');
  t.equal(await codeOf(ask(request({ Authorization: `BEARER ${text}` }))), 'pass');
});

t.test('two credentials are refused, even two equal ones', async (t) => {
  const { text, entry } = await madeKey();
  const { ask, verifier } = bench({ entries: [entry] });
  t.equal(
    await codeOf(ask(request({ Authorization: `Bearer ${text}`, 'X-API-Key': text }))),
    'identify.many-credentials',
  );
  t.equal(await codeOf(ask(request({ Authorization: 'Basic x', 'X-API-Key': text }))), 'identify.many-credentials');
  t.equal(verifier.stats.hashes, 0);
});

t.test('KY-07 a cached key ends in the millisecond of its expiry, and so does what it opened', async (t) => {
  const clock = new FakeClock();
  const { text, entry } = await madeKey({ expiresAtMs: clock.ms + 2_000 });
  const { ask, clock: now } = bench({ entries: [entry] });
  const identity = await ask(bearer(text));
  now.ms += 1_999;
  t.equal(await codeOf(ask(bearer(text))), 'pass');
  t.equal(identity.ok && identity.value.live(), null);
  now.ms += 1;
  t.equal(await codeOf(ask(bearer(text))), 'identify.unauthenticated');
  t.match(identity.ok && identity.value.live(), { code: 'identify.unauthenticated', detail: /expired/ });
});

t.test('a revoke is in force for the cache and for a request under way', async (t) => {
  const { text, entry } = await madeKey();
  const { ask, ring, verifier } = bench({ entries: [entry] });
  const identity = await ask(bearer(text));
  const under = ask(bearer(newKey('kor').text)); // occupies the only place
  const second = await madeKey();
  ring.put(second.entry);
  const waiting = ask(bearer(second.text));
  ring.revoke(entry.id, { atMs: 1, reason: 'test' });
  ring.revoke(second.entry.id, { atMs: 1, reason: 'test' });
  t.match(identity.ok && identity.value.live(), { code: 'identify.unauthenticated', detail: /revoked/ });
  t.equal(await codeOf(ask(bearer(text))), 'identify.unauthenticated');
  t.equal(await codeOf(waiting), 'identify.unauthenticated', 'revoked while its hash waited');
  await under;
  t.equal(verifier.stats.waiting + verifier.stats.running, 0);
});

t.test('a hash that was replaced under the same id makes what was remembered worthless', async (t) => {
  const { text, entry } = await madeKey();
  const { ask, ring, verifier } = bench({ entries: [entry] });
  const identity = await ask(bearer(text));
  ring.put({ ...plainEntry(entry.id) });
  t.match(identity.ok && identity.value.live(), { code: 'identify.unauthenticated' });
  t.equal(await codeOf(ask(bearer(text))), 'identify.unauthenticated');
  ring.put(entry);
  t.equal(await codeOf(ask(bearer(text))), 'pass');
  t.equal(verifier.stats.hashes, 2);
});

t.test('200 reloads cost no hash', async (t) => {
  const { text, entry } = await madeKey({ source: { kind: 'manifest', file: 'keys.yaml' } });
  const { ask, ring, verifier } = bench({});
  ring.replaceManifests([entry]);
  t.equal(await codeOf(ask(bearer(text))), 'pass');
  for (let turn = 0; turn < 200; turn += 1) {
    ring.replaceManifests([{ ...entry, permissions: turn % 2 === 0 ? ['MemoryWrite'] : ['MemoryRead'] }]);
    const answer = ask(bearer(text));
    if (answer instanceof Promise || !answer.ok) t.fail('a reload must not hash');
    else if (turn === 0)
      t.strictSame(answer.value.subject.permissions, ['MemoryWrite'], 'the new entry counts at once');
  }
  t.equal(verifier.stats.hashes, 1);
  ring.replaceManifests([]);
  t.equal(await codeOf(ask(bearer(text))), 'identify.unauthenticated');
});

t.test('KY-11 failures stop hashing for their address, not for the owner and not for verified keys', async (t) => {
  const { text, entry } = await madeKey();
  const { ask, verifier, clock } = bench({ entries: [entry], perMinute: 30, perMinutePerKey: 5 });
  const wrongs = Array.from({ length: 40 }, () =>
    sealed(`engram_key_${entry.id}${newKey('engram_key').text.slice('engram_key_'.length + 16, -6)}`),
  );
  const codes = await Promise.all(wrongs.map((wrong) => codeOf(ask(bearer(wrong, '127.0.0.5')))));
  t.equal(codes.filter((code) => code === 'identify.unauthenticated').length, 5);
  t.equal(
    codes.filter((code) => code === 'identify.too-many-failures').length,
    35,
    'also those that waited in the queue',
  );
  t.equal(verifier.stats.hashes, 5);
  t.equal(await codeOf(ask(bearer(text, '127.0.0.6'))), 'pass', 'the owner, elsewhere, on his first use');
  t.equal(await codeOf(ask(bearer(text, '127.0.0.5'))), 'pass', 'a verified key, even from there');
  const why = await refusalOf(ask(bearer(wrongs[0] ?? '', '127.0.0.5')));
  t.equal(why?.retryAfterS, 12);
  clock.ms += 12_000;
  t.equal(
    await codeOf(ask(bearer(wrongs[0] ?? '', '127.0.0.5'))),
    'identify.unauthenticated',
    'one more after the wait',
  );
  t.equal(await codeOf(ask(bearer(wrongs[0] ?? '', '127.0.0.5'))), 'identify.too-many-failures');
});

t.test('failures of a /64 count together, and with many ids too', async (t) => {
  const { ask } = bench({ perMinute: 3, perMinutePerKey: 2 });
  const codes: string[] = [];
  for (let host = 1; host <= 4; host += 1)
    codes.push(await codeOf(ask(bearer(newKey('kor').text, `2001:db8::${String(host)}`))));
  t.strictSame(codes.slice(2), ['identify.unauthenticated', 'identify.too-many-failures']);
  t.equal(await codeOf(ask(bearer(newKey('kor').text, '2001:db8:0:1::1'))), 'identify.unauthenticated');
});

t.test('failure buckets are bounded, and filling them frees nobody', async (t) => {
  const clock = new FakeClock();
  const buckets = createFailureBuckets(
    { perMinute: 2, perMinutePerKey: 2, waitingPerAddress: 256, bucketsMax: 50 },
    clock,
  );
  buckets.charge('attacker', 'a');
  buckets.charge('attacker', 'a');
  t.ok(buckets.exhausted('attacker', 'a') > 0);
  for (let i = 0; i < 500; i += 1) buckets.charge(`10.0.0.${String(i)}`, 'a');
  t.ok(buckets.size() <= 102);
  t.ok(buckets.exhausted('attacker', 'a') > 0, 'still known');
  clock.ms += 3_600_000 * 24;
  buckets.charge('new', 'a');
  t.equal(buckets.exhausted('new', 'a'), 0);
  t.ok(buckets.size() < 10, 'full buckets were forgotten');
});

t.test('KY-13 50 first uses at once share one computation', async (t) => {
  const { text, entry } = await madeKey();
  const { ask, verifier } = bench({ entries: [entry], perMinute: 3, perMinutePerKey: 2 });
  const codes = await Promise.all(Array.from({ length: 50 }, () => codeOf(ask(bearer(text)))));
  t.strictSame(new Set(codes), new Set(['pass']));
  t.equal(verifier.stats.hashes, 1);
});

t.test('many valid keys at once from one address spend no failures', async (t) => {
  const made = await Promise.all(Array.from({ length: 12 }, () => madeKey()));
  const { ask } = bench({ entries: made.map(({ entry }) => entry), perMinute: 2, perMinutePerKey: 2 });
  const codes = await Promise.all(made.map(({ text }) => codeOf(ask(bearer(text)))));
  t.strictSame(new Set(codes), new Set(['pass']));
});

t.test('one address has no more attempts under way than it may fail; another one gets its place', async (t) => {
  const victim = await madeKey();
  const others = await Promise.all(Array.from({ length: 30 }, () => madeKey()));
  const entries = [victim.entry, ...others.map(({ entry }) => entry)];
  const { ask, verifier } = bench({ entries, perMinute: 30, perMinutePerKey: 10, queue: 12 });
  const wrong = (): string =>
    sealed(`engram_key_${victim.entry.id}${newKey('engram_key').text.slice('engram_key_'.length + 16, -6)}`);
  const flood = Array.from({ length: 400 }, () => codeOf(ask(bearer(wrong(), '127.0.0.5'))));
  await Promise.resolve();
  t.ok(verifier.stats.waiting + verifier.stats.running <= 10, 'ten may fail, so ten are under way');
  t.equal(await codeOf(ask(bearer(victim.text, '127.0.0.6'))), 'pass', 'a first use from elsewhere is not turned away');
  const codes = await Promise.all(flood);
  t.equal(codes.filter((code) => code === 'identify.unauthenticated').length, 10);
  t.equal(codes.filter((code) => code === 'identify.too-many-failures').length, 390);
  const fleet = bench({ entries, perMinute: 30, perMinutePerKey: 10 });
  const passes = others.map(({ text }) => codeOf(fleet.ask(bearer(text, '127.0.0.7'))));
  t.strictSame(new Set(await Promise.all(passes)), new Set(['pass']), '30 valid keys at once');
  t.equal(await codeOf(fleet.ask(bearer(wrong(), '127.0.0.7'))), 'identify.unauthenticated', 'and nothing was charged');
});

t.test('a claim is given back unless the attempt failed', async (t) => {
  const failures = createFailureBuckets({ perMinute: 3, perMinutePerKey: 2, waitingPerAddress: 256 }, new FakeClock());
  const first = await failures.claim('a', 'k');
  const second = await failures.claim('a', 'k');
  const waiting = failures.claim('a', 'k');
  t.ok(await failures.claim('b', 'k'), 'another address has its own');
  t.equal(await Promise.race([waiting, Promise.resolve('waits')]), 'waits');
  first?.end(false);
  const third = await waiting;
  t.ok(third, 'what came back is taken by the one that waited');
  second?.end(true);
  t.equal(failures.exhausted('a', 'k'), 0);
  const last = failures.claim('a', 'k');
  t.equal(await Promise.race([last, Promise.resolve('waits')]), 'waits', 'one failed and one is under way');
  third?.end(true);
  t.equal(await last, null, 'used up: nothing to wait for');
});

t.test('attempts of one address that wait for its own others have a bound', async (t) => {
  const failures = createFailureBuckets({ perMinute: 1, perMinutePerKey: 1, waitingPerAddress: 2 }, new FakeClock());
  const first = await failures.claim('a', 'k');
  const waiting = [failures.claim('a', 'k'), failures.claim('a', 'k')];
  t.equal(await failures.claim('a', 'k'), null, 'a third one is told at once');
  t.ok(await failures.claim('b', 'k'), 'another address is not touched');
  for (const claim of [first, ...waiting]) (await claim)?.end(false);
  t.ok(await failures.claim('a', 'k'), 'those that waited had their turn');
});

t.test('a full queue answers busy and does not grow', async (t) => {
  const { ask, verifier } = bench({ queue: 2 });
  const codes = await Promise.all(Array.from({ length: 10 }, () => codeOf(ask(bearer(newKey('kor').text)))));
  t.equal(codes.filter((code) => code === 'identify.busy').length, 7);
  t.equal(verifier.stats.hashes, 3);
  t.equal(await codeOf(ask(bearer(newKey('kor').text))), 'identify.unauthenticated', 'and works on');
});

t.test('a rotated key is deprecated in its grace period and dead after it', async (t) => {
  const clock = new FakeClock();
  const { text, entry } = await madeKey({ rotation: { replacedBy: 'a'.repeat(16), graceUntilMs: clock.ms + 1_000 } });
  const { ask, clock: now, count, used } = bench({ entries: [entry] });
  const identity = await ask(bearer(text));
  t.equal(identity.ok && identity.value.subject.deprecated, true);
  t.equal(count('deprecatedKeyUse'), 1);
  t.strictSame(used, [[entry.id, true]]);
  now.ms += 1_000;
  t.equal(await codeOf(ask(bearer(text))), 'identify.unauthenticated');
  t.match(identity.ok && identity.value.live(), { code: 'identify.unauthenticated' });
});

t.test('modes: none knows nobody, and a mode that is off verifies nothing', async (t) => {
  const { text, entry } = await madeKey();
  const open = bench({ modes: ['none'], entries: [entry] });
  const answer = open.ask(bearer(text));
  t.ok(
    !(answer instanceof Promise) &&
      answer.ok &&
      answer.value.subject.kind === 'anonymous' &&
      answer.value.live() === null,
  );
  const tokensOnly = bench({ modes: ['static_token'], entries: [entry] });
  t.equal(await codeOf(tokensOnly.ask(bearer(text))), 'identify.unauthenticated');
  t.equal(tokensOnly.verifier.stats.hashes, 0);
});

t.test('a static token is an identity until it is replaced; it is never tried as a key', async (t) => {
  const entry = { spec: { id: 'ci', permissions: ['MemoryRead'], roles: [], spaces: ['alpha'] } };
  let current: typeof entry | undefined = entry;
  const tokens: StaticTokens = {
    ...noTokens,
    find: (token) => (token === 'the-token-of-the-tests' ? current : undefined),
    current: () => current,
  };
  const { ask, verifier } = bench({ modes: ['static_token', 'api_key'], tokens });
  const answer = await ask(bearer('the-token-of-the-tests'));
  t.match(answer.ok && answer.value.subject, { kind: 'static_token', id: 'ci', spaces: ['alpha'], owner: null });
  t.equal(answer.ok && answer.value.live(), null);
  current = { ...entry };
  t.match(answer.ok && answer.value.live(), { code: 'identify.unauthenticated' });
  t.equal(await codeOf(ask(bearer('another-token-of-the-tests'))), 'identify.unauthenticated');
  t.equal(verifier.stats.hashes, 0);
  t.equal(
    await codeOf(bench({ modes: ['api_key'], tokens }).ask(bearer('the-token-of-the-tests'))),
    'identify.unauthenticated',
  );
});

t.test('guesses at static tokens are counted like guesses at keys, and never against the right token', async (t) => {
  const entry = { spec: { id: 'ci', permissions: ['MemoryRead'], roles: [], spaces: ['alpha'] } };
  const tokens: StaticTokens = { ...noTokens, find: (token) => (token === 'right-token' ? entry : undefined) };
  const made = await madeKey();
  const { ask, clock, count } = bench({
    modes: ['static_token', 'api_key'],
    tokens,
    entries: [made.entry],
    perMinute: 3,
    perMinutePerKey: 2,
  });
  const codes: string[] = [];
  for (let n = 0; n < 5; n += 1) codes.push(await codeOf(ask(bearer(`guess-${String(n)}`, '127.0.0.5'))));
  t.strictSame(codes, [
    ...Array<string>(3).fill('identify.unauthenticated'),
    ...Array<string>(2).fill('identify.too-many-failures'),
  ]);
  t.equal(count('authAttempt failure throttled'), 2);
  t.equal((await refusalOf(ask(bearer('guess', '127.0.0.5'))))?.retryAfterS, 20);
  t.equal(await codeOf(ask(bearer('right-token', '127.0.0.5'))), 'pass', 'the right token is never refused');
  t.equal(
    await codeOf(ask(bearer(made.text, '127.0.0.5'))),
    'identify.too-many-failures',
    'one budget for all guesses',
  );
  t.equal(await codeOf(ask(bearer('guess', '127.0.0.6'))), 'identify.unauthenticated', 'others are not touched');
  clock.ms += 20_000;
  t.equal(await codeOf(ask(bearer('guess', '127.0.0.5'))), 'identify.unauthenticated');
});

t.test('ring: revocation at runtime wins over manifests and survives them', async (t) => {
  const clock = new FakeClock();
  const ring = createKeyRing(clock);
  const entry = plainEntry('m'.repeat(16), {
    source: { kind: 'manifest', file: 'keys.yaml' },
    spaces: ['beta', 'gamma'],
  });
  ring.replaceManifests([entry]);
  const before = ring.grantedSpaces();
  t.strictSame([...before], ['beta', 'gamma']);
  t.equal(ring.grantedSpaces(), before, 'the same set until something changes');
  ring.revoke(entry.id, { atMs: 5, reason: 'stolen' });
  t.strictSame([...ring.grantedSpaces()], []);
  ring.replaceManifests([entry]);
  t.strictSame(ring.find(entry.id)?.revoked, { atMs: 5, reason: 'stolen' });
  t.throws(() => {
    ring.replaceStore([plainEntry(entry.id)]);
  }, /in a manifest and in the store/);
  t.throws(() => {
    ring.put(plainEntry(entry.id));
  }, /in a manifest and in the store/);
  t.equal(ring.size(), 1);
  ring.put(plainEntry('s'.repeat(16), { spaces: ['delta'], expiresAtMs: clock.ms + 10 }));
  t.strictSame([...ring.grantedSpaces()], ['delta']);
  clock.ms += 10;
  t.strictSame([...ring.grantedSpaces()], [], 'a key that has expired grants nothing');
  ring.put(plainEntry('t'.repeat(16), { spaces: ['*'] }));
  t.strictSame([...ring.grantedSpaces()], [], '* makes nothing known');
});

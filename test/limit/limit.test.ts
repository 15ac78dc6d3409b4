import fc from 'fast-check';
import t from 'tap';
import type { LimitKeyPart, LimitSpec } from '../../src/model/decision.js';
import type { Meter } from '../../src/model/meter.js';
import { Identity, Permit, Target } from '../../src/model/proofs.js';
import { CleanRequest, type RawRequest, type RequestBody } from '../../src/model/request.js';
import { anonymous } from '../../src/model/subject.js';
import type { SpaceSet } from '../../src/model/target.js';
import type { Trail } from '../../src/model/trail.js';
import { createBuckets, createLimit, type Buckets } from '../../src/limit/limit.js';
import { freePlace } from '../../src/model/place.js';

interface Who {
  readonly limits: readonly LimitSpec[];
  readonly client?: string;
  readonly subject?: string;
  readonly kind?: 'api_key' | 'static_token';
  readonly route?: string;
  readonly spaces?: Partial<SpaceSet>;
}

const body: RequestBody = {
  framing: 'none',
  length: null,
  collect: () => Promise.reject(new Error('not read')),
  stream: () => {
    throw new Error('not read');
  },
  isComplete: true,
  received: 0,
  discard: () => Promise.resolve(),
};

function permitOf({
  limits,
  client = '10.0.0.1',
  subject = 'k1',
  kind = 'api_key',
  route = 'memories.recall',
  spaces = { ids: ['alpha'] },
}: Who): Permit {
  const request = CleanRequest.passed({
    id: 'r',
    receivedAtMs: 0,
    startedMs: 0,
    method: 'GET',
    path: '/',
    query: [],
    headers: [],
    host: 'h',
    clientAddress: client,
    clientRequestId: null,
    userAgent: null,
    expectsContinue: false,
    place: freePlace,
    body,
  });
  const target = Target.resolved(request, {
    route: { id: route, action: 'memory:read', permission: 'MemoryRead', class: 'content', stream: null },
    params: {},
    spaces: { all: false, ids: [], unknown: [], explicit: true, ...spaces },
    tool: null,
    answer: null,
    isLookedUp: false,
    rpc: null,
    forwardTarget: '/',
    dropHeaders: new Set(),
    setHeaders: [],
    body: null,
  });
  const decision = {
    allow: true as const,
    reasons: [],
    missing: [],
    tier: 'pro',
    limits,
    obligations: { audit: 'info' as const },
  };
  return Permit.grant(
    Identity.verified({ ...anonymous, kind, id: subject }, () => null),
    target,
    { decision, input: '{}' },
  );
}

const raw: RawRequest = {
  id: 'r',
  receivedAtMs: 0,
  startedMs: 0,
  method: 'GET',
  target: '/',
  httpVersion: '1.1',
  rawHeaders: [],
  peerAddress: '10.0.0.1',
  place: freePlace,
  body,
};
const trailOf = (): Trail => ({
  raw,
  generation: 'g',
  enforcement: 'enforce',
  stated: null,
  request: null,
  subject: null,
  target: null,
  decision: null,
  input: null,
  limit: null,
  standing: null,
});

const spec = (key: readonly LimitKeyPart[], more: Partial<LimitSpec> = {}): LimitSpec => ({
  id: 'l',
  key,
  algorithm: 'token_bucket',
  rate: 10,
  per: 1,
  burst: 5,
  cost: 1,
  ...more,
});

function stage(options: { system?: { rate: number; burst: number }; buckets?: Buckets } = {}) {
  const time = { wallMs: 1_790_000_000_000, monotonicMs: 5_000_000.25 };
  const hits: string[] = [];
  const meter = { limitHit: (limit: string, tier: string) => hits.push(`${limit} ${tier}`) } as unknown as Meter;
  const limit = createLimit({
    buckets: options.buckets ?? createBuckets({ maxBuckets: 10_000 }),
    clock: { nowMs: () => time.wallMs, monotonicMs: () => time.monotonicMs },
    meter,
    system: options.system ?? null,
  });
  const isAdmitted = (who: Who): boolean => limit(permitOf(who), trailOf()).ok;
  return { limit, isAdmitted, time, hits };
}

t.test('LM-01: 10 a second with burst 5: 5 of 100 at once, then 10 a second', async (t) => {
  const { isAdmitted, time } = stage();
  const who = { limits: [spec(['subject'])] };
  const admitted = (count: number): number =>
    Array.from({ length: count }, () => isAdmitted(who)).filter(Boolean).length;
  t.equal(admitted(100), 5);
  for (let second = 0; second < 10; second += 1) {
    let within = 0;
    for (let request = 0; request < 20; request += 1) {
      time.monotonicMs += 50;
      within += admitted(1);
    }
    t.ok(within >= 9 && within <= 11, `${String(within)} in second ${String(second)}`);
  }
});

t.test('limit() notes the standing and tells when to come back', async (t) => {
  const { limit, time, hits } = stage();
  const permit = permitOf({
    limits: [spec(['subject'], { id: 'slow', rate: 2, per: 60, burst: 2 }), spec(['subject'], { id: 'wide' })],
  });
  const trail = trailOf();
  const first = limit(permit, trail);
  t.match(first, {
    ok: true,
    value: { permit, limit: { id: 'slow', limit: 2, perS: 60, remaining: 1, resetAtS: 1_790_000_030 } },
  });
  t.strictSame(trail.limit, first.ok && first.value.limit);
  limit(permit, trail);
  time.monotonicMs += 100;
  t.match(limit(permit, trail), {
    ok: false,
    why: { code: 'limit.exceeded', retryAfterS: 30, detail: 'limit slow is used up' },
  });
  t.strictSame(trail.limit, { id: 'slow', limit: 2, perS: 60, remaining: 0, resetAtS: 1_790_000_060 });
  t.strictSame(hits, ['slow pro']);
  time.monotonicMs += 29_899;
  t.match(limit(permit, trail), { ok: false, why: { retryAfterS: 1 } }, 'never 0');
  time.monotonicMs += 1.001;
  t.ok(limit(permit, trail).ok);
});

t.test('LM-11: a cost that can never fit is told, without a time to come back', async (t) => {
  const { limit, hits } = stage();
  const trail = trailOf();
  for (const one of [
    spec(['subject'], { cost: 6 }),
    spec(['subject'], { algorithm: 'sliding_window', burst: null, cost: 11 }),
  ]) {
    const answer = limit(permitOf({ limits: [spec(['subject'], { id: 'other' }), one] }), trail);
    t.match(answer, { ok: false, why: { code: 'limit.cost', detail: /cost (6 is over 5|11 is over 10)/ } });
    t.notOk(!answer.ok && 'retryAfterS' in answer.why);
  }
  t.match(trail.limit, { remaining: 5 }, 'nothing was taken from the other');
  t.strictSame(hits, ['l pro', 'l pro']);
});

t.test('a tier without limits is admitted and has no standing', async (t) => {
  const { limit } = stage();
  const trail = trailOf();
  t.match(limit(permitOf({ limits: [] }), trail), { ok: true, value: { limit: null } });
  t.equal(trail.limit, null);
});

t.test('the system limit counts everybody, and is taken with the others or not at all', async (t) => {
  const { limit, isAdmitted, time } = stage({ system: { rate: 1, burst: 3 } });
  const spent = { limits: [spec(['subject'], { rate: 1, per: 3600, burst: 1 })] };
  t.ok(isAdmitted(spent));
  for (let index = 0; index < 10; index += 1) t.notOk(isAdmitted(spent));
  t.ok(isAdmitted({ limits: [], subject: 'k2' }));
  t.ok(isAdmitted({ limits: [], subject: 'k3' }));
  const trail = trailOf();
  t.match(limit(permitOf({ limits: [], subject: 'k4' }), trail), {
    ok: false,
    why: { code: 'limit.exceeded', retryAfterS: 1 },
  });
  t.match(trail.limit, { id: 'system', limit: 1, perS: 1, remaining: 0 });
  time.monotonicMs += 1000;
  t.ok(isAdmitted({ limits: [], subject: 'k4' }));
});

t.test('steps of the wall clock change nothing', async (t) => {
  const { isAdmitted, time } = stage();
  const who = { limits: [spec(['subject'], { rate: 1, per: 3600, burst: 2 })] };
  t.ok(isAdmitted(who));
  time.wallMs += 3_600_000;
  t.ok(isAdmitted(who));
  t.notOk(isAdmitted(who));
  time.wallMs -= 7_200_000;
  t.notOk(isAdmitted(who));
  time.monotonicMs += 3_600_000;
  t.ok(isAdmitted(who));
});

t.test('a new generation over the same buckets gives nobody fresh units', async (t) => {
  const buckets = createBuckets({ maxBuckets: 100 });
  const who = { limits: [spec(['subject'], { burst: 1 })] };
  t.ok(stage({ buckets }).isAdmitted(who));
  t.notOk(stage({ buckets }).isAdmitted(who));
});

const once = { burst: 1, rate: 1, per: 3600 };
const pairs: {
  name: string;
  key: readonly LimitKeyPart[];
  one: Omit<Who, 'limits'>;
  other: Omit<Who, 'limits'>;
  shared: boolean;
}[] = [
  { name: 'clients', key: ['client'], one: { client: '10.0.0.1' }, other: { client: '10.0.0.2' }, shared: false },
  {
    name: 'addresses of one /64',
    key: ['client'],
    one: { client: '2001:db8::1' },
    other: { client: '2001:db8::ffff:0:2' },
    shared: true,
  },
  {
    name: 'two /64',
    key: ['client'],
    one: { client: '2001:db8::1' },
    other: { client: '2001:db8:0:1::1' },
    shared: false,
  },
  { name: 'subjects of one client', key: ['client'], one: { subject: 'a' }, other: { subject: 'b' }, shared: true },
  { name: 'subjects', key: ['subject'], one: { subject: 'a' }, other: { subject: 'b' }, shared: false },
  {
    name: 'kinds of subject',
    key: ['subject'],
    one: { kind: 'api_key' },
    other: { kind: 'static_token' },
    shared: false,
  },
  { name: 'routes', key: ['subject', 'route'], one: { route: 'a' }, other: { route: 'b' }, shared: false },
  {
    name: 'LM-08: a:b in c, and a in b:c',
    key: ['subject', 'space'],
    one: { subject: 'a:b', spaces: { ids: ['c'] } },
    other: { subject: 'a', spaces: { ids: ['b:c'] } },
    shared: false,
  },
  {
    name: 'SP-24: a&b in c, and a in b&c',
    key: ['subject', 'space'],
    one: { subject: 'a&b', spaces: { ids: ['c'] } },
    other: { subject: 'a', spaces: { ids: ['b&c'] } },
    shared: false,
  },
  {
    name: 'every space, and one named every',
    key: ['space'],
    one: { spaces: { all: true } },
    other: { spaces: { ids: ['every'] } },
    shared: false,
  },
  {
    name: 'no space, and one named none',
    key: ['space'],
    one: { spaces: {} },
    other: { spaces: { ids: ['none'] } },
    shared: false,
  },
  {
    name: 'two sets with a common space',
    key: ['space'],
    one: { spaces: { ids: ['a', 'b'] } },
    other: { spaces: { ids: ['b', 'c'] } },
    shared: true,
  },
  {
    name: 'everything',
    key: ['system'],
    one: { subject: 'a', client: 'x', spaces: { all: true } },
    other: { subject: 'b', client: 'y' },
    shared: true,
  },
];
for (const { name, key, one, other, shared } of pairs) {
  t.test(`buckets are ${shared ? 'shared' : 'separate'}: ${name}`, async (t) => {
    const { isAdmitted } = stage();
    const limits = [spec(key, once)];
    t.ok(isAdmitted({ ...one, limits }));
    t.equal(isAdmitted({ ...other, limits }), !shared);
    t.notOk(isAdmitted({ ...one, limits }), 'the first stays used up');
  });
}

t.test('limits that differ in any part of their definition have separate buckets', async (t) => {
  const base = spec(['subject'], once);
  const { isAdmitted } = stage();
  t.ok(isAdmitted({ limits: [base] }));
  const different: Partial<LimitSpec>[] = [
    { id: 'm' },
    { rate: 2 },
    { per: 1800 },
    { burst: 2 },
    { algorithm: 'sliding_window', burst: null },
    { key: ['subject', 'system'] },
  ];
  for (const more of different) t.ok(isAdmitted({ limits: [{ ...base, ...more }] }), JSON.stringify(more));
  t.notOk(isAdmitted({ limits: [base] }));
  t.notOk(isAdmitted({ limits: [{ ...base }] }), 'an equal definition is the same one');
});

t.test('keys are injective over subjects and spaces of any text', async (t) => {
  const text = fc.oneof(
    fc.string({ maxLength: 6 }),
    fc.stringMatching(/^[0-9:]{0,6}$/),
    fc.string({ unit: 'binary', maxLength: 4 }),
  );
  const seed = 20_261_121;
  t.comment(`fast-check seed ${String(seed)}`);
  const injective = fc.property(text, text, text, text, text, text, (a, b, c, d, e, f) => {
    const { isAdmitted } = stage();
    const limits = [spec(['client', 'subject', 'space'], once)];
    isAdmitted({ limits, client: a, subject: b, spaces: { ids: [c] } });
    const isSame = a === d && b === e && c === f;
    return isAdmitted({ limits, client: d, subject: e, spaces: { ids: [f] } }) !== isSame;
  });
  t.doesNotThrow(() => {
    fc.assert(injective, { seed, numRuns: 500, examples: [['1', ':1', 'x', '1:1', '', 'x']] });
  });
});

import fc from 'fast-check';
import t from 'tap';
import { parseDecision } from '../../src/authorize/parse-decision.js';

const bucket = { id: 'tier', key: ['subject'], algorithm: 'token_bucket', rate: 60, per: 60, burst: 10, cost: 1 };
const sliding = { id: 'route', key: ['subject', 'route'], algorithm: 'sliding_window', rate: 20, per: 60, cost: 0 };
const good = {
  allow: true,
  reasons: [],
  missing: [],
  tier: 'pro',
  limits: [bucket],
  obligations: { audit: 'info', headers: {}, mask: [] },
};
const of = (over: object): unknown => [{ result: { ...good, ...over } }];
const without = (key: string): unknown => [
  { result: Object.fromEntries(Object.entries(good).filter(([name]) => name !== key)) },
];
const limit = (over: object): unknown => of({ limits: [{ ...bucket, ...over }] });
const duty = (over: object): unknown => of({ obligations: { ...good.obligations, ...over } });

t.test('parseDecision() reads a clear yes', async (t) => {
  t.strictSame(parseDecision(of({})), {
    allow: true,
    reasons: [],
    missing: [],
    tier: 'pro',
    limits: [bucket],
    obligations: { audit: 'info' },
  });
});

t.test('parseDecision() sorts what were sets, and keeps the order of limits', async (t) => {
  const decision = parseDecision(
    of({
      allow: false,
      reasons: ['z.z', 'a.b', 'm.n'],
      missing: ['MemoryWrite', 'MemoryRead'],
      limits: [sliding, bucket],
    }),
  );
  t.strictSame(decision.reasons, ['a.b', 'm.n', 'z.z']);
  t.strictSame(decision.missing, ['MemoryRead', 'MemoryWrite']);
  t.strictSame(decision.limits, [{ ...sliding, burst: null }, bucket]);
});

t.test('PE-01 parseDecision() takes an undefined rule for a no', async (t) => {
  const decision = parseDecision([]);
  t.equal(decision.allow, false);
  t.strictSame(decision.reasons, ['policy.undefined']);
});

const malformed: Record<string, unknown> = {
  'no list': { result: good },
  undefined: undefined,
  'two results': [{ result: good }, { result: good }],
  'no result': [{}],
  'a null result': [null],
  'the text "true"': [{ result: 'true' }],
  'the number 1': [{ result: 1 }],
  'true itself': [{ result: true }],
  'an empty object': [{ result: {} }],
  'a list': [{ result: [] }],
  'only allow': [{ result: { allow: true } }],
  'allow "yes"': of({ allow: 'yes' }),
  'allow "true"': of({ allow: 'true' }),
  'allow 1': of({ allow: 1 }),
  'allow {}': of({ allow: {} }),
  'allow null': of({ allow: null }),
  'an unknown field': of({ mask: ['x'] }),
  'yes with a reason': of({ reasons: ['space.forbidden'] }),
  'yes with a missing permission': of({ missing: ['MemoryRead'] }),
  'reasons that are a text': of({ allow: false, reasons: 'space.forbidden' }),
  'a reason that is not a code': of({ allow: false, reasons: ['Nobody may.'] }),
  'a reason with a line feed': of({ allow: false, reasons: ['a.b\n'] }),
  'a reason that is a number': of({ allow: false, reasons: [1] }),
  'a long reason': of({ allow: false, reasons: [`a.${'b'.repeat(64)}`] }),
  'too many reasons': of({ allow: false, reasons: Array.from({ length: 65 }, (_, n) => `a.b${String(n)}`) }),
  'a missing permission with markup': of({ allow: false, missing: ['<b>'] }),
  'a tier that is null': of({ tier: null }),
  'a tier with a space': of({ tier: 'a b' }),
  'limits that are an object': of({ limits: {} }),
  'a limit that is null': of({ limits: [null] }),
  'two limits of one id': of({ limits: [bucket, bucket] }),
  'an unknown algorithm': limit({ algorithm: 'leaky' }),
  'an unknown key part': limit({ key: ['planet'] }),
  'a key part twice': limit({ key: ['subject', 'subject'] }),
  'an empty key': limit({ key: [] }),
  'a key that is a text': limit({ key: 'subject' }),
  'rate 0': limit({ rate: 0 }),
  'a negative rate': limit({ rate: -1 }),
  'a rate that is a text': limit({ rate: '60' }),
  'rate NaN': limit({ rate: NaN }),
  'an endless rate': limit({ rate: Infinity }),
  'per 0': limit({ per: 0 }),
  'a negative cost': limit({ cost: -1 }),
  'no cost': limit({ cost: undefined }),
  'a token bucket without burst': limit({ burst: null }),
  'burst 0': limit({ burst: 0 }),
  'a sliding window with burst': limit({ algorithm: 'sliding_window' }),
  'an unknown field of a limit': limit({ tokens: 1 }),
  'a limit without id': limit({ id: '' }),
  'an unknown audit level': duty({ audit: 'loud' }),
  'no audit level': duty({ audit: undefined }),
  'PE-11 a mask': duty({ mask: ['x'] }),
  'a mask that is an object': duty({ mask: {} }),
  'a header': duty({ headers: { 'X-A': 'b' } }),
  'headers that are a list': duty({ headers: [] }),
  'an unknown duty': duty({ notify: 'me' }),
  'obligations that are null': of({ obligations: null }),
};

for (const [name, results] of Object.entries(malformed)) {
  t.test(`PE-02 parseDecision() faults on ${name}`, async (t) => {
    t.throws(() => parseDecision(results), { code: 'policy.failed' });
  });
}

for (const key of Object.keys(good)) {
  t.test(`PE-02 parseDecision() faults without ${key}`, async (t) => {
    t.throws(() => parseDecision(without(key)), { code: 'policy.failed' });
  });
}

t.test('parseDecision() never allows anything but the documented object', async (t) => {
  const seed = Date.now() & 0x7fffffff;
  t.comment(`seed ${String(seed)}`);
  const leaf = fc.oneof(fc.jsonValue(), fc.constantFrom(true, 'true', 1, [], {}, 'yes'));
  const answer = fc.record(
    { allow: leaf, reasons: leaf, missing: leaf, tier: leaf, limits: leaf, obligations: leaf },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(fc.oneof(leaf, answer), (result) => {
      try {
        const { allow } = parseDecision([{ result }]);
        return !allow || (result as { allow: unknown }).allow === true;
      } catch (error) {
        return (error as { code?: string }).code === 'policy.failed';
      }
    }),
    { seed, numRuns: 2_000 },
  );
});

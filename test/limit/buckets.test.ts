import fc from 'fast-check';
import t from 'tap';
import type { LimitSpec } from '../../src/model/decision.js';
import { createBuckets, type Demand } from '../../src/limit/limit.js';

const bucket = (rate: number, per: number, burst: number, cost = 1): LimitSpec => ({
  id: 'tier',
  key: ['subject'],
  algorithm: 'token_bucket',
  rate,
  per,
  burst,
  cost,
});
const window = (rate: number, per: number, cost = 1): LimitSpec => ({
  id: 'route',
  key: ['subject'],
  algorithm: 'sliding_window',
  rate,
  per,
  burst: null,
  cost,
});
const demand = (limit: LimitSpec, key = 'k'): Demand => ({
  limit,
  definition: `${limit.id}:${limit.algorithm}`,
  key: `${limit.id}:${key}`,
});
const seed = Number(process.env['FAST_CHECK_SEED'] ?? 20_261_121);
const property = { seed, verbose: 1 as const };
t.comment(`fast-check seed ${String(seed)}`);

/** Units admitted at each moment, for a trace of (gap in ms, cost). */
function run(
  limit: LimitSpec,
  trace: readonly { gapMs: number; cost: number }[],
  startMs: number,
): { atMs: number; units: number }[] {
  const buckets = createBuckets({ maxBuckets: 16 });
  const admitted: { atMs: number; units: number }[] = [];
  let atMs = startMs;
  for (const { gapMs, cost } of trace) {
    atMs += gapMs;
    if (buckets.take([demand({ ...limit, cost })], atMs).taken) admitted.push({ atMs, units: cost });
  }
  return admitted;
}

const trace = fc.array(
  fc.record({
    gapMs: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 50 }), fc.integer({ min: 0, max: 20_000 })),
    cost: fc.integer({ min: 1, max: 4 }),
  }),
  { minLength: 1, maxLength: 120 },
);
const start = fc.integer({ min: 0, max: 10_000_000_000 });

t.test('a token bucket admits no more than burst + rate · t in any stretch of t', async (t) => {
  const property_ = fc.property(
    fc.integer({ min: 1, max: 50 }),
    fc.integer({ min: 1, max: 60 }),
    fc.integer({ min: 1, max: 20 }),
    trace,
    start,
    (rate, per, burst, steps, startMs) => {
      const admitted = run(bucket(rate, per, burst), steps, startMs);
      return admitted.every((from, first) => {
        let units = 0;
        return admitted
          .slice(first)
          .every(
            ({ atMs, units: more }) => (units += more) * per * 1000 <= burst * per * 1000 + rate * (atMs - from.atMs),
          );
      });
    },
  );
  t.doesNotThrow(() => {
    fc.assert(property_, property);
  });
});

t.test('a token bucket refuses nothing that its definition admits', async (t) => {
  // The model: units in the bucket as an exact fraction of rate and per, refilled up to burst.
  const property_ = fc.property(
    fc.integer({ min: 1, max: 50 }),
    fc.integer({ min: 1, max: 60 }),
    fc.integer({ min: 4, max: 20 }),
    trace,
    start,
    (rate, per, burst, steps, startMs) => {
      let level = burst * per * 1000;
      const wanted: number[] = [];
      let atMs = startMs;
      for (const { gapMs, cost } of steps) {
        atMs += gapMs;
        level = Math.min(burst * per * 1000, level + rate * gapMs);
        if (level >= cost * per * 1000) {
          level -= cost * per * 1000;
          wanted.push(atMs);
        }
      }
      return (
        JSON.stringify(run(bucket(rate, per, burst), steps, startMs).map((one) => one.atMs)) === JSON.stringify(wanted)
      );
    },
  );
  t.doesNotThrow(() => {
    fc.assert(property_, property);
  });
});

t.test('a sliding window admits no more than rate in any stretch of per seconds', async (t) => {
  const property_ = fc.property(
    fc.integer({ min: 1, max: 30 }),
    fc.integer({ min: 1, max: 60 }),
    trace,
    start,
    (rate, per, steps, startMs) => {
      const admitted = run(window(rate, per), steps, startMs);
      return admitted.every(({ atMs: from }) => {
        const within = admitted.filter(({ atMs }) => atMs >= from && atMs < from + per * 1000);
        return within.reduce((sum, { units }) => sum + units, 0) <= rate;
      });
    },
  );
  t.doesNotThrow(() => {
    fc.assert(property_, property);
  });
});

t.test('what is told as the wait is enough, and a moment less is not', async (t) => {
  const limits = fc.oneof(
    fc
      .tuple(fc.integer({ min: 1, max: 50 }), fc.integer({ min: 1, max: 60 }), fc.integer({ min: 1, max: 20 }))
      .map(([rate, per, burst]) => bucket(rate, per, burst)),
    fc.tuple(fc.integer({ min: 1, max: 30 }), fc.integer({ min: 1, max: 60 })).map(([rate, per]) => window(rate, per)),
  );
  const property_ = fc.property(limits, start, fc.integer({ min: 0, max: 3000 }), (limit, startMs, gapMs) => {
    const fill = (): { buckets: ReturnType<typeof createBuckets>; waitMs: number; atMs: number } => {
      const buckets = createBuckets({ maxBuckets: 16 });
      for (let step = 0; ; step += 1) {
        const atMs = startMs + (step === 0 ? 0 : gapMs);
        const result = buckets.take([demand(limit)], atMs);
        if (!result.taken) return { buckets, waitMs: result.waitMs, atMs };
      }
    };
    const early = fill();
    const late = fill();
    const tooSoon = early.waitMs > 1 && early.buckets.take([demand(limit)], early.atMs + early.waitMs - 0.5).taken;
    return !tooSoon && late.buckets.take([demand(limit)], late.atMs + late.waitMs + 0.002).taken;
  });
  t.doesNotThrow(() => {
    fc.assert(property_, { ...property, numRuns: 60 });
  });
});

t.test('all limits are taken, or none', async (t) => {
  const property_ = fc.property(
    fc.array(fc.tuple(fc.integer({ min: 1, max: 6 }), fc.integer({ min: 1, max: 3 })), { minLength: 1, maxLength: 5 }),
    (sizes) => {
      const buckets = createBuckets({ maxBuckets: 100 });
      const demands = sizes.map(([burst, cost], index) =>
        demand({ ...bucket(1, 3600, burst, cost), id: `l${String(index)}` }),
      );
      const alone = (index: number): number => {
        const result = buckets.take([{ ...demands[index]!, limit: { ...demands[index]!.limit, cost: 0 } }], 0);
        return result.tightest?.remaining ?? NaN;
      };
      let times = 0;
      while (buckets.take(demands, 0).taken) times += 1;
      const fits = Math.min(...sizes.map(([burst, cost]) => Math.floor(burst / cost)));
      return times === fits && sizes.every(([burst, cost], index) => alone(index) === burst - cost * times);
    },
  );
  t.doesNotThrow(() => {
    fc.assert(property_, property);
  });
});

t.test('claims of one request on one bucket add up', async (t) => {
  const buckets = createBuckets({ maxBuckets: 16 });
  const one = demand(bucket(1, 1, 3));
  t.ok(buckets.take([one, one], 0).taken);
  t.notOk(buckets.take([one, one], 0).taken, 'two do not fit into the one that is left');
  t.ok(buckets.take([one], 0).taken);
});

t.test('the standing is that of the smallest share, and the wait that of the longest', async (t) => {
  const buckets = createBuckets({ maxBuckets: 16 });
  const slow = demand({ ...bucket(1, 60, 2), id: 'slow' });
  const wide = demand({ ...bucket(1, 10, 100), id: 'wide' });
  t.match(buckets.take([wide, slow], 0), {
    taken: true,
    tightest: { limit: { id: 'slow' }, remaining: 1, fullInMs: 60_000 },
  });
  buckets.take([wide, slow], 0);
  t.match(buckets.take([wide, slow], 0), {
    taken: false,
    blocking: { id: 'slow' },
    waitMs: 60_000,
    tightest: { limit: { id: 'slow' }, remaining: 0, fullInMs: 120_000 },
  });
  const windows = createBuckets({ maxBuckets: 16 });
  windows.take([demand(window(1, 10))], 500);
  t.match(
    windows.take([demand(window(1, 10))], 2000),
    { taken: false, waitMs: 9000, tightest: { remaining: 0, fullInMs: 9000 } },
    'the sub-window 0–1 s leaves at 11 s',
  );
});

const senseless: { name: string; limit: LimitSpec }[] = [
  { name: 'cost over burst', limit: bucket(10, 1, 5, 6) },
  { name: 'cost over the window', limit: window(5, 1, 6) },
  { name: 'a rate of 0', limit: bucket(0, 1, 5) },
  { name: 'a window of 0 s', limit: window(5, 0) },
  { name: 'a negative cost', limit: bucket(10, 1, 5, -1) },
  { name: 'a cost that is no number', limit: bucket(10, 1, 5, NaN) },
  { name: 'a rate that is no number', limit: bucket(NaN, 1, 5) },
];
for (const { name, limit } of senseless) {
  t.test(`take() never admits ${name}, and says so`, async (t) => {
    const buckets = createBuckets({ maxBuckets: 16 });
    t.match(buckets.take([demand(limit)], 1000), { taken: false, waitMs: Infinity });
    t.match(buckets.take([demand(limit)], 1e12), { taken: false, waitMs: Infinity });
    for (let index = 0; index < 40; index += 1)
      buckets.take([demand(bucket(1000, 1, 1), `other ${String(index)}`)], 2e12 + index * 1000);
    t.ok(buckets.size() < 16, 'and its bucket can be forgotten');
  });
}

t.test('a step back of the clock gives nothing and locks nobody out', async (t) => {
  const buckets = createBuckets({ maxBuckets: 16 });
  const one = demand(bucket(1, 1, 2));
  t.ok(buckets.take([one], 10_000).taken);
  t.ok(buckets.take([one], 5000).taken);
  t.notOk(buckets.take([one], 4000).taken);
  t.ok(buckets.take([one], 11_000).taken);
});

t.test('beyond maxBuckets new keys share one bucket that admits no more than its definition', async (t) => {
  const buckets = createBuckets({ maxBuckets: 16 });
  const limit = bucket(1, 3600, 3);
  for (let index = 0; index < 16; index += 1) t.ok(buckets.take([demand(limit, `early ${String(index)}`)], 0).taken);
  let admitted = 0;
  for (let index = 0; index < 50; index += 1)
    if (buckets.take([demand(limit, `late ${String(index)}`)], 0).taken) admitted += 1;
  t.equal(admitted, 3);
  t.ok(buckets.size() <= 17);
  t.ok(buckets.take([demand(limit, 'early 3')], 0).taken, 'a key with its own bucket is not touched');
});

t.test('a key that leaves the shared bucket does not get its units twice', async (t) => {
  const buckets = createBuckets({ maxBuckets: 16 });
  const short = bucket(1000, 1, 1);
  const limit = { ...bucket(1, 3600, 3), id: 'long' };
  for (let index = 0; index < 16; index += 1) buckets.take([demand(short, String(index))], 0);
  for (let index = 0; index < 3; index += 1) t.ok(buckets.take([demand(limit, 'guest')], 0).taken);
  for (let index = 0; index < 40; index += 1) buckets.take([demand(short, '0')], 1000); // the others are full again and forgotten
  t.ok(buckets.size() < 10);
  t.notOk(buckets.take([demand(limit, 'guest')], 1000).taken);
});

t.test('forgetting never forgets a bucket that is not full', async (t) => {
  const limits = [bucket(1, 1, 2), bucket(1, 7, 3), window(2, 3)];
  const step = fc.record({
    key: fc.integer({ min: 0, max: 30 }),
    kind: fc.integer({ min: 0, max: 2 }),
    gapMs: fc.integer({ min: 0, max: 900 }),
  });
  const property_ = fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
    const small = createBuckets({ maxBuckets: 10_000 });
    // Each key alone in a table of its own: nothing is ever swept there before it is looked up again.
    const alone = new Map<string, ReturnType<typeof createBuckets>>();
    let atMs = 0;
    return steps.every(({ key, kind, gapMs }) => {
      atMs += gapMs;
      const one = demand({ ...limits[kind]!, id: `l${String(kind)}` }, String(key));
      const own = alone.get(one.key) ?? createBuckets({ maxBuckets: 1 });
      alone.set(one.key, own);
      return small.take([one], atMs).taken === own.take([one], atMs).taken;
    });
  });
  t.doesNotThrow(() => {
    fc.assert(property_, property);
  });
});

t.test('a bucket found by a request is not forgotten before that request takes from it', async (t) => {
  const buckets = createBuckets({ maxBuckets: 1000 });
  const limit = bucket(1, 10, 1);
  buckets.take([demand(limit, 'first')], 0);
  // The first is full again; the others of this request are new and make the table sweep.
  const others = Array.from({ length: 30 }, (_, index) => demand(limit, `new ${String(index)}`));
  t.ok(buckets.take([demand(limit, 'first'), ...others], 20_000).taken);
  t.notOk(buckets.take([demand(limit, 'first')], 20_000).taken);
});

t.test('idle buckets are forgotten', async (t) => {
  const buckets = createBuckets({ maxBuckets: 5000 });
  const limit = bucket(100, 1, 1);
  for (let index = 0; index < 5000; index += 1) buckets.take([demand(limit, String(index))], 0);
  t.equal(buckets.size(), 5000);
  for (let index = 0; index < 1000; index += 1)
    buckets.take([demand(limit, `later ${String(index)}`)], 60_000 + index * 20);
  t.ok(buckets.size() < 100, `${String(buckets.size())} left`);
});

import t from 'tap';
import { createAuthorize, type Policy } from '../../src/authorize/authorize.js';
import { createInputWriter } from '../../src/authorize/input.js';
import { systemClock } from '../../src/base/clock.js';
import {
  countingMeter,
  facts,
  fakeClock,
  fixture,
  identity,
  loaded,
  ports,
  request,
  shipped,
  subject,
  target,
  trail,
} from './fixtures/stage.js';

const stage = ({ policy }: { policy: Policy }) =>
  createAuthorize({ policy, readonly: false, clock: fakeClock(), meter: countingMeter().meter });

t.test('a flood of 5000 aborts makes few instances, and every good request between them is answered', async (t) => {
  const counts = countingMeter();
  const odd = await loaded(fixture('misbehaving'), { meter: counts.meter });
  const write = createInputWriter();
  const textOf = (owner: string): string => {
    const text = write({
      subject: subject({ owner }),
      request: request(),
      facts: facts(),
      bytes: null,
      nowMs: 0,
      readonly: false,
    });
    return text.ok ? text.value : '';
  };
  const [good, conflict, illegal] = [textOf('somebody'), textOf('conflict'), textOf('x').replace('"x"', '"\\ud800"')];
  let allowed = 0;
  let failed = 0;
  for (let round = 0; round < 5_000; round += 1) {
    try {
      odd.evaluate(round % 2 === 0 ? conflict : illegal);
    } catch {
      failed += 1;
    }
    if (odd.evaluate(good).allow) allowed += 1;
  }
  t.equal(failed, 5_000);
  t.equal(allowed, 5_000);
  t.strictSame([...new Set(counts.errors)].sort(), ['conflict', 'input']);
  t.ok(counts.replaced() < 250, `${String(counts.replaced())} instances`);
});

t.test('a runaway evaluation ends: by memory, and by time where the input is large', async (t) => {
  const counts = countingMeter();
  const odd = await loaded(fixture('misbehaving'), { meter: counts.meter });
  const claims = Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`c${String(n)}`, `v${String(n)}`]));
  const own = Array.from({ length: 500 }, (_, n) => `space-${String(n)}`);
  const write = createInputWriter();
  for (const [owner, kind] of [
    ['memory', 'memory'],
    ['loop', 'timeout'],
  ] as const) {
    const input = write({
      subject: subject({ owner, spaces: own, claims }),
      request: request(),
      facts: facts(),
      bytes: null,
      nowMs: 0,
      readonly: false,
    });
    if (!input.ok) throw new Error(input.why.detail);
    t.throws(() => odd.evaluate(input.value), { code: 'policy.failed' }, owner);
    t.equal(counts.errors.at(-1), kind);
  }
  t.equal(stage({ policy: odd })(identity(), target(), trail()).ok, true, 'the next request is fine');
});

t.test('memory stays as it is over many evaluations, and an evaluation costs microseconds', async (t) => {
  const real = await loaded(shipped, { clock: systemClock });
  const ask = stage({ policy: real });
  const before = real.memoryBytes();
  const who = identity();
  const what = target();
  const rounds = 20_000;
  const start = process.cpuUsage();
  for (let round = 0; round < rounds; round += 1) ask(who, what, trail());
  const used = process.cpuUsage(start);
  const micros = (used.user + used.system) / rounds;
  t.comment(`${micros.toFixed(1)} µs of CPU per decision`);
  t.equal(real.memoryBytes(), before);
  t.ok(micros < 100, 'a gate against a policy of another order, not a benchmark');
});

t.test('slow evaluations are told, once a second at most', async (t) => {
  const told: string[] = [];
  const slow = fakeClock();
  const clocked = { ...slow, monotonicMs: () => (slow.move(4), slow.monotonicMs()) };
  const log = { ...ports().log, warn: (event: string) => void told.push(event) };
  const real = await loaded(shipped, { log });
  const lazy = await loaded(shipped, {
    log,
    clock: { ...clocked, monotonicMs: () => (slow.move(6), slow.monotonicMs()) },
  });
  t.strictSame(told, []);
  const text = createInputWriter()({
    subject: subject(),
    request: request(),
    facts: facts(),
    bytes: null,
    nowMs: 0,
    readonly: false,
  });
  if (!text.ok) throw new Error(text.why.detail);
  for (let round = 0; round < 10; round += 1) lazy.evaluate(text.value);
  real.evaluate(text.value);
  t.strictSame(told, ['policy.slow']);
});

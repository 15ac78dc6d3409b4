import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { verifyAuditLog } from '../../../src/record/record.js';
import { recall } from '../support/client.js';
import { launcher, leaveOut } from '../support/environment.js';
import { openFaultProxy } from '../support/fault-proxy.js';
import { say, tenths } from '../support/figures.js';
import { Ledger } from '../support/ledger.js';
import { growth, slope, watchProcess, type Sample } from '../support/process-watch.js';
import { makePlace, startProgram } from '../support/program.js';
import { openRecorder } from '../support/recorder.js';
import { soakFaults, upstream, type Victim } from '../support/soak-faults.js';
import { startTraffic, timeQuantile, unexcused, type Window } from '../support/traffic.js';

const minutes = Number(process.env['MEMGATE_SOAK_MINUTES'] ?? 5);
const rate = Number(process.env['MEMGATE_SOAK_RATE'] ?? 500);
const soakMs = minutes * 60_000;
/** One fault a minute; in a short run so often that each has its turn. */
const faultEveryMs = Math.min(60_000, soakMs / (soakFaults.length + 1));
const lastsMs = Math.min(5_000, faultEveryMs / 3);
/** After a fault, what it delayed may still be under way. */
const graceMs = 3_000;
const sampleEveryMs = Math.min(10_000, soakMs / 60);
/** A slope over less time than this is mostly that of the garbage collector: there only the growth in sum is judged. */
const isJudgedBySlope = minutes >= 20;
const warmUpS = isJudgedBySlope ? 600 : soakMs / 3_000;
const slopeMax = 1; // MiB in 10 minutes
const growthMax = 24; // MiB between the first and the last third of a short run
const descriptorsMax = 48; // connections of the agents come and go

/** Does one fault after the other until the time is over. */
async function tornBy(victim: Victim, windows: Window[], t: Test): Promise<string[]> {
  const faults = soakFaults.filter(({ missing }) => missing == null);
  const done: string[] = [];
  const fromMs = performance.now();
  const untilMs = fromMs + soakMs;
  for (let n = 0; performance.now() + faultEveryMs < untilMs; n += 1) {
    await after(faultEveryMs - lastsMs);
    const { name, may, run } = faults[n % faults.length]!;
    const window: Window = { name, may, fromMs: performance.now(), toMs: Infinity };
    windows.push(window);
    const wrong = await run(victim).catch((thrown: unknown) => String(thrown));
    if (wrong !== null) t.fail(`${name}: ${wrong}`);
    t.comment(`progress: ${Math.round((performance.now() - fromMs) / 1_000)} s, ${name}`);
    window.toMs = performance.now() + graceMs;
    done.push(name);
    await after(Math.max(0, lastsMs - (performance.now() - window.fromMs)));
  }
  await after(Math.max(0, untilMs - performance.now()));
  return done;
}

const pointsOf = (samples: readonly Sample[]): { atS: number; value: number }[] =>
  samples.map(({ atS, rssMiB }) => ({ atS, value: rssMiB }));

t.test(`R18: ${minutes} minutes at ${rate} requests/s, one fault each ${faultEveryMs / 1_000} s`, async (t) => {
  for (const { name, missing } of soakFaults) if (missing != null) leaveOut(t, `${name} (${missing})`);
  const recorder = await openRecorder({ keeps: false });
  t.teardown(() => recorder.close());
  const proxy = await openFaultProxy(recorder.url);
  t.teardown(() => proxy.close());
  const place = await makePlace(t, proxy.url, {
    upstream: upstream(proxy.url),
    gateway: { listen: '127.0.0.1:0', headers_timeout_ms: 5_000 },
  });
  const program = await startProgram(t, place, { command: [launcher] });
  const ledger = new Ledger(place.auditDir);
  recorder.onArrival = ({ id }) => {
    ledger.arrived(id);
  };
  const windows: Window[] = [];
  const isCalm = (): boolean => (windows.at(-1)?.toMs ?? 0) < performance.now();
  const load = { gateway: program.gateway, key: place.keys.alpha, rate };
  const traffic = startTraffic({ ...load, streams: 8, streamMs: 20_000, isCalm });
  const watch = watchProcess(program.pid, sampleEveryMs, isCalm);

  const victim: Victim = { place, program, proxy, upstreamUrl: proxy.url, lastsMs };
  const done = await tornBy(victim, windows, t);
  watch.stop();
  await traffic.stop();
  const after20 = await Promise.all(Array.from({ length: 20 }, () => recall(program.gateway, place.keys.alpha)));
  t.strictSame([...new Set(after20.map(({ status }) => status))], [200], 'at the end all is well');
  t.equal(await program.stop(), 0, 'and it stops in order');
  ledger.finish();

  const wrong = unexcused(traffic.misses, [...windows, ...traffic.stalls]);
  t.strictSame(wrong.slice(0, 10), [], 'no request failed but where a fault explains it');
  t.strictSame(ledger.problems, [], 'R1: nothing went upstream without an earlier allow record');
  t.ok(ledger.arrivals > (traffic.sent * 8) / 10, `the load was there: ${ledger.arrivals} of ${traffic.sent}`);
  const verdict = await verifyAuditLog(place.auditDir);
  t.strictSame(verdict.problems, [], 'the chain verifies');

  const warm = watch.samples.filter(({ atS }) => atS >= warmUpS);
  const mibPer10Minutes = slope(pointsOf(warm)) * 600;
  const grownMiB = growth(warm.map(({ rssMiB }) => rssMiB));
  const grownDescriptors = growth(warm.map(({ descriptors }) => descriptors));
  const grownThreads = growth(warm.map(({ threads }) => threads));
  const isFlat = isJudgedBySlope ? mibPer10Minutes <= slopeMax : grownMiB <= growthMax;
  t.ok(isFlat, `memory: ${mibPer10Minutes.toFixed(2)} MiB in 10 minutes, ${grownMiB.toFixed(1)} MiB in sum`);
  t.ok(grownDescriptors <= descriptorsMax, `descriptors: ${grownDescriptors} more`);
  t.ok(grownThreads <= 1, `threads: ${grownThreads} more`);

  for (const { atS, rssMiB, descriptors, threads } of watch.samples.filter((_, n) => n % 6 === 0))
    t.comment(
      `table: ${atS.toFixed(0).padStart(5)} s  ${rssMiB.toFixed(1).padStart(6)} MiB  ${descriptors} descriptors  ${threads} threads`,
    );
  for (const name of new Set(done))
    t.comment(
      `table: ${done.filter((each) => each === name).length} × ${name}: ${traffic.misses.filter((miss) => windows.some((one) => one.name === name && miss.fromMs <= one.toMs && miss.toMs >= one.fromMs)).length} requests failed`,
    );
  say(t, {
    id: 'R18',
    promise: `${minutes} min at ${rate} requests/s with one fault each ${Math.round(faultEveryMs / 1_000)} s: no error that no fault explains, R1 holds, the chain verifies, memory and descriptors flat`,
    method: isJudgedBySlope
      ? 'real program, reads, writes, refusals and streams by the clock; /proc each 10 s; slope by Theil and Sen after minute 10'
      : 'the same, shorter: the growth between the first and the last third after a warm-up of a third is judged, the slope is only told',
    figure: {
      minutes,
      requests: traffic.sent,
      events_of_streams: traffic.events,
      faults: done.length,
      failed_within_faults: traffic.misses.length - wrong.length,
      failed_otherwise: wrong.length,
      stalls_of_the_test: traffic.stalls.length,
      longest_stall_of_the_test_ms: Math.round(Math.max(0, ...traffic.stalls.map(({ fromMs, toMs }) => toMs - fromMs))),
      upstream_requests: ledger.arrivals,
      upstream_requests_without_record: ledger.problems.length,
      outcomes_lost_and_told: ledger.lostOutcomes,
      audit_records: verdict.records,
      chain_problems: verdict.problems.length,
      rss_mib_per_10_minutes: Math.round(mibPer10Minutes * 100) / 100,
      rss_growth_mib: tenths(grownMiB),
      rss_last_mib: tenths(watch.samples.at(-1)?.rssMiB ?? NaN),
      descriptors_growth: grownDescriptors,
      threads_growth: grownThreads,
      calm_p50_ms: timeQuantile(traffic.times, 0.5),
      calm_p99_ms: timeQuantile(traffic.times, 0.99),
    },
    ok: t.passing(),
  });
});

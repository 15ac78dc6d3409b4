import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { verifyAuditLog } from '../../../src/record/record.js';
import { recall } from '../support/client.js';
import { howMany, launcher, leaveOut } from '../support/environment.js';
import { openFaultProxy } from '../support/fault-proxy.js';
import { say } from '../support/figures.js';
import { Ledger } from '../support/ledger.js';
import { makePlace, startProgram, type Program } from '../support/program.js';
import { openRecorder } from '../support/recorder.js';
import { soakFaults, upstream, type Victim } from '../support/soak-faults.js';
import { startTraffic, unexcused, type Window } from '../support/traffic.js';

const lastsMs = howMany(3_000, 500);
const rate = howMany(100, 20);
const isLong = howMany(1, 0) === 1;
const wellInARow = 10;
const recoveryMsMax = howMany(3_000, 20_000); // where other tests share the cores, what counts is that it comes back

/** How long until so many requests in a row are answered as ever, in ms. */
async function recovered({ gateway }: Program, key: string): Promise<number> {
  const fromMs = performance.now();
  for (let well = 0; well < wellInARow && performance.now() - fromMs < 2 * recoveryMsMax;) {
    const status = await recall(gateway, key).then(
      (answer) => answer.status,
      () => 0,
    );
    well = status === 200 ? well + 1 : 0;
    if (status !== 200) await after(50);
  }
  return Math.round(performance.now() - fromMs);
}

t.test('each fault alone: what it may do, and that it is over when it is over', async (t) => {
  const recorder = await openRecorder({ keeps: false });
  t.teardown(() => recorder.close());
  const proxy = await openFaultProxy(recorder.url);
  t.teardown(() => proxy.close());
  const place = await makePlace(t, proxy.url, {
    upstream: upstream(proxy.url),
    audit: { segment_bytes: 65_536 }, // so that a new segment is due at any time
  });
  const program = await startProgram(t, place, { command: [launcher] });
  const ledger = new Ledger(place.auditDir);
  recorder.onArrival = ({ id }) => {
    ledger.arrived(id);
  };
  const { alpha } = place.keys;
  t.equal((await recall(program.gateway, alpha)).status, 200);
  const victim: Victim = { place, program, proxy, upstreamUrl: proxy.url, lastsMs };
  const windows: Window[] = [];
  const traffic = startTraffic({
    gateway: program.gateway,
    key: alpha,
    rate,
    streams: 2,
    streamMs: 5_000,
    isCalm: () => true,
  });
  const backMs: number[] = [];
  for (const { name, may, missing, isFelt = true, run } of soakFaults) {
    await t.test(name, async (t) => {
      if (missing != null) {
        leaveOut(t, `${name} (${missing})`);
        return;
      }
      const window: Window = { name, may, fromMs: performance.now(), toMs: Infinity };
      windows.push(window);
      t.equal(await run(victim), null);
      backMs.push(await recovered(program, alpha));
      window.toMs = performance.now();
      t.ok(backMs.at(-1)! <= recoveryMsMax, `back after ${backMs.at(-1)!} ms`);
      const felt = traffic.misses.filter(({ toMs }) => toMs >= window.fromMs).length;
      t.comment(`table: ${felt} requests failed, back after ${backMs.at(-1)!} ms: ${name}`);
      if (isLong && may.length > 0 && isFelt) t.ok(felt > 0, 'it was there');
      t.strictSame(
        unexcused(traffic.misses, [...windows, ...traffic.stalls]).slice(0, 3),
        [],
        'nothing failed that may not',
      );
      ledger.read();
      t.strictSame(ledger.problems, [], 'R1 holds');
    });
  }
  await traffic.stop();
  t.ok(program.isRunning(), 'without a restart');
  t.equal(await program.stop(), 0);
  ledger.finish();
  t.strictSame(ledger.problems, [], 'R1 holds to the end');
  const wrong = unexcused(traffic.misses, [...windows, ...traffic.stalls]);
  t.strictSame(wrong.slice(0, 5), []);
  const verdict = await verifyAuditLog(place.auditDir);
  t.strictSame(verdict.problems, [], 'the chain verifies');
  say(t, {
    id: 'R1',
    promise:
      'every kind of fault alone: no upstream request without an earlier allow record, and back ≤ 3 s after it is over',
    method: `${windows.length} faults of ${lastsMs / 1_000} s each at ${rate} requests/s: network (own TCP proxy), system calls (strace), descriptors (prlimit), SIGSTOP, reloads, keys, clients; every arrival held against the log as it comes in`,
    figure: {
      faults: windows.length,
      requests: traffic.sent,
      upstream_requests: ledger.arrivals,
      upstream_requests_without_record: ledger.problems.length,
      failed_within_faults: traffic.misses.length - wrong.length,
      failed_otherwise: wrong.length,
      outcomes_lost_and_told: ledger.lostOutcomes,
      longest_recovery_ms: Math.max(...backMs),
      audit_records: verdict.records,
      chain_problems: verdict.problems.length,
    },
    ok: t.passing(),
  });
});

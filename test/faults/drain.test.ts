import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { verifyAuditLog } from '../../src/record/record.js';
import { allRecords, joinRecords } from './support/audit.js';
import { call, recall, recallPath, alphaSpace } from './support/client.js';
import { howMany, launcher } from './support/environment.js';
import { openFaultProxy } from './support/fault-proxy.js';
import { say } from './support/figures.js';
import { startLoad } from './support/load.js';
import { makePlace, startProgram } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const rate = howMany(500, 100);
const slowMs = howMany(5_000, 1_500);
const drainMs = 10_000;

t.test(`R15: SIGTERM at ${rate} requests/s`, async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const proxy = await openFaultProxy(recorder.url);
  t.teardown(() => proxy.close());
  const place = await makePlace(t, proxy.url, { drain_ms: drainMs });
  const program = await startProgram(t, place, { command: [launcher] });
  const { gateway, probes } = program;
  for (const key of [place.keys.alpha, place.keys.other]) t.equal((await recall(gateway, key)).status, 200);

  // One request that takes its time, begun before; the others are as fast as ever.
  proxy.set({ direction: 'toClient', latencyMs: slowMs });
  const slow = call(new URL(recallPath, gateway), { key: place.keys.other, headers: alphaSpace });
  await after(100);
  proxy.heal();
  const load = startLoad({ gateway, key: place.keys.alpha, rate });
  await after(1_000);
  const fromMs = performance.now();
  const ended = program.stop();
  await after(20);
  const readyFor = await call(new URL('/health/ready', probes)).then(
    ({ status }) => status,
    () => 0,
  );
  await after(400);
  const { byStatus, errors } = await load.stop();
  const answer = await slow.catch(String);
  t.equal(await ended, 0, 'it stops in order');
  const tookMs = Math.round(performance.now() - fromMs);

  t.match(answer, { status: 200 }, 'what was under way is answered');
  t.not(readyFor, 200, 'not ready any more, at once');
  t.ok(tookMs <= drainMs, `within its time: ${tookMs} ms`);
  t.strictSame([...byStatus.keys()], [200], 'whoever was answered was answered well');
  const records = await allRecords(place.auditDir);
  const { problems, ...joined } = joinRecords(records, recorder.arrivals);
  t.strictSame(problems, [], 'R1 holds');
  const accepted = records.filter(({ type }) => type === 'authorization.allowed').length;
  const answered = (byStatus.get(200) ?? 0) + 3; // two at first, and the slow one
  t.equal(accepted - answered, 0, 'none was accepted and not answered');
  t.strictSame((await verifyAuditLog(place.auditDir)).problems, [], 'the chain verifies, its tail is on disk');
  t.equal(records.at(-2)?.['type'], 'system.stopped');
  say(t, {
    id: 'R15',
    promise: `SIGTERM at ${rate} requests/s: none accepted and not answered, not ready at once, exit 0 within 10 s`,
    method: `real program; a request that takes ${slowMs / 1_000} s is under way; answers that the clients got against allow records of the log`,
    figure: {
      accepted,
      answered,
      upstream_requests: joined.arrivals,
      refused_connections: errors.length,
      stopped_after_ms: tookMs,
    },
    ok: t.passing(),
  });
});

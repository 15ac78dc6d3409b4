import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { verifyAuditLog } from '../../../src/record/record.js';
import { allRecords } from '../support/audit.js';
import { metric, recall, recallPath } from '../support/client.js';
import { howMany, launcher } from '../support/environment.js';
import { say, tenths } from '../support/figures.js';
import { startGoodClient } from '../support/good-client.js';
import { peakRssMiB } from '../support/process-watch.js';
import { makePlace, startProgram } from '../support/program.js';
import { bigServer, bigTarget, headOf, longestMs, openSlow, stalledMs } from '../support/slow-clients.js';

const counts = { heads: howMany(5_000, 400), bodies: howMany(2_000, 160), silent: howMany(500, 40) };
const timeoutMs = howMany(10_000, 3_000);
/** In the short form other tests share the cores. */
const graceMs = howMany(1_000, 6_000);
/** An answer goes on until the kernel is full of it, and stands still only then. */
const fillMs = 1_000;
const bodyGraceMs = Math.max(0, 6_000 - timeoutMs); // an upload has 5 s before its rate is looked at
const rssMaxMiB = 384;
const p99MaxMs = howMany(100, Infinity); // a speed is not tested where other tests share the cores
const roundsMax = 9; // those that never read are of one caller, and wait for half of the connections

t.test(`R9: ${counts.heads} half heads, ${counts.bodies} half bodies, ${counts.silent} that never read`, async (t) => {
  const upstream = await bigServer(t);
  const place = await makePlace(t, upstream, {
    gateway: {
      listen: '127.0.0.1:0',
      headers_timeout_ms: timeoutMs,
      answer_stall_timeout_ms: timeoutMs,
      max_requests_in_progress: 8_192, // 2,500 of them are one key's
    },
  });
  const program = await startProgram(t, place, { command: [launcher] });
  const { gateway } = program;
  const { alpha, other } = place.keys;
  for (const key of [alpha, other]) t.equal((await recall(gateway, key)).status, 200);
  const good = startGoodClient({ gateway, key: alpha });
  const direct = startGoodClient({ gateway: new URL(upstream), key: alpha });

  const post = headOf('POST /api/v1/memories/remember', other);
  const body = `${post}Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n{"content":"`;
  const heads = await openSlow({
    gateway,
    count: counts.heads,
    bytes: headOf(`GET ${recallPath}`, other),
    reads: true,
  });
  const bodies = await openSlow({ gateway, count: counts.bodies, bytes: body, reads: true });
  const get = `${headOf(`GET ${bigTarget}`, other)}\r\n`;
  const silent = await openSlow({ gateway, count: counts.silent, bytes: get, reads: false });
  const limitMs = performance.now() + roundsMax * (timeoutMs + graceMs) + bodyGraceMs;
  const open = async (): Promise<number> => (await metric(program.probes, 'open_connections')).get('{}') ?? NaN;
  while ((await open()) > 1 && performance.now() < limitMs) await after(200); // the one is the good client's
  const left = (await open()) - 1;
  const [times, straight] = [await good.stop(), await direct.stop()];

  const peak = peakRssMiB(program.pid);
  for (const { socket } of silent) socket.destroy();
  t.equal(await program.stop(), 0);
  const ended = (await allRecords(place.auditDir)).filter(({ type }) => type === 'memory.interrupted');
  const stalled = ended.filter(({ upstream_ms: began }) => began !== null).map(stalledMs);
  const cut = { heads: longestMs(heads), bodies: longestMs(bodies), silent: Math.max(...stalled) };
  t.equal(left, 0, 'none of them is left');
  t.equal(stalled.length, counts.silent, 'each that never read had an answer, and was cut');
  t.ok(cut.heads <= timeoutMs + graceMs, `half heads were cut within ${cut.heads} ms`);
  t.ok(cut.bodies <= timeoutMs + graceMs + bodyGraceMs, `half bodies within ${cut.bodies} ms`);
  t.ok(
    cut.silent <= timeoutMs + graceMs + fillMs,
    `those that never read, ${cut.silent} ms after the head of their answer`,
  );
  t.strictSame(times.errors, [], 'the good client has every answer');
  t.ok(times.p99Ms <= p99MaxMs, `and p99 of ${times.p99Ms} ms`);
  t.ok(peak <= rssMaxMiB, `the most memory was ${peak.toFixed(0)} MiB`);
  t.strictSame((await verifyAuditLog(place.auditDir)).problems, [], 'the chain verifies');
  say(t, {
    id: 'R9',
    promise: `${counts.heads} half heads, ${counts.bodies} half bodies, ${counts.silent} that never read: RSS ≤ 384 MiB, p99 of a good client ≤ 100 ms, all cut within the timeout + 1 s`,
    method: `own client from some 2,000 addresses of 127.0.0.0/8; the good client asks 20 times a second on its own connection, a second one asks the memory server directly meanwhile; timeouts of ${timeoutMs / 1_000} s`,
    figure: {
      rss_peak_mib: tenths(peak),
      good_asked: times.asked,
      good_errors: times.errors.length,
      good_p50_ms: times.p50Ms,
      good_p99_ms: times.p99Ms,
      direct_p50_ms: straight.p50Ms,
      direct_p99_ms: straight.p99Ms,
      heads_cut_ms: cut.heads,
      bodies_cut_ms: cut.bodies,
      never_reading_cut_after_head_ms: cut.silent,
    },
    ok: t.passing(),
  });
});

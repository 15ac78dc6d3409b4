import { connect } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { verifyAuditLog } from '../../src/record/record.js';
import { call, metric, recall, recallPath } from './support/client.js';
import { howMany } from './support/environment.js';
import { say, tenths } from './support/figures.js';
import { startGoodClient } from './support/good-client.js';
import { launcher, startUploads } from './support/memory.js';
import { cpuMs, peakRssMiB } from './support/process-watch.js';
import { makePlace, startProgram } from './support/program.js';
import { bigServer, bigTarget, headOf, openSlow } from './support/slow-clients.js';

const mib = 1_048_576;
const counts = {
  heads: howMany(4_000, 300),
  bodies: howMany(2_000, 200),
  silent: howMany(400, 40),
  idle: howMany(1_500, 150),
  uploads: howMany(100, 20),
  floods: howMany(40, 8),
};
const lastsMs = howMany(40_000, 8_000);
const timeoutMs = howMany(10_000, 3_000);
const settleMs = 30_000;
const rssMaxMiB = 512;

t.test('OV-10 OV-01 to OV-07 together under a heap of 256 MiB', async (t) => {
  const place = await makePlace(t, await bigServer(t), {
    gateway: {
      listen: '127.0.0.1:0',
      headers_timeout_ms: timeoutMs,
      answer_stall_timeout_ms: timeoutMs,
      max_rss_bytes: 400 * mib,
    },
  });
  const program = await startProgram(t, place, { command: launcher });
  const { gateway, probes } = program;
  const { alpha, other } = place.keys;
  for (const key of [alpha, other]) t.equal((await recall(gateway, key)).status, 200);
  const good = startGoodClient({ gateway, key: alpha });

  const post = `${headOf('POST /api/v1/memories/remember', other)}Content-Type: application/json\r\n`;
  const body = `${post}Content-Length: 900000\r\n\r\n{"content":"${'x'.repeat(60_000)}`;
  const slow = [
    ...(await openSlow({ gateway, count: counts.heads, bytes: headOf(`GET ${recallPath}`, other), reads: true })),
    ...(await openSlow({ gateway, count: counts.bodies, bytes: body, reads: true })),
    ...(await openSlow({
      gateway,
      count: counts.silent,
      bytes: `${headOf(`GET ${bigTarget}`, other)}\r\n`,
      reads: false,
    })),
    ...(await openSlow({ gateway, count: counts.idle, bytes: '', reads: true })),
  ];
  const uploads = startUploads({
    to: gateway,
    path: '/api/v1/memories/remember',
    headers: { authorization: `Bearer ${other}`, 'x-memory-space': 'alpha', 'content-type': 'application/json' },
    count: counts.uploads,
    bytes: 100 * mib,
  });
  const ending = new AbortController();
  const floods = Array.from({ length: counts.floods }, (_, n) => flood(gateway, `127.0.7.${n + 1}`, ending.signal));
  const endMs = performance.now() + lastsMs;
  while (performance.now() < endMs && program.isRunning()) {
    t.equal((await call(new URL('/health', probes))).status, 200, 'liveness');
    await after(1_000);
  }
  ending.abort();
  await Promise.all(floods);
  uploads.stop();
  const times = await good.stop();
  for (const { socket } of slow) socket.destroy();
  const limitMs = performance.now() + settleMs;
  const taken = async (): Promise<number> => (await metric(probes, 'places_taken')).get('{}') ?? NaN;
  while ((await taken()) > 0 && performance.now() < limitMs) await after(200);

  t.ok(program.isRunning(), 'it did not end');
  t.notMatch(program.log(), /heap out of memory|"msg":"bug"/);
  t.equal(await taken(), 0, 'every place is free');
  t.equal((await recall(gateway, alpha)).status, 200, 'and it serves');
  t.strictSame(
    times.errors.filter((error) => error !== '503'),
    [],
    'the good client was answered all the time, at worst that it should come back',
  );
  const peak = peakRssMiB(program.pid);
  t.ok(peak <= rssMaxMiB, `the most memory was ${tenths(peak)} MiB`);
  const turned = [...(await metric(probes, 'http_refusals_total'))].filter(([labels]) => labels.includes('pressure.'));
  say(t, {
    id: 'OV-10',
    promise:
      'slow heads, bodies and readers, idle connections, uploads and floods together under --max-old-space-size=256: it lives',
    method: `${JSON.stringify(counts)} for ${lastsMs / 1_000} s from addresses of 127.0.0.0/8; the launcher's settings of memory`,
    figure: {
      rss_peak_mib: tenths(peak),
      cpu_s: tenths(cpuMs(program.pid) / 1_000),
      good_asked: times.asked,
      good_turned_away: times.errors.length,
      good_p99_ms: times.p99Ms,
      turned_away: JSON.stringify(Object.fromEntries(turned)),
    },
    ok: t.passing(),
  });
  t.equal(await program.stop(), 0);
  t.strictSame((await verifyAuditLog(place.auditDir)).problems, [], 'the chain verifies');
});

/** Requests without a key, as many at a time as one connection may have waiting. */
async function flood(gateway: URL, localAddress: string, signal: AbortSignal): Promise<void> {
  const bytes = `HEAD ${recallPath} HTTP/1.1\r\nHost: ${gateway.host}\r\n\r\n`.repeat(20);
  while (!signal.aborted) {
    const socket = connect({ port: Number(gateway.port), host: gateway.hostname, localAddress });
    socket.on('error', () => undefined).resume();
    socket.write(bytes);
    await after(100);
    socket.destroy();
  }
}

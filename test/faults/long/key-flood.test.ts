import { Agent } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { otherSecret } from '../../wire/support/forge.js';
import { call, metric, recall, recallPath } from '../support/client.js';
import { howMany, launcher } from '../support/environment.js';
import { say, tenths } from '../support/figures.js';
import { startGoodClient } from '../support/good-client.js';
import { peakRssMiB, rssMiB } from '../support/process-watch.js';
import { makePlace, startProgram, type Program } from '../support/program.js';
import { openRecorder } from '../support/recorder.js';

const perSecond = 300;
const floodMs = howMany(30_000, 3_000);
const p99MaxMs = howMany(50, Infinity); // a speed is not tested where other tests share the cores
const rssMaxMiB = 64;

interface Flood {
  readonly sent: number;
  readonly statuses: Readonly<Record<string, number>>;
}

/** Wrong keys with a known id at an even rate, whatever becomes of them. */
async function flood({ gateway }: Program, key: string, addresses: number): Promise<Flood> {
  const agents = Array.from({ length: addresses }, () => new Agent({ keepAlive: true, maxSockets: 4 }));
  const url = new URL(recallPath, gateway);
  const statuses: Record<string, number> = {};
  const running: Promise<void>[] = [];
  const fromMs = performance.now();
  let sent = 0;
  while (performance.now() - fromMs < floodMs) {
    await after(5);
    for (const due = ((performance.now() - fromMs) * perSecond) / 1_000; sent < due; sent += 1) {
      const from = sent % addresses;
      const localAddress = `127.0.1.${1 + from}`;
      const agent = agents[from]!;
      const one = call(url, { key: otherSecret(key), agent, localAddress }).then(
        ({ status }) => String(status),
        () => 'broken',
      );
      running.push(one.then((status) => void (statuses[status] = (statuses[status] ?? 0) + 1)));
    }
  }
  await Promise.all(running);
  for (const agent of agents) agent.destroy();
  return { sent: running.length, statuses };
}

/** Argon2id computations so far. */
async function hashes({ probes }: Program): Promise<number> {
  const counts = await metric(probes, 'api_key_validations_total');
  return (counts.get('{result="verified"}') ?? 0) + (counts.get('{result="rejected"}') ?? 0);
}

const cases = [
  { from: 'one address', addresses: 1 },
  { from: '200 addresses', addresses: 200 },
] as const;

t.test(`R10: ${perSecond} wrong keys a second with a known id`, async (t) => {
  for (const { from, addresses } of cases) {
    await t.test(`from ${from}`, async (t: Test) => {
      const recorder = await openRecorder();
      t.teardown(() => recorder.close());
      const place = await makePlace(t, recorder.url);
      const program = await startProgram(t, place, { command: [launcher] });
      const { gateway, pid } = program;
      const { alpha, other } = place.keys;
      for (const key of [alpha, other]) t.equal((await recall(gateway, key)).status, 200);
      const before = { rss: rssMiB(pid), hashes: await hashes(program), arrivals: recorder.arrivals.length };
      const good = startGoodClient({ gateway, key: alpha });
      const direct = startGoodClient({ gateway: new URL(recorder.url), key: alpha });
      const { sent, statuses } = await flood(program, other, addresses);
      const [times, straight] = [await good.stop(), await direct.stop()];
      const grown = peakRssMiB(pid) - before.rss;
      const computed = (await hashes(program)) - before.hashes;

      t.strictSame(times.errors, [], 'the good client has every answer');
      t.ok(times.p99Ms <= p99MaxMs, `and p99 of ${times.p99Ms} ms`);
      const odd = Object.keys(statuses).filter((status) => !['401', '429', '503'].includes(status));
      t.strictSame(odd, [], 'a wrong key opens nothing');
      if (addresses === 1) t.ok(computed <= 40, `after a few failures nothing is hashed for it: ${computed}`);
      t.ok(grown <= rssMaxMiB, `memory: at most ${grown.toFixed(1)} MiB more`);
      t.equal((await recall(gateway, other)).status, 200, 'whoever owns the key is not locked out');
      t.equal(recorder.arrivals.length - before.arrivals, times.asked + straight.asked + 1, 'none went upstream');
      t.equal(await program.stop(), 0);
      say(t, {
        id: 'R10',
        promise: `${perSecond} wrong keys/s with a known id from ${from}: p99 of a good client ≤ 50 ms, no error, RSS ≤ +64 MiB`,
        method: `real program, ${floodMs / 1_000} s; the good client asks 20 times a second on its own connection, a second one asks the memory server directly meanwhile`,
        figure: {
          wrong_keys: sent,
          refused_401: statuses['401'] ?? 0,
          refused_429: statuses['429'] ?? 0,
          refused_503: statuses['503'] ?? 0,
          hashes: computed,
          good_asked: times.asked,
          good_errors: times.errors.length,
          good_p50_ms: times.p50Ms,
          good_p99_ms: times.p99Ms,
          direct_p50_ms: straight.p50Ms,
          direct_p99_ms: straight.p99Ms,
          rss_growth_mib: tenths(grown),
        },
        ok: t.passing(),
      });
    });
  }
});

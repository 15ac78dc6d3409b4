import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { call, reload } from './support/client.js';
import { howMany } from './support/environment.js';
import { quantile, say, tenths } from './support/figures.js';
import { launcher, settledMiB } from './support/memory.js';
import { peakRssMiB } from './support/process-watch.js';
import { makePlace, startProgram } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const keys = howMany(10_000, 300);
const reloads = 20;
const warmUps = 5;
const grownMax = 200;
const flat = 0.1;
const pauseMs = 5;

/** A manifest of many keys; nobody has their secrets. */
function manifestOf(hash: string): string {
  const entry = (n: number): string =>
    `  - { id: k${String(n).padStart(15, '0')}, hash: "${hash}", name: key ${n}, spaces: [alpha, beta], permissions: [MemoryRead] }\n`;
  return `keys:\n${Array.from({ length: keys }, (_, n) => entry(n)).join('')}`;
}

/** Asks for liveness again and again until told to stop; tells the waits in ms. */
function watchProbes(probes: URL): () => Promise<readonly number[]> {
  const waits: number[] = [];
  const ending = new AbortController();
  const asking = (async () => {
    while (!ending.signal.aborted) {
      const fromMs = performance.now();
      await call(new URL('/health', probes));
      waits.push(performance.now() - fromMs);
      await after(pauseMs);
    }
  })();
  return async () => {
    ending.abort();
    await asking;
    return waits;
  };
}

t.test(`R7: ${keys} keys and ${reloads} reloads: memory stays as it is`, async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const place = await makePlace(t, recorder.url);
  const few = await startProgram(t, place, { command: launcher });
  const withFew = await settledMiB(few.pid);
  t.equal(await few.stop(), 0);

  const hash = /hash: (\S+)/.exec(readFileSync(join(place.dir, 'keys', 'alpha.yaml'), 'utf8'))?.[1] ?? '';
  writeFileSync(join(place.dir, 'keys', 'many.yaml'), manifestOf(hash.replace(/^['"]|['"]$/g, '')));
  const fromMs = performance.now();
  const program = await startProgram(t, place, { command: launcher });
  const startMs = performance.now() - fromMs;

  const stopWatching = watchProbes(program.probes);
  let slowestMs = 0;
  const again = async (n: number): Promise<void> => {
    place.configure({ upstream: { url: recorder.url, deadline_ms: 100_000 + n } });
    const beganMs = performance.now();
    const { status, body } = await reload(program.admin, place.keys.admin);
    slowestMs = Math.max(slowestMs, performance.now() - beganMs);
    if (status !== 200) t.fail(`reload ${n}: ${status} ${body}`);
  };
  for (let n = 0; n < warmUps; n += 1) await again(n);
  const before = await settledMiB(program.pid);
  for (let n = 0; n < reloads; n += 1) await again(warmUps + n);
  const later = await settledMiB(program.pid);
  const waits = await stopWatching();
  const peak = peakRssMiB(program.pid);

  t.ok(later <= before * (1 + flat), `${before.toFixed(0)} MiB before, ${later.toFixed(0)} MiB after`);
  t.ok(later - withFew <= grownMax, `${(later - withFew).toFixed(0)} MiB more than with two keys`);
  t.equal(await program.stop(), 0);
  say(t, {
    id: 'R7',
    promise: `${keys} keys: load ≤ 5 s, event loop p99.9 ≤ 50 ms meanwhile, RSS ≤ +200 MiB, flat (±10 %) over ${reloads} reloads`,
    method: `bin/memgate; RSS is the middle of 21 samples within 2 s, before is after ${warmUps} reloads; the event loop is seen through /health, asked every 5 ms by another process of the same machine`,
    figure: {
      start_ms: Math.round(startMs),
      slowest_reload_ms: Math.round(slowestMs),
      liveness_p999_ms: tenths(quantile(waits, 0.999)),
      liveness_asked: waits.length,
      rss_with_two_keys_mib: tenths(withFew),
      rss_before_mib: tenths(before),
      rss_after_mib: tenths(later),
      rss_peak_while_parsing_mib: tenths(peak),
    },
    ok:
      t.passing() &&
      startMs <= 5_000 &&
      slowestMs <= 5_000 &&
      quantile(waits, 0.999) <= 50 &&
      peak - withFew <= grownMax,
  });
});

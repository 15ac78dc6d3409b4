import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { call, reload } from './support/client.js';
import { howMany } from './support/environment.js';
import { launcher, peakMiB, settledMiB } from './support/memory.js';
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

/** Asks for liveness again and again until told to stop; tells the waits in ms, sorted. */
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
    return waits.sort((one, other) => one - other);
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
  const peak = peakMiB(program.pid);

  t.ok(later <= before * (1 + flat), `${before.toFixed(0)} MiB before, ${later.toFixed(0)} MiB after`);
  t.ok(later - withFew <= grownMax, `${(later - withFew).toFixed(0)} MiB more than with two keys`);
  t.equal(await program.stop(), 0);
  const p999 = waits[Math.floor(waits.length * 0.999)] ?? NaN;
  t.comment(
    `R7: ${keys} keys: start ${startMs.toFixed(0)} ms, reload ≤ ${slowestMs.toFixed(0)} ms, liveness meanwhile p99.9 ${p999.toFixed(0)} ms of ${waits.length}; ` +
      `RSS ${withFew.toFixed(0)} MiB with 2 keys, ${before.toFixed(0)} after ${warmUps} reloads, ${later.toFixed(0)} after ${warmUps + reloads}, at most ${peak.toFixed(0)} while a text is parsed`,
  );
});

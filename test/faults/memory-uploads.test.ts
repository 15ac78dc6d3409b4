import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { howMany, inPackage } from './support/environment.js';
import { say } from './support/figures.js';
import { launcher, openSlowSink, startUploads } from './support/memory.js';
import { rssMiB } from './support/process-watch.js';
import { makePlace, startProgram } from './support/program.js';

const mib = 1_048_576;
const uploads = howMany(64, 16);
const bytes = howMany(256, 64) * mib;
// The promise is 150 MiB for 64 uploads. Fewer of them share what does not depend on their number.
const grownMax = howMany(150, 60);
const lastsMs = howMany(20_000, 6_000);

/** Sends to a server and tells how far a process grew meanwhile; ends early once it has grown three times as far as it may. */
async function grow(
  t: Test,
  pid: number,
  wish: Pick<Parameters<typeof startUploads>[0], 'to' | 'path' | 'headers'>,
): Promise<Grown & { readonly ended: readonly string[] }> {
  const before = rssMiB(pid);
  const running = startUploads({ ...wish, count: uploads, bytes });
  t.teardown(() => {
    running.stop();
  });
  let highest = before;
  for (const endMs = performance.now() + lastsMs; performance.now() < endMs && highest - before < 3 * grownMax;) {
    await after(50);
    highest = Math.max(highest, rssMiB(pid));
  }
  const told = { grown: Math.round(highest - before), accepted: running.accepted(), ended: [...running.ended] };
  running.stop();
  return told;
}

const size = `${uploads} uploads of ${bytes / mib} MiB to a server that hardly reads`;

interface Grown {
  readonly grown: number;
  readonly accepted: number;
}

async function throughProgram(t: Test): Promise<Grown> {
  const sink = await openSlowSink();
  t.teardown(() => sink.close());
  const place = await makePlace(t, sink.url, { profile: './profile.yaml' });
  const engram = readFileSync(inPackage('config/profiles/engram.yaml'), 'utf8');
  const route = /( {2}- id: memories\.store\b[^]*?space: \[header:X-Memory-Space\]\n)/;
  const streaming = engram.replace(route, '$1    body: stream\n    body_reason: test only\n');
  writeFileSync(join(place.dir, 'profile.yaml'), streaming);
  const program = await startProgram(t, place, { command: launcher });
  const headers = { authorization: `Bearer ${place.keys.alpha}`, 'x-memory-space': 'alpha' };
  const { ended, ...told } = await grow(t, program.pid, {
    to: program.gateway,
    path: '/api/v1/memories',
    headers: { ...headers, 'content-type': 'application/octet-stream' },
  });
  t.strictSame(ended, [], 'every upload goes on');
  await program.kill('SIGKILL');
  return told;
}

async function throughCarelessProxy(t: Test): Promise<Grown> {
  const sink = await openSlowSink();
  t.teardown(() => sink.close());
  const careless = inPackage('test/faults/fixtures/careless-proxy.mjs');
  const proxy = spawn(process.execPath, [careless, sink.url], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.teardown(() => proxy.kill('SIGKILL'));
  const port = await new Promise<string>((resolve) => {
    proxy.stdout.once('data', (text: Buffer) => resolve(text.toString().trim()));
  });
  return grow(t, proxy.pid ?? 0, { to: new URL(`http://127.0.0.1:${port}`), path: '/', headers: {} });
}

t.test(`${size}: the program grows by ${grownMax} MiB at most`, async (t) => {
  const { grown, accepted } = await throughProgram(t);
  t.ok(accepted > uploads * 65_536, `bodies are under way: ${Math.round(accepted / mib)} MiB`);
  t.ok(accepted < 0.7 * uploads * bytes, 'and the clients were made to wait');
  t.ok(grown <= grownMax, `it grew by ${grown} MiB`);
  const control = await throughCarelessProxy(t);
  t.ok(control.grown > grownMax, `a proxy that holds no client back grew by ${control.grown} MiB: this can be seen`);
  say(t, {
    id: 'memory-uploads',
    promise: `${size}: RSS ≤ +${grownMax} MiB`,
    method: `clients send as fast as they may for ${lastsMs / 1_000} s; RSS every 50 ms; the control is a proxy without back-pressure, stopped at three times the bound`,
    figure: {
      grown_mib: grown,
      taken_from_clients_mib: Math.round(accepted / mib),
      control_grown_mib: control.grown,
    },
    ok: t.passing(),
  });
});

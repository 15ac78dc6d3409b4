import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { promisify } from 'node:util';
import { otherSecret } from '../../wire/support/forge.js';
import { call, memgate, openWire, recall, recallPath, reload, type Wire } from './client.js';
import { isInstalled, isRoot } from './environment.js';
import type { FaultProxy } from './fault-proxy.js';
import { descriptors } from './process-watch.js';
import type { Place, Program } from './program.js';

const run = promisify(execFile);

/** What a fault may lay hands on. */
export interface Victim {
  readonly place: Place;
  readonly program: Program;
  /** Between the gateway and the memory server. */
  readonly proxy: FaultProxy;
  readonly upstreamUrl: string;
  /** How long each fault lasts, in ms. */
  readonly lastsMs: number;
}

export interface SoakFault {
  readonly name: string;
  /** What requests may get while it lasts that would have passed; 0 for a broken connection. */
  readonly may: readonly number[];
  /** Does it, and undoes it. @returns what went otherwise than it was to go, or null */
  readonly run: (victim: Victim) => Promise<string | null>;
  /** False where callers that keep their connections may not notice. */
  readonly isFelt?: boolean;
  /** Why it is left out here; null when it is not. */
  readonly missing?: string | null;
}

const upstreamFaults = [0, 502, 503, 504] as const;

async function proxied({ proxy, lastsMs }: Victim, faults: Parameters<FaultProxy['set']>[0]): Promise<null> {
  proxy.set(faults);
  await after(lastsMs);
  proxy.heal();
  return null;
}

interface Injection {
  /** System calls, by name. */
  readonly calls: string;
  readonly error: string;
  /** Only where they are about this file. */
  readonly path?: string;
}

/** System calls of the running program fail for a while. */
async function injected({ program, lastsMs }: Victim, { calls, error, path }: Injection): Promise<string | null> {
  const where = path === undefined ? [] : ['-P', path];
  const args = ['-f', '-p', String(program.pid), '-o', '/dev/null', ...where, '-e', `trace=${calls}`];
  const tracer = spawn('strace', [...args, '-e', `inject=${calls}:error=${error}`], { stdio: 'ignore' });
  const ended = once(tracer, 'exit');
  await after(lastsMs);
  tracer.kill('SIGINT'); // it lets go of the program
  const timer = setTimeout(() => tracer.kill('SIGKILL'), 5_000);
  await ended;
  clearTimeout(timer);
  return program.isRunning() ? null : 'the program is gone';
}

const newestSegment = ({ auditDir }: Place): string =>
  join(
    auditDir,
    readdirSync(auditDir)
      .filter((name) => name.endsWith('.jsonl'))
      .sort()
      .at(-1) ?? '',
  );

async function reloads({ place, program, upstreamUrl }: Victim, isBroken: boolean): Promise<string | null> {
  for (let n = 0; n < 3; n += 1) {
    place.configure(
      isBroken ? { drain_ms: 'soon' } : { upstream: { ...upstream(upstreamUrl), deadline_ms: 100_000 + n } },
    );
    const { status, body } = await reload(program.admin, place.keys.admin);
    place.configure({});
    if ((status === 200) === isBroken) return `a ${isBroken ? 'broken' : 'valid'} reload got ${status}: ${body}`;
    await after(200);
  }
  const { status } = await reload(program.admin, place.keys.admin);
  return status === 200 ? null : `the usual configuration got ${status}`;
}

/** The upstream of a soak: short timeouts, so that a fault is over soon after it is over. */
export const upstream = (url: string): Readonly<Record<string, unknown>> => ({
  url,
  headers_timeout_ms: 2_000,
  connect_timeout_ms: 1_000,
});

async function keyLife({ place, program }: Victim): Promise<string | null> {
  const where = ['--data-dir', place.dataDir];
  const rights = ['--spaces', 'alpha', '--permissions', 'MemoryRead', '--tier', 'unlimited'];
  const made = await memgate('auth', 'create-key', ...where, '--name', 'soak', ...rights, '--format', 'json');
  if (made.code !== 0) return `a key could not be made: ${made.stderr}`;
  const { id, key } = JSON.parse(made.stdout) as { readonly id: string; readonly key: string };
  const alive = await recall(program.gateway, key);
  const gone = await memgate('auth', 'revoke-key', id, ...where, '--reason', 'soak', '--yes');
  const dead = await recall(program.gateway, key);
  return alive.status === 200 && gone.code === 0 && dead.status === 401
    ? null
    : `made ${alive.status}, revoke ${gone.code}, then ${dead.status}`;
}

async function garbageKeys({ place, program, lastsMs }: Victim): Promise<string | null> {
  const statuses = new Set<number>();
  const running: Promise<unknown>[] = [];
  const untilMs = performance.now() + lastsMs;
  while (performance.now() < untilMs) {
    await after(10);
    for (let n = 0; n < 3; n += 1) {
      const url = new URL(recallPath, program.gateway);
      const key = otherSecret(place.keys.alpha);
      const localAddress = `127.0.0.${2 + (running.length % 200)}`;
      const answered = call(url, { key, localAddress });
      running.push(answered.then(({ status }) => void statuses.add(status)));
    }
  }
  await Promise.all(running);
  const wrong = [...statuses].filter((status) => ![401, 429, 503].includes(status));
  return wrong.length === 0 ? null : `wrong keys got ${wrong.join(', ')}`;
}

async function slowClients({ place, program, lastsMs }: Victim): Promise<string | null> {
  const head = `GET ${recallPath} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${place.keys.alpha}\r\n`;
  const post = head.replace(/^GET \S+/, 'POST /api/v1/memories/remember');
  const body = `${post}X-Memory-Space: alpha\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"content"`;
  const wires: Wire[] = Array.from({ length: 300 }, (_, n) => {
    const wire = openWire(program.gateway, `127.0.0.${2 + (n % 200)}`);
    wire.socket.write(n % 6 === 0 ? body : head);
    return wire;
  });
  await after(lastsMs);
  for (const { socket } of wires) socket.destroy();
  await Promise.all(wires.map(({ closed }) => closed));
  return null;
}

async function stopped({ program, lastsMs }: Victim): Promise<null> {
  program.signal('SIGSTOP');
  await after(Math.min(2_000, lastsMs));
  program.signal('SIGCONT');
  return null;
}

/** So few descriptors that hardly a connection can be taken. */
async function fewDescriptors({ program, lastsMs }: Victim): Promise<string | null> {
  const limit = (count: string): Promise<unknown> =>
    run('prlimit', ['--pid', String(program.pid), `--nofile=${count}`]);
  const { stdout } = await run('prlimit', [
    '--pid',
    String(program.pid),
    '--nofile',
    '--output=SOFT,HARD',
    '--noheadings',
  ]);
  const [soft = '', hard = ''] = stdout.trim().split(/\s+/);
  await limit(`${descriptors(program.pid) + 1}:${hard}`);
  const beyond = Array.from({ length: 20 }, () => openWire(program.gateway));
  await after(lastsMs);
  await limit(`${soft}:${hard}`);
  for (const { socket } of beyond) socket.destroy();
  await Promise.all(beyond.map(({ closed }) => closed));
  return program.isRunning() ? null : 'the program is gone';
}

const noTracer = isInstalled('strace') && isRoot ? null : 'strace is not installed, or may not attach';

/** One after the other, again and again. */
export const soakFaults: readonly SoakFault[] = [
  { name: 'a latency of 100 to 200 ms', may: [], run: (victim) => proxied(victim, { latencyMs: 50, jitterMs: 50 }) },
  {
    name: 'the memory server restarts',
    may: upstreamFaults,
    run: async ({ proxy, lastsMs }) => {
      await proxy.down();
      await after(lastsMs / 2);
      await proxy.up();
      return null;
    },
  },
  { name: 'valid reloads', may: [], run: (victim) => reloads(victim, false) },
  {
    name: 'bursts of resets',
    may: upstreamFaults,
    run: async ({ proxy, lastsMs }) => {
      for (let n = 0; n < 5; n += 1) {
        proxy.resetAll();
        await after(lastsMs / 5);
      }
      return null;
    },
  },
  { name: 'broken reloads', may: [], run: (victim) => reloads(victim, true) },
  {
    name: 'resets in the middle of answers',
    may: upstreamFaults,
    run: (victim) => proxied(victim, { direction: 'toClient', resetAfterBytes: 150 }),
  },
  { name: 'a key is made, used and revoked', may: [], run: keyLife },
  { name: 'the process is stopped for 2 s', may: [], run: stopped },
  { name: 'pieces of 1 to 7 bytes', may: [], run: (victim) => proxied(victim, { slicedBytes: 64 }) },
  { name: 'wrong keys, 300 a second', may: [], run: garbageKeys },
  {
    name: 'no sync of the audit log succeeds',
    may: [503],
    missing: noTracer,
    run: (victim) => injected(victim, { calls: 'fdatasync', error: 'EIO' }),
  },
  { name: 'slow clients', may: [], run: slowClients },
  {
    name: 'a black hole before the memory server',
    may: upstreamFaults,
    run: (victim) => proxied(victim, { blackhole: true }),
  },
  {
    name: 'half-closed answers',
    may: upstreamFaults,
    run: (victim) => proxied(victim, { direction: 'toClient', halfCloseAfterBytes: 150 }),
  },
  {
    name: 'no room for the segment of the audit log',
    may: [503],
    missing: noTracer,
    run: (victim) => injected(victim, { calls: 'write', error: 'ENOSPC', path: newestSegment(victim.place) }),
  },
  {
    name: 'no file can be opened',
    may: [503],
    missing: noTracer,
    run: (victim) => injected(victim, { calls: 'openat', error: 'EMFILE' }),
  },
  {
    name: 'no checkpoint can be put in place, no new segment be kept, no free space be read',
    isFelt: false,
    may: [503],
    missing: noTracer,
    run: (victim) => injected(victim, { calls: 'rename,fsync,statfs', error: 'EIO' }),
  },
  {
    name: 'no connection can be accepted',
    isFelt: false,
    may: [0],
    missing: noTracer,
    run: (victim) => injected(victim, { calls: 'accept4', error: 'EMFILE' }),
  },
  {
    name: 'no connection can be made',
    may: upstreamFaults,
    missing: noTracer,
    run: (victim) => {
      victim.proxy.resetAll();
      return injected(victim, { calls: 'connect', error: 'ETIMEDOUT' });
    },
  },
  {
    name: 'no free descriptor',
    isFelt: false,
    may: upstreamFaults,
    missing: isInstalled('prlimit') ? null : 'prlimit',
    run: fewDescriptors,
  },
];

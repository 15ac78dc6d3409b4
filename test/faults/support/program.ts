import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Test } from 'tap';
import { systemClock } from '../../../src/base/clock.js';
import { newManifestKey, type KeyWish } from '../../../src/manage/manage.js';
import { inPackage, programFile } from './environment.js';

const startMsMax = 30_000;

/** Where a program under test lives: its configuration, its keys, its data. */
export interface Place {
  readonly dir: string;
  readonly config: string;
  readonly dataDir: string;
  readonly auditDir: string;
  readonly keys: Readonly<Record<'alpha' | 'other' | 'admin', string>>;
  /** Writes the configuration anew; parts are laid over the usual ones. */
  configure(parts: Readonly<Record<string, unknown>>): void;
}

const wishes = {
  alpha: { spaces: ['alpha'], permissions: ['MemoryRead', 'MemoryWrite', 'MemoryDelete'], tier: 'unlimited' },
  other: { spaces: ['alpha'], permissions: ['MemoryRead', 'MemoryWrite'], tier: 'unlimited' },
  admin: { spaces: ['*'], permissions: ['AdminConfig', 'AdminKeyManagement'], tier: 'unlimited' },
} as const;

/** A directory on the real file system with everything that `serve` needs, and two keys in a manifest. */
export async function makePlace(
  t: Test,
  upstream: string,
  parts: Readonly<Record<string, unknown>> = {},
): Promise<Place> {
  const dir = mkdtempSync(join(tmpdir(), 'memgate-faults-'));
  t.teardown(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const config = join(dir, 'memgate.yaml');
  const usual = {
    data_dir: './data',
    profile: inPackage('config/profiles/engram.yaml'),
    policy: { bundle: inPackage('policies/dist/memgate.tar.gz'), budget_ms: 200 }, // other tests share the cores
    gateway: { listen: '127.0.0.1:0' },
    admin: { listen: '127.0.0.1:0' },
    probes: { listen: '127.0.0.1:0' },
    upstream: { url: upstream },
    keys: { manifests: './keys' },
    drain_ms: 1_000,
  };
  const configure = (more: Readonly<Record<string, unknown>>): void => {
    writeFileSync(config, JSON.stringify({ ...usual, ...parts, ...more }, null, 2));
  };
  configure({});
  mkdirSync(join(dir, 'keys'));
  const keys = { alpha: '', other: '', admin: '' };
  for (const name of ['alpha', 'other', 'admin'] as const)
    keys[name] = await keyInManifest(join(dir, 'keys', `${name}.yaml`), { name, ...wishes[name] });
  const { audit } = parts as { readonly audit?: { readonly dir?: string } };
  return {
    dir,
    config,
    dataDir: join(dir, 'data'),
    auditDir: audit?.dir ?? join(dir, 'data', 'audit'),
    keys,
    configure,
  };
}

/** Makes a key in a manifest of its own; a running program needs a reload to know it. */
export const addKey = ({ dir }: Place, wish: KeyWish): Promise<string> =>
  keyInManifest(join(dir, 'keys', `${wish.name}.yaml`), wish);

async function keyInManifest(file: string, wish: KeyWish): Promise<string> {
  const made = await newManifestKey(wish, 'engram_key', systemClock);
  if (!made.ok) throw new Error(made.why.problems.join('; '));
  writeFileSync(file, made.value.manifest);
  return made.value.key;
}

/** A running `memgate serve`. */
export interface Program {
  readonly gateway: URL;
  readonly admin: URL;
  readonly probes: URL;
  readonly pid: number;
  /** What it wrote to standard error so far. */
  log(): string;
  isRunning(): boolean;
  /** SIGTERM, and the exit code; null when a signal ended it. */
  stop(): Promise<number | null>;
  kill(signal: NodeJS.Signals): Promise<number | null>;
  signal(signal: NodeJS.Signals): void;
}

interface StartOptions {
  /** Program and arguments in front of node, such as strace. */
  readonly under?: readonly string[];
  /** What `serve` is an argument of; node and the built program unless told. */
  readonly command?: readonly [string, ...string[]];
  /** Variables on top of ours. */
  readonly env?: Readonly<Record<string, string>>;
}

/** Starts `serve` and returns when every listener is open. */
export async function startProgram(
  t: Test,
  place: Place,
  { under = [], command = [process.execPath, programFile], env = {} }: StartOptions = {},
): Promise<Program> {
  const [file, ...args] = [...under, ...command, 'serve', '--config', place.config];
  const child = spawn(file, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
    env: { ...process.env, ...env },
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (log += text));
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  t.teardown(async () => {
    if (isRunning(child)) process.kill(-(child.pid ?? 0), 'SIGKILL'); // its whole group
    await ended;
  });
  const facts = await startedFacts(child, () => log);
  const pid = under.length === 0 ? (child.pid ?? 0) : childOf(child.pid ?? 0);
  const kill = (signal: NodeJS.Signals): Promise<number | null> => {
    process.kill(pid, signal);
    return ended;
  };
  return {
    gateway: new URL(facts.gateway),
    admin: new URL(facts.admin),
    probes: new URL(facts.probes),
    pid,
    log: () => log,
    isRunning: () => isRunning(child),
    stop: () => kill('SIGTERM'),
    kill,
    signal: (signal) => process.kill(pid, signal),
  };
}

/** Under another program, ours is that one's only child. */
const childOf = (pid: number): number =>
  Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]);

const isRunning = (child: ChildProcess): boolean => child.exitCode === null && child.signalCode === null;

interface StartedFacts {
  readonly gateway: string;
  readonly admin: string;
  readonly probes: string;
}

function startedFacts(child: ChildProcess, log: () => string): Promise<StartedFacts> {
  return new Promise((resolve, reject) => {
    const fail = (what: string): void => {
      reject(new Error(`${what}\n${log().slice(-4_000)}`));
    };
    const timer = setTimeout(() => {
      fail('the program did not start in time');
    }, startMsMax);
    const early = (code: number | null): void => {
      clearTimeout(timer);
      fail(`the program ended with ${String(code)} instead of starting`);
    };
    child.once('error', reject).once('exit', early);
    child.stderr?.on('data', () => {
      const line = log()
        .split('\n')
        .find((each) => each.includes('"msg":"started"'));
      if (line === undefined || !line.endsWith('}')) return;
      clearTimeout(timer);
      child.off('exit', early);
      resolve(JSON.parse(line) as StartedFacts);
    });
  });
}

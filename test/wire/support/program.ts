import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import type { Test } from 'tap';
import { AuditReader } from './audit.js';
import { entry, freshBuild, launcher, root, scratch } from './build.js';
import { keyNames, makeFixture, type Fixture, type FixtureKey } from './keys.js';
import { Recorder } from './recorder.js';
import { send } from './wire.js';

/** Any part of the configuration, as nested mappings. */
export interface Overrides {
  readonly [name: string]: unknown;
}

export interface ProgramOptions {
  /** Merged into the configuration of the fixture, mapping by mapping. */
  readonly config?: Overrides;
  /** Further environment of the process. */
  readonly env?: Readonly<Record<string, string>>;
  /** Further arguments of `serve`. */
  readonly args?: readonly string[];
  /** Further arguments of Node. */
  readonly nodeArgs?: readonly string[];
  /** False leaves it as it is after its start: no key has been used. Otherwise KA has, so that memory is measured on a warm process. */
  readonly warm?: boolean;
  /** The static token's file; the fixture's token when absent. */
  readonly staticToken?: string;
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The launcher takes the `node` that comes first: it is to be this one. */
const path = [dirname(process.execPath), process.env['PATH'] ?? ''].join(delimiter);
const startTimeoutMs = 20_000;
const stopTimeoutMs = 15_000;

/** The running program, built and started as an operator would, with U behind it. */
export class Program {
  readonly dir: string;
  readonly keys: Fixture;
  readonly recorder: Recorder;
  readonly configFile: string;
  readonly manifestFile: string;
  readonly dataDir: string;
  readonly auditDir: string;
  readonly audit: AuditReader;
  readonly #options: ProgramOptions;
  #overrides: Overrides;
  #child: ChildProcess | null = null;
  #stderr = '';
  /** Ports of the listeners; new ones after each start. */
  port = 0;
  adminPort = 0;
  probesPort = 0;

  constructor(dir: string, parts: { keys: Fixture; recorder: Recorder; options: ProgramOptions }) {
    this.dir = dir;
    this.keys = parts.keys;
    this.recorder = parts.recorder;
    this.#options = parts.options;
    this.#overrides = parts.options.config ?? {};
    this.configFile = join(dir, 'memgate.yaml');
    this.manifestFile = join(dir, 'keys', 'fixture.yaml');
    this.dataDir = join(dir, 'data');
    this.auditDir = join(this.dataDir, 'audit');
    this.audit = new AuditReader(this.auditDir);
  }

  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Null while it runs; else how it ended. */
  get exit(): { readonly code: number | null; readonly signal: string | null } | null {
    const child = this.#child;
    if (child === null) return { code: null, signal: null };
    return child.exitCode === null && child.signalCode === null
      ? null
      : { code: child.exitCode, signal: child.signalCode };
  }

  /** Everything that every start so far has said on standard error. */
  get stderr(): string {
    return this.#stderr;
  }

  get overrides(): Overrides {
    return this.#overrides;
  }

  async start(): Promise<void> {
    const { env = {}, args = [], nodeArgs = [] } = this.#options;
    const from = this.#stderr.length;
    const child = spawn(launcher, ['serve', '--config', this.configFile, ...args], {
      cwd: this.dir,
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { PATH: path, ...(nodeArgs.length === 0 ? {} : { NODE_OPTIONS: nodeArgs.join(' ') }), ...env },
    });
    this.#child = child;
    this.port = 0;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`not ready after ${startTimeoutMs} ms: ${this.#stderr.slice(from)}`)),
        startTimeoutMs,
      );
      // Not 'exit': what it has said may come later than that.
      child.once('close', (code, signal) => {
        clearTimeout(timer);
        reject(new Error(`ended at start (${code ?? signal}): ${this.#stderr.slice(from)}`));
      });
      child.stderr.setEncoding('utf8').on('data', (text: string) => {
        this.#stderr += text;
        if (this.port !== 0 || !this.#readPorts(this.#stderr.slice(from))) return;
        clearTimeout(timer);
        resolve();
      });
    });
  }

  /** Waits for an end that comes of itself. @returns the exit code, or null for a signal */
  async ended(timeoutMs = stopTimeoutMs): Promise<number | null> {
    const child = this.#child;
    if (child === null || this.exit !== null) return child?.exitCode ?? null;
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`still alive after ${timeoutMs} ms`)), timeoutMs);
      child.once('exit', () => {
        clearTimeout(timer);
        resolve();
      });
    });
    return child.exitCode;
  }

  /** Waits for the end that a signal brings. @returns the exit code, or null for a signal */
  async end(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.#child;
    if (child === null || this.exit !== null) return child?.exitCode ?? null;
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()));
    child.kill(signal);
    const timer = setTimeout(() => child.kill('SIGKILL'), stopTimeoutMs);
    await ended;
    clearTimeout(timer);
    this.port = 0;
    return child.exitCode;
  }

  stop(): Promise<number | null> {
    return this.end('SIGTERM');
  }

  async restart(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    await this.end(signal);
    await this.start();
  }

  /** Writes the configuration anew: the fixture's, with these parts in the place of the former ones. */
  async writeConfig(overrides: Overrides): Promise<void> {
    this.#overrides = overrides;
    const config = merged(fixtureConfig(this), overrides);
    await writeFile(this.configFile, `${JSON.stringify(config, null, 2)}\n`, { mode: 0o600 }); // JSON is YAML
  }

  /** Writes the manifest anew: the fixture's keys, and more. `change` may alter any entry. */
  async writeManifest(
    more: readonly FixtureKey[] = [],
    change: (name: string, entry: FixtureKey['entry']) => FixtureKey['entry'] = (_, same) => same,
  ): Promise<void> {
    const keys = [...keyNames.map((name) => change(name, this.keys[name].entry)), ...more.map(({ entry: one }) => one)];
    await writeFile(this.manifestFile, `${JSON.stringify({ keys }, null, 2)}\n`, { mode: 0o600 });
  }

  /** POST /-/reload with KADM. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- parsed JSON, read as it comes
  async reload(): Promise<{ readonly status: number; readonly body: any }> {
    const head = `POST /-/reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${this.keys.KADM.text}\r\nContent-Length: 0\r\n\r\n`;
    const { answers } = await send(this.adminPort, head, { timeoutMs: 10_000 });
    return { status: answers[0]?.status ?? 0, body: answers[0]?.json() };
  }

  async metrics(): Promise<string> {
    const { answers } = await send(
      this.probesPort,
      'GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    );
    return answers[0]?.body.toString('utf8') ?? '';
  }

  /** One sample, without the prefix: `http_requests_total{method="GET",…}` or a bare name; 0 when it is not there. */
  async metric(sample: string): Promise<number> {
    const line = (await this.metrics()).split('\n').find((each) => each.startsWith(`memgate_${sample} `));
    return Number(line?.slice(line.lastIndexOf(' ') + 1) ?? 0);
  }

  /** Resident bytes. */
  rss(): number {
    return Number(readFileSync(`/proc/${this.pid}/statm`, 'latin1').split(' ')[1]) * 4_096;
  }

  /** CPU time so far, in ms. */
  cpuMs(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'latin1');
    const [user, system] = stat
      .slice(stat.lastIndexOf(')') + 2)
      .split(' ')
      .slice(11, 13);
    return (Number(user) + Number(system)) * 10; // ticks of 1/100 s
  }

  /** Runs the command line on this program's configuration: `command(['auth', 'revoke-key', …])`. */
  command(args: readonly string[]): Promise<CommandResult> {
    return new Promise((resolve) => {
      execFile(
        process.execPath,
        [entry, ...args, '--config', this.configFile],
        { cwd: root },
        (error, stdout, stderr) => {
          resolve({ code: error === null ? 0 : typeof error.code === 'number' ? error.code : -1, stdout, stderr });
        },
      );
    });
  }

  async close(): Promise<void> {
    await this.end('SIGTERM');
    await this.recorder.pause();
    await rm(this.dir, { recursive: true, force: true });
  }

  #readPorts(text: string): boolean {
    for (const line of text.split('\n')) {
      if (!line.startsWith('{') || !line.includes('"msg":"started"')) continue;
      const { gateway, admin, probes } = JSON.parse(line) as Record<'gateway' | 'admin' | 'probes', string>;
      this.port = Number(new URL(gateway).port);
      this.adminPort = Number(new URL(admin).port);
      this.probesPort = Number(new URL(probes).port);
      return true;
    }
    return false;
  }
}

const fixtureConfig = (program: Program): Overrides => ({
  data_dir: program.dataDir,
  auth_mode: ['api_key', 'static_token'],
  profile: join(root, 'config', 'profiles', 'engram.yaml'),
  policy: { bundle: join(root, 'policies', 'dist', 'memgate.tar.gz') },
  gateway: { listen: '127.0.0.1:0' },
  admin: { listen: '127.0.0.1:0' },
  probes: { listen: '127.0.0.1:0' },
  upstream: { url: program.recorder.url },
  keys: {
    prefixes: ['engram_key', 'kor'],
    manifests: join(program.dir, 'keys'),
    failures_per_minute: 100_000,
    failures_per_minute_per_key: 100_000,
  },
  static_tokens: [
    { id: 'st', from_file: join(program.dir, 'st'), spaces: ['alpha'], permissions: ['MemoryRead'], tier: 'unlimited' },
  ],
  // Every refusal gets a line of its own, so that each case can look for its own.
  audit: { allow_tmpfs: true, refusals_per_second: 1_000_000, refusals_per_second_per_address: 1_000_000 },
});

const isMapping = (value: unknown): value is Overrides =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** `over` wins; mappings are merged, undefined removes. */
function merged(under: Overrides, over: Overrides): Overrides {
  const result: Record<string, unknown> = { ...under };
  for (const [name, value] of Object.entries(over)) {
    const below = under[name];
    result[name] = isMapping(below) && isMapping(value) ? merged(below, value) : value;
  }
  return result;
}

/** Starts the program on a fresh directory with the keys of the fixture; ended and removed with the test. One per test file is enough. */
export async function startProgram(t: Test, options: ProgramOptions = {}): Promise<Program> {
  await freshBuild();
  const dir = await mkdtemp(join(scratch, 'p-'));
  const [keys, recorder] = await Promise.all([makeFixture(), Recorder.start()]);
  const program = new Program(dir, { keys, recorder, options });
  t.teardown(() => program.close());
  recorder.isRecorded = (id) => program.audit.hasAllowed(id);
  await mkdir(join(dir, 'keys'), { mode: 0o700 });
  await writeFile(join(dir, 'st'), options.staticToken ?? keys.ST, { mode: 0o600 });
  await program.writeManifest();
  await program.writeConfig(program.overrides);
  await program.start();
  if (options.warm !== false) await warm(program);
  return program;
}

const warmingRequests = 50;

async function warm(program: Program): Promise<void> {
  const head = 'GET /api/v1/memories/recall?q=warm HTTP/1.1\r\nHost: localhost:8080\r\nX-Memory-Space: alpha\r\n';
  const known = `${head}Authorization: Bearer ${program.keys.KA.text}\r\n\r\n`;
  await send(program.port, known);
  await send(program.port, known.repeat(warmingRequests), { answers: warmingRequests });
  for (let i = 0; i < warmingRequests; i += 1) await send(program.port, `${head}\r\n`);
  await program.metrics();
  const { answers } = await send(program.port, known); // the log is in order: behind this record nothing of all that is to come
  await program.audit.find(0, ({ id, effect }) => effect !== undefined && id === answers[0]?.header('x-request-id'));
}

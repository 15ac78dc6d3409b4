import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { systemClock } from '../base/clock.js';
import { messageOf, type LogLevel } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import { dataDirProblem, start, type Running } from '../app/app.js';
import { localOperator } from '../manage/manage.js';
import { startMemoryServer } from './server/server.js';

export interface DemoOptions {
  /** Port of the gateway; 0 takes free ones for every listener. */
  readonly port: number;
  /** A memory server of the caller's, in the place of the built-in one. */
  readonly upstream?: string | undefined;
  readonly dataDir?: string | undefined;
  readonly auditDir?: string | undefined;
  /** Tier of every key but `free_tier`. */
  readonly tier: string;
  readonly logLevel: LogLevel;
}

export interface Demo {
  readonly facts: {
    readonly gateway: string;
    readonly admin: string;
    readonly probes: string;
    readonly upstream: string;
    readonly data_dir: string;
    readonly audit_dir: string;
    readonly keys: Readonly<Record<keyof typeof demoKeys, string>>;
  };
  stop(): Promise<void>;
}

export const demoSpaces = ['alpha', 'beta', 'default'];

const read = ['MemoryRead'];
const write = ['MemoryRead', 'MemoryWrite', 'MemoryDelete'];
const demoKeys = {
  alpha_writer: { spaces: ['alpha'], permissions: write },
  alpha_reader: { spaces: ['alpha'], permissions: read },
  beta_writer: { spaces: ['beta'], permissions: write },
  all_spaces: { spaces: ['*'], permissions: [...write, 'SpaceList', 'SpaceCreate', 'SpaceDelete'] },
  admin: {
    spaces: ['*'],
    permissions: [
      'AdminUpstream',
      'AdminKeyManagement',
      'AdminConfig',
      'AdminPolicy',
      'AdminAudit',
      'AdminCredentials',
      'AdminIncident',
      'SystemShutdown',
    ],
  },
  free_tier: { spaces: ['alpha'], permissions: ['MemoryRead', 'MemoryWrite'] },
} as const;

const inPackage = (path: string): string => fileURLToPath(new URL(`../../${path}`, import.meta.url));

/** Starts a small memory server, memgate in front of it, and makes keys to try. */
export async function startDemo(options: DemoOptions): Promise<Result<Demo, readonly string[]>> {
  const made = options.dataDir === undefined ? await mkdtemp(join(tmpdir(), 'memgate-demo-')) : null;
  const dir = resolve(made ?? options.dataDir ?? '');
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const taken = made === null ? dataDirProblem(dir) : null; // before anything of another demo is written over
  if (taken !== null) return no([taken]);
  const server =
    options.upstream === undefined
      ? await startMemoryServer({ port: 0, dataDir: dir, spaces: demoSpaces, clock: systemClock })
      : null;
  const clean = async (): Promise<void> => {
    await server?.close();
    if (made !== null) await rm(made, { recursive: true, force: true });
  };
  const place = { dir, upstream: options.upstream ?? server?.url ?? '', isOwnDirectory: made !== null };
  const demo = await startGateway(options, place);
  if (!demo.ok) {
    await clean();
    return demo;
  }
  const stop = async (): Promise<void> => {
    await demo.value.stop();
    await clean();
  };
  return ok({ facts: demo.value.facts, stop });
}

interface DemoPlace {
  readonly dir: string;
  readonly upstream: string;
  readonly isOwnDirectory: boolean;
}

async function startGateway(options: DemoOptions, place: DemoPlace): Promise<Result<Demo, readonly string[]>> {
  const file = join(place.dir, 'memgate-demo.yaml');
  await writeFile(file, configText(options, place), { mode: 0o600 });
  const running = await start({ file, mayBeOpen: false, logLevel: options.logLevel });
  if (!running.ok) return running;
  const { gateway, admin, probes, dataDir, auditDir, stop } = running.value;
  try {
    const keys = await makeKeys(running.value, options.tier);
    const facts = { gateway, admin, probes, upstream: place.upstream, data_dir: dataDir, audit_dir: auditDir, keys };
    return ok({ facts, stop });
  } catch (thrown) {
    await stop();
    return no([messageOf(thrown)]);
  }
}

/** JSON is YAML: the configuration that `memgate serve --config` would read as well. */
function configText(options: DemoOptions, place: DemoPlace): string {
  const port = (usual: number): number => (options.port === 0 ? 0 : usual);
  const config = {
    data_dir: place.dir,
    profile: inPackage('config/profiles/engram.yaml'),
    policy: { bundle: inPackage('policies/dist/memgate.tar.gz') },
    gateway: { listen: `127.0.0.1:${String(options.port)}` },
    admin: { listen: `127.0.0.1:${String(port(9901))}` },
    probes: { listen: `127.0.0.1:${String(port(9902))}` },
    upstream: { url: place.upstream },
    // A directory of the demo's own is thrown away at the end: it may be in memory.
    audit: {
      ...(options.auditDir !== undefined && { dir: resolve(options.auditDir) }),
      allow_tmpfs: place.isOwnDirectory,
    },
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

async function makeKeys({ keyAdmin }: Running, tier: string): Promise<Demo['facts']['keys']> {
  const desk = keyAdmin.as(localOperator);
  const made: Record<string, string> = {};
  for (const [name, wish] of Object.entries(demoKeys)) {
    const issued = await desk.createKey({
      name: `demo ${name}`,
      owner: 'demo',
      ...wish,
      tier: name === 'free_tier' ? 'free' : tier,
    });
    if (!issued.ok) throw new Error(issued.why.problems.join('; '));
    made[name] = issued.value.key;
  }
  return made as Demo['facts']['keys']; // every name of the table was made
}

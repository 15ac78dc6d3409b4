import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect, createServer, type NetConnectOpts } from 'node:net';
import { delimiter, join } from 'node:path';
import { apacheConfig, haproxyConfig, nginxConfig, type Place } from './configs.js';
import { Leashed } from './leashed.js';
import type { Manners } from './reading.js';
import { passedOn, readByNode, type Readings, type Responder } from './responder.js';

/** A server whose reading counts. */
export interface ReferenceServer {
  readonly name: string;
  readonly version: string;
  readonly at: NetConnectOpts;
  readonly manners: Manners;
  readonly readings: Readings;
  stop(): Promise<void>;
}

interface Kind {
  readonly name: string;
  readonly programs: readonly string[];
  readonly manners: Manners;
  readonly listensOn: 'file' | 'port';
  readonly versionArgs: readonly string[];
  configure(place: Place): string;
  args(config: string, dir: string): readonly string[];
}

const startMsMax = 10_000;
const startTriesMax = 5;
const isRoot = process.getuid?.() === 0;
const apacheModules = ['/usr/lib/apache2/modules', '/usr/lib64/httpd/modules', '/usr/lib/httpd/modules'];

// Each as one process in the foreground: whoever ends it has ended it all.
const kinds: readonly Kind[] = [
  {
    name: 'nginx',
    programs: ['nginx'],
    manners: { joinsLines: false, tellsPath: true },
    listensOn: 'file',
    versionArgs: ['-v'],
    configure: nginxConfig,
    args: (config, dir) => ['-c', config, '-p', dir, '-e', join(dir, 'errors')],
  },
  {
    name: 'haproxy',
    programs: ['haproxy'],
    manners: { joinsLines: false, tellsPath: true },
    listensOn: 'file',
    versionArgs: ['-v'],
    configure: haproxyConfig,
    args: (config) => ['-db', '-q', '-f', config],
  },
  {
    name: 'apache2',
    programs: ['apache2', 'httpd'],
    manners: { joinsLines: true, tellsPath: true },
    listensOn: 'port',
    versionArgs: ['-v'],
    configure: (place) =>
      apacheConfig(place, apacheModules.find((dir) => existsSync(dir)) ?? '', isRoot ? unprivileged() : ''),
    args: (config) => ['-X', '-f', config],
  },
];

/** Whom Apache becomes when root starts it: it serves nothing as root. */
function unprivileged(): string {
  const users = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .map((line) => line.split(':'));
  const user = users.find(([name = '']) => ['www-data', 'apache', 'nobody'].includes(name));
  return user === undefined ? '' : `User ${user[0] ?? ''}\nGroup #${user[3] ?? ''}`;
}

const places = (process.env['PATH'] ?? '').split(delimiter).concat('/usr/sbin', '/sbin');

const findProgram = ({ programs }: Kind): string | undefined =>
  programs.flatMap((name) => places.map((dir) => join(dir, name))).find((file) => existsSync(file));

/** Names of the servers that are not installed. */
export const missingServers = (): readonly string[] =>
  kinds.filter((kind) => findProgram(kind) === undefined).map(({ name }) => name);

const versionIn = (text: string): string => /\d+\.\d+\.\d+/.exec(text)?.[0] ?? 'unknown';

function versionOf(program: string, args: readonly string[]): string {
  const script = '"$0" "$@" 2>&1'; // nginx tells it on standard error
  return versionIn(execFileSync('/bin/sh', ['-c', script, program, ...args], { encoding: 'utf8' }));
}

const listening = (responder: Responder): Promise<number> =>
  new Promise((resolve) => {
    responder.server.listen({ host: '127.0.0.1', port: 0 }, () => {
      const address = responder.server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  const port = await new Promise<number>((resolve) => {
    server.listen({ host: '127.0.0.1', port: 0 }, () => {
      const address = server.address();
      resolve(typeof address === 'object' && address !== null ? address.port : 0);
    });
  });
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const canConnect = (at: NetConnectOpts): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(at);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

/** @returns the running program, or null when it ended at once: its port may have been taken meanwhile */
async function spawned(program: string, args: readonly string[], at: NetConnectOpts): Promise<Leashed | null> {
  const leashed = new Leashed(program, args);
  const endMs = performance.now() + startMsMax;
  while (leashed.isAlive && performance.now() < endMs) {
    if (await canConnect(at)) return leashed;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await leashed.stop();
  return null;
}

async function start(kind: Kind, dir: string): Promise<ReferenceServer> {
  const program = findProgram(kind);
  if (program === undefined) throw new Error(`${kind.name} is not installed`);
  mkdirSync(dir);
  if (isRoot) chmodSync(dir, 0o755);
  const responder = passedOn();
  const port = await listening(responder);
  for (let tries = 0; tries < startTriesMax; tries += 1) {
    const listen = kind.listensOn === 'file' ? join(dir, 'socket') : String(await freePort());
    const at = kind.listensOn === 'file' ? { path: listen } : { host: '127.0.0.1', port: Number(listen) };
    const config = join(dir, 'config');
    writeFileSync(config, kind.configure({ dir, listen, responder: port }));
    const running = await spawned(program, kind.args(config, dir), at);
    if (running === null) continue;
    const stop = (): Promise<void> => running.stop().then(responder.close);
    const { name, manners, versionArgs } = kind;
    return { name, version: versionOf(program, versionArgs), at, manners, readings: responder.readings, stop };
  }
  await responder.close();
  throw new Error(`${kind.name} does not start: ${saidBy(dir)}`);
}

const saidBy = (dir: string): string =>
  readdirSync(dir).includes('errors') ? readFileSync(join(dir, 'errors'), 'utf8').slice(-500) : 'it said nothing';

async function startNode(): Promise<ReferenceServer> {
  const responder = readByNode();
  const port = await listening(responder);
  return {
    name: 'node',
    version: process.versions.node,
    at: { host: '127.0.0.1', port },
    manners: { joinsLines: false, tellsPath: false },
    readings: responder.readings,
    stop: responder.close,
  };
}

/** All of them, each ready to be connected to. @param dir an empty directory with a short name: sockets lie in it */
export async function startServers(dir: string): Promise<readonly ReferenceServer[]> {
  if (isRoot) chmodSync(dir, 0o755); // Apache changes its user
  return Promise.all([...kinds.map((kind) => start(kind, join(dir, kind.name))), startNode()]);
}

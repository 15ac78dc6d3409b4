import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { lstat, open, readdir, readFile, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { messageOf } from '../base/log.js';
import { fileProblem, type Problem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import type { RegoSources } from './port.js';
import { isTest } from './texts.js';

// A policy of ours is 60 KiB in 30 files; the caps keep a wrong directory from being read whole.
const filesMax = 1_000;
const bytesMax = 8 * 1_048_576;
const depthMax = 16;
const looksMax = 3;
const missing = 'does not exist; wanted a directory of .rego files, as `memgate policy init DIR` makes in DIR/bundle';

class Unreadable extends Error {
  readonly path: string;
  constructor(path: string, message: string) {
    super(message);
    this.path = path;
  }
}

/** Capabilities that memgate brings: what the engine of the running process has. The place is the same from src/ and from dist/. */
export const shippedCapabilities = (): Promise<string> =>
  readFile(fileURLToPath(new URL('../../policies/capabilities.json', import.meta.url)), 'utf8');

/**
 * Reads what a bundle is made of from a directory: `.rego` with tests, `data.json`, `data.yaml`, `.manifest` and
 * `.signatures.json`; nothing else. A volume of Kubernetes is read as the one state that its `..data` names; other
 * links are refused.
 */
export async function readSourceDirectory(
  directory: string,
): Promise<Result<RegoSources['files'], readonly Problem[]>> {
  try {
    const read = await readState(directory, looksMax);
    return read.size === 0 ? no([fileProblem(directory, 'holds no policy: no .rego file is in it')]) : ok(read);
  } catch (thrown) {
    const path = thrown instanceof Unreadable ? thrown.path : '';
    return no([fileProblem(join(directory, path), messageOf(thrown))]);
  }
}

/** Where the files of that state have their names: they stay the same when a volume is swapped. */
export async function namesOf(directory: string): Promise<string> {
  const data = join(directory, '..data');
  return (await realpath(data).catch(() => null)) === null ? directory : data;
}

/** All of one state: where a volume was swapped meanwhile, the state of now is read instead. */
async function readState(directory: string, looks: number): Promise<RegoSources['files']> {
  const root = await stateOf(directory);
  const read = await tryRead(root);
  if (looks > 1 && (await stateOf(directory)) !== root) return readState(directory, looks - 1);
  if (read instanceof Error) throw read;
  return read;
}

/** The directory that is meant, without links: for a volume of Kubernetes the one behind `..data`. */
async function stateOf(directory: string): Promise<string> {
  try {
    const root = await realpath(directory);
    const data = await realpath(join(root, '..data')).catch(() => null);
    if (data === null) return root;
    if (!data.startsWith(`${root}/`)) throw new Unreadable('..data', 'leads out of its directory');
    return data;
  } catch (thrown) {
    if (thrown instanceof Unreadable) throw thrown;
    const isMissing = thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT';
    throw new Unreadable('', isMissing ? missing : `cannot be read: ${messageOf(thrown)}`);
  }
}

const tryRead = (root: string): Promise<Map<string, Uint8Array> | Error> =>
  readTree(root).catch((thrown: unknown) => (thrown instanceof Error ? thrown : new Error(messageOf(thrown))));

async function readTree(root: string): Promise<Map<string, Uint8Array>> {
  const found = new Map<string, Uint8Array>();
  let left = bytesMax;
  for (const path of await pathsIn(root)) {
    const bytes = await readCapped(root, path, left);
    left -= bytes.length;
    found.set(path, bytes);
  }
  return [...found.keys()].some((path) => path.endsWith('.rego')) ? found : new Map();
}

const isWanted = (name: string, depth: number): boolean =>
  (name.endsWith('.rego') && !name.startsWith('.')) ||
  name === 'data.json' ||
  name === 'data.yaml' ||
  (depth === 0 && (name === '.manifest' || name === '.signatures.json'));

/** True for what a directory of sources is read for; a path from its root. */
export function isSource(path: string): boolean {
  const parts = path.split('/');
  return isWanted(parts.at(-1) ?? '', parts.length - 1) && parts.slice(0, -1).every((part) => !part.startsWith('.'));
}

/** Paths of the files that are wanted, in the order of their names. */
async function pathsIn(root: string): Promise<readonly string[]> {
  const paths: string[] = [];
  const walk = async (directory: string, depth: number): Promise<void> => {
    if (depth > depthMax) throw new Unreadable(directory, `is nested deeper than ${String(depthMax)} directories`);
    const entries = await readdir(join(root, directory), { withFileTypes: true });
    for (const entry of entries) {
      const path = directory === '' ? entry.name : `${directory}/${entry.name}`;
      if (entry.isDirectory() && !entry.name.startsWith('.')) await walk(path, depth + 1);
      else if (!entry.isDirectory() && isWanted(entry.name, depth)) paths.push(path);
      if (paths.length > filesMax) throw new Unreadable('', `holds more than ${String(filesMax)} files`);
    }
  };
  await walk('', 0);
  return paths.sort();
}

async function readCapped(root: string, path: string, left: number): Promise<Buffer> {
  const file = join(root, path);
  if ((await lstat(file)).isSymbolicLink()) throw new Unreadable(path, 'is a link; wanted a file');
  // A link or a pipe that has just taken its place neither leads away nor waits.
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stat = await handle.stat();
    if (!stat.isFile()) throw new Unreadable(path, 'is not a regular file');
    if (stat.size > left) throw new Unreadable('', `holds more than ${String(bytesMax)} bytes`);
    const bytes = Buffer.alloc(stat.size);
    const { bytesRead } = await handle.read(bytes, 0, stat.size, 0);
    return bytes.subarray(0, bytesRead);
  } finally {
    await handle.close();
  }
}

/** The name of what a bundle is made from: a digest over every source but the tests, and over what they may use. */
export function sourceRevision({ files, capabilities }: RegoSources): string {
  const hash = createHash('sha256');
  const add = (name: string, bytes: Uint8Array): void => {
    hash.update(`${String(name.length)}:${name}${String(bytes.length)}:`).update(bytes);
  };
  for (const [path, bytes] of [...files].sort(([a], [b]) => (a < b ? -1 : 1)))
    if (!isTest(path) && path !== '.signatures.json') add(path, bytes);
  add('capabilities.json', Buffer.from(capabilities));
  return hash.digest('hex').slice(0, 32);
}

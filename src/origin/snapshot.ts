import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { diskFiles, readOpen, readUpTo, tooLong, type Files } from '../base/files.js';
import { no, type Result } from '../base/result.js';
import type { Content } from './kept.js';

/** The largest file that any loader takes: key manifests. */
const keptBytesMax = 16 * 1_048_576;
const folderDepthMax = 4;

interface Seen<T> {
  /** What the place looked like when it was read. */
  readonly look: string;
  readonly found: Result<T, string>;
}

/**
 * One moment of the disk: every file is read once, and what was read stays what it was. Whether all of it belongs together is
 * asked at the end: a place that looks different by then was swapped or written meanwhile.
 */
export class Snapshot implements Files {
  readonly #files = new Map<string, Promise<Seen<Buffer>>>();
  readonly #dirs = new Map<string, Promise<Seen<readonly string[]>>>();

  async bytes(file: string, maxBytes: number): Promise<Result<Buffer, string>> {
    const { found } = await remembered(this.#files, file, readFile);
    return found.ok && found.value.length > maxBytes ? no(tooLong(maxBytes)) : found;
  }

  async names(dir: string): Promise<Result<readonly string[], string>> {
    return (await remembered(this.#dirs, dir, readNames)).found;
  }

  /** Reads every file of a directory and its folders that the test takes; names that begin with a dot are links of volumes, or somebody's own. */
  async gather(dir: string, isWanted: (name: string) => boolean, depth = 0): Promise<void> {
    const names = await this.names(dir);
    if (!names.ok) return;
    const own = names.value.filter((name) => !name.startsWith('.')).map((name) => join(dir, name));
    const read = async (path: string): Promise<void> => {
      if (await isFolder(path)) {
        if (depth < folderDepthMax) await this.gather(path, isWanted, depth + 1);
      } else if (isWanted(path)) await this.bytes(path, keptBytesMax);
    };
    await Promise.all(own.map(read));
  }

  /** True when every place still looks as it did when it was read. */
  async isSettled(): Promise<boolean> {
    const seen: readonly (readonly [string, Promise<Seen<unknown>>])[] = [...this.#files, ...this.#dirs];
    const same = await Promise.all(seen.map(async ([path, read]) => (await lookOf(path)) === (await read).look));
    return same.every(Boolean);
  }

  /** What was read at these paths, to be kept. */
  async kept(bundle: Buffer, isKept: (path: string) => boolean): Promise<Content> {
    return { bundle, files: await goodOf(this.#files, isKept), dirs: await goodOf(this.#dirs, isKept) };
  }

  /** Every path that was asked for, whether it was there or not. */
  places(): readonly string[] {
    return [...this.#files.keys(), ...this.#dirs.keys()];
  }

  /** SHA-256, hex, over all paths and what was found there. */
  async digest(): Promise<string> {
    const whole = createHash('sha256');
    for (const path of [...this.#files.keys()].sort()) {
      const found = (await this.#files.get(path))?.found;
      const text = found?.ok === true ? createHash('sha256').update(found.value).digest('hex') : (found?.why ?? '');
      whole.update(JSON.stringify([path, found?.ok ?? false, text]));
    }
    return whole.digest('hex');
  }
}

function remembered<T>(known: Map<string, Promise<T>>, path: string, read: (path: string) => Promise<T>): Promise<T> {
  const present = known.get(path) ?? read(path);
  known.set(path, present);
  return present;
}

async function goodOf<T>(
  seen: ReadonlyMap<string, Promise<Seen<T>>>,
  isKept: (path: string) => boolean,
): Promise<ReadonlyMap<string, T>> {
  const good = new Map<string, T>();
  for (const [path, read] of seen) {
    const { found } = await read;
    if (found.ok && isKept(path)) good.set(path, found.value);
  }
  return good;
}

// Looked at through the open file: what is read is what was looked at, even if its name belongs to another file by now.
async function readFile(path: string): Promise<Seen<Buffer>> {
  let look = '';
  const found = await readOpen(path, async (handle) => {
    look = lookText(await handle.stat({ bigint: true }));
    return readUpTo(handle, keptBytesMax + 1);
  });
  return { look: look === '' ? await lookOf(path) : look, found };
}

async function readNames(dir: string): Promise<Seen<readonly string[]>> {
  const look = await lookOf(dir);
  return { look, found: await diskFiles.names(dir) };
}

/** Nanoseconds of both times, so that a second write within a tick of the clock shows. A symbolic link is followed: that is how volumes switch. */
async function lookOf(path: string): Promise<string> {
  try {
    return lookText(await stat(path, { bigint: true }));
  } catch {
    return 'absent';
  }
}

type Look = Readonly<Record<'dev' | 'ino' | 'size' | 'mtimeNs' | 'ctimeNs', bigint>>;

const lookText = ({ dev, ino, size, mtimeNs, ctimeNs }: Look): string => [dev, ino, size, mtimeNs, ctimeNs].join(' ');

const isFolder = async (path: string): Promise<boolean> => {
  try {
    return (await stat(path)).isDirectory();
  } catch {
    return false;
  }
};

const tries = 40;
const pauseMs = 5;

/**
 * Reads until all of it is of one moment.
 *
 * @param gather asks the snapshot for everything that will be needed, quickly and without thinking about it
 * @returns null when the files never stood still
 */
export async function atOneMoment(gather: (snapshot: Snapshot) => Promise<unknown>): Promise<Snapshot | null> {
  for (let n = 0; n < tries; n += 1) {
    const snapshot = new Snapshot();
    await gather(snapshot);
    if (await snapshot.isSettled()) return snapshot;
    await after(pauseMs);
  }
  return null;
}

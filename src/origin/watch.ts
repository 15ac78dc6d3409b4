import { watch, type FSWatcher } from 'node:fs';
import { lstat, readlink } from 'node:fs/promises';
import { dirname, isAbsolute, join } from 'node:path';
import { messageOf, type Logger } from '../base/log.js';

export interface WatchOptions {
  /** How long nothing may change before it is looked at. */
  readonly debounceMs: number;
  /** Between two looks that nothing has asked for: the second line, for file systems that do not tell. */
  readonly rehashMs: number;
}

export interface WatchPorts {
  readonly log: Logger;
  /** Every file and directory of the last look. */
  readonly places: () => readonly string[];
  /** Looks at all of them, and does what is to be done when they have changed. */
  readonly look: () => Promise<unknown>;
}

export interface Watch {
  /** Directories that tell of changes; fewer than there are when the system has no more watches to give. */
  watched(): number;
  /** After a look by others: there may be other places now. */
  again(): Promise<void>;
  close(): void;
}

/** Names that matter in a directory; null: all of them. */
type Names = ReadonlySet<string> | null;

const debounces = 10;
const linksMax = 40;

/**
 * Watches directories, never files: an editor renames, a volume of Kubernetes swaps the link `..data`, a release directory is
 * switched by a link further up. So every directory in which a link of the way stands is watched as well.
 */
export async function startWatch(options: WatchOptions, ports: WatchPorts): Promise<Watch> {
  const watching = new Watching(options, ports);
  await watching.again();
  return watching;
}

class Watching implements Watch {
  readonly #options: WatchOptions;
  readonly #ports: WatchPorts;
  readonly #watchers = new Map<string, FSWatcher>();
  #wanted: ReadonlyMap<string, Names> = new Map();
  #quiet: NodeJS.Timeout | null = null;
  /** Events put a look off, but not for ever. */
  #putOff = 0;
  #isLooking = false;
  #isAskedAgain = false;
  #isClosed = false;
  readonly #slow: NodeJS.Timeout;

  constructor(options: WatchOptions, ports: WatchPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#slow = setInterval(() => void this.#look(), options.rehashMs).unref();
  }

  watched(): number {
    return this.#watchers.size;
  }

  async again(): Promise<void> {
    const wanted = await directoriesOf(this.#ports.places());
    if (this.#isClosed) return;
    this.#wanted = wanted;
    for (const [dir, watcher] of this.#watchers) if (!wanted.has(dir)) this.#drop(dir, watcher);
    for (const dir of wanted.keys()) if (!this.#watchers.has(dir)) this.#add(dir);
  }

  close(): void {
    this.#isClosed = true;
    clearInterval(this.#slow);
    if (this.#quiet !== null) clearTimeout(this.#quiet);
    for (const [dir, watcher] of this.#watchers) this.#drop(dir, watcher);
  }

  #add(dir: string): void {
    try {
      const watcher = watch(dir, { persistent: false }, (_event, name) => {
        // A directory that was moved or removed tells of itself once, and then never again.
        if (name === null || name === dir.slice(dir.lastIndexOf('/') + 1)) this.#drop(dir, watcher);
        this.#noticed(dir, name);
      });
      watcher.on('error', () => {
        this.#drop(dir, watcher);
      });
      this.#watchers.set(dir, watcher);
    } catch (thrown) {
      this.#ports.log.warn('reload.watch-refused', { dir, problem: messageOf(thrown) });
    }
  }

  #drop(dir: string, watcher: FSWatcher): void {
    watcher.close();
    if (this.#watchers.get(dir) === watcher) this.#watchers.delete(dir);
  }

  #noticed(dir: string, name: string | null): void {
    const names = this.#wanted.get(dir);
    const matters = name === null || names === null || names === undefined || names.has(name) || name.startsWith('..');
    if (!matters || this.#isClosed || this.#putOff >= debounces) return;
    if (this.#quiet !== null) clearTimeout(this.#quiet);
    this.#putOff += 1;
    this.#quiet = setTimeout(() => void this.#look(), this.#options.debounceMs);
  }

  async #look(): Promise<void> {
    this.#putOff = 0;
    this.#quiet = null;
    this.#isAskedAgain = this.#isLooking;
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      await this.#ports.look();
      await this.again();
    } catch (thrown) {
      this.#ports.log.error('reload.watch-failed', { problem: messageOf(thrown) });
    } finally {
      this.#isLooking = false;
    }
    if (this.#isAskedAgain && !this.#isClosed) await this.#look();
  }
}

/** Directories that tell when any of the places, or the way to one, becomes another. */
async function directoriesOf(places: readonly string[]): Promise<ReadonlyMap<string, Names>> {
  const wanted = new Map<string, Set<string> | null>();
  const want = (dir: string, name: string | null): void => {
    const names = wanted.get(dir);
    if (name === null) wanted.set(dir, null);
    else if (names === undefined) wanted.set(dir, new Set([name]));
    else names?.add(name);
  };
  for (const place of places) await follow(place, want);
  return wanted;
}

async function follow(place: string, want: (dir: string, name: string | null) => void): Promise<void> {
  const rest = place.split('/').filter(Boolean);
  let at = '/';
  for (let links = 0; rest.length > 0;) {
    const name = rest.shift() ?? '';
    if (name === '.' || name === '..') {
      if (name === '..') at = dirname(at);
      continue;
    }
    const next = join(at, name);
    const stats = await lstat(next).catch(() => null);
    const isLast = rest.length === 0;
    if (stats === null || stats.isSymbolicLink() || isLast) want(at, name);
    if (stats === null) return;
    if (stats.isSymbolicLink()) {
      links += 1;
      const target = links > linksMax ? null : await readlink(next).catch(() => null);
      if (target === null) return;
      rest.unshift(...target.split('/').filter(Boolean));
      if (isAbsolute(target)) at = '/';
      continue;
    }
    at = next;
    if (isLast && stats.isDirectory()) want(at, null);
  }
}

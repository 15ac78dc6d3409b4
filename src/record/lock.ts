import { randomBytes } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { no, ok, type Result } from '../base/result.js';

export interface Lock {
  release(): Promise<void>;
}

/** Kernel's start time of a process: a process id that was given out again has another one. Null where there is no /proc. */
async function startTimeOf(pid: number): Promise<string | null> {
  const stat = await readFile(`/proc/${String(pid)}/stat`, 'latin1').catch(() => null);
  // The second field is the program's name in parentheses and may hold anything, so count from the last one.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? null;
}

const bootId = async (): Promise<string> =>
  (await readFile('/proc/sys/kernel/random/boot_id', 'latin1').catch(() => '')).trim();

interface Holder {
  readonly pid: number;
  readonly started: string | null;
  readonly boot: string;
}

function parseHolder(text: string): Holder | null {
  try {
    const value = JSON.parse(text) as Partial<Holder> | null;
    if (typeof value?.pid !== 'number' || !Number.isSafeInteger(value.pid) || value.pid < 1) return null;
    return { pid: value.pid, started: value.started ?? null, boot: value.boot ?? '' };
  } catch {
    return null;
  }
}

async function isAlive(holder: Holder): Promise<boolean> {
  if (holder.boot !== (await bootId())) return false;
  const started = await startTimeOf(holder.pid);
  if (started !== null || holder.started !== null) return started === holder.started;
  try {
    process.kill(holder.pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'EPERM';
  }
}

/** The process that holds a directory's lock now, or null. */
export async function lockHolder(dir: string): Promise<number | null> {
  const text = await readFile(join(dir, 'lock'), 'utf8').catch(() => null);
  const holder = text === null ? null : parseHolder(text);
  return holder !== null && (await isAlive(holder)) ? holder.pid : null;
}

/**
 * Takes `<dir>/lock`. The file appears whole, by `link`, so that nobody reads half of one; one left by a process that is
 * gone is moved aside first and looked at again, so that two starters cannot both remove it.
 */
export async function takeLock(dir: string): Promise<Result<Lock, string>> {
  const path = join(dir, 'lock');
  const mine = JSON.stringify({ pid: process.pid, started: await startTimeOf(process.pid), boot: await bootId() });
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, mine, { mode: 0o600 });
  try {
    for (let attempt = 0; attempt < 3; attempt += 1) {
      if (await appears(draft, path)) return ok({ release: () => release(path, mine) });
      const held = await readFile(path, 'utf8').catch(() => null);
      if (held === null) continue;
      const holder = parseHolder(held);
      if (holder !== null && (await isAlive(holder))) {
        return no(
          `${path} is held by the running process ${String(holder.pid)}; give each process its own audit directory`,
        );
      }
      await discard(path, held);
    }
    return no(`${path} changes hands; start one process at a time on an audit directory`);
  } finally {
    await rm(draft, { force: true });
  }
}

const appears = (draft: string, path: string): Promise<boolean> =>
  link(draft, path).then(
    () => true,
    (error: unknown) => {
      if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
      throw error;
    },
  );

async function discard(path: string, seen: string): Promise<void> {
  const aside = `${path}.stale.${randomBytes(6).toString('hex')}`;
  const isMoved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!isMoved) return;
  const moved = await readFile(aside, 'utf8').catch(() => seen);
  if (moved !== seen) await appears(aside, path); // somebody's fresh lock: put it back
  await rm(aside, { force: true });
}

async function release(path: string, mine: string): Promise<void> {
  const now = await readFile(path, 'utf8').catch(() => null);
  if (now === mine) await rm(path, { force: true });
}

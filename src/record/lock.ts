import { randomBytes } from 'node:crypto';
import { readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { no, ok, type Result } from '../base/result.js';

export interface Lock {
  release(): Promise<void>;
}

const textOf = (path: string): Promise<string | null> =>
  readFile(path, 'latin1').then(
    (text) => text.trim(),
    () => null,
  );

/** Kernel's start time of a process: a process id that was given out again has another one. Empty where there is no /proc. */
async function startTimeOf(pid: number): Promise<string> {
  const stat = await textOf(`/proc/${String(pid)}/stat`);
  // The second field is the program's name in parentheses and may hold anything, so count from the last one.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
}

const bootId = async (): Promise<string> => (await textOf('/proc/sys/kernel/random/boot_id'))?.slice(0, 8) ?? '';

/** What the lock says of its holder: `PID:START:BOOT`. Short enough to live in the inode, so that a full disk holds it too. */
export async function lockText(pid: number): Promise<string> {
  return `${String(pid)}:${await startTimeOf(pid)}:${await bootId()}`;
}

async function holderAlive(text: string): Promise<number | null> {
  const [pidText = '', started, boot] = text.split(':');
  const pid = /^[1-9]\d{0,9}$/.test(pidText) ? Number(pidText) : null;
  if (pid === null || boot !== (await bootId()) || started !== (await startTimeOf(pid))) return null;
  if (started !== '') return pid;
  try {
    process.kill(pid, 0);
    return pid;
  } catch (error) {
    return hasCode(error, 'EPERM') ? pid : null;
  }
}

const hasCode = (error: unknown, code: string): boolean =>
  error instanceof Error && 'code' in error && error.code === code;

const read = (path: string): Promise<string | null> => readlink(path).catch(() => null);

/** The process that holds a directory's lock now, or null. */
export async function lockHolder(dir: string): Promise<number | null> {
  const text = await read(join(dir, 'lock'));
  return text === null ? null : holderAlive(text);
}

/**
 * Takes `<dir>/lock`, a symbolic link whose target is the holder: it appears whole or not at all, and needs no free block.
 * One left by a process that is gone is moved aside first and looked at again, so that two starters cannot both remove it.
 */
export async function takeLock(dir: string): Promise<Result<Lock, string>> {
  const path = join(dir, 'lock');
  const mine = await lockText(process.pid);
  for (let attempt = 0; attempt < 3; attempt += 1) {
    if (await appears(mine, path)) return ok({ release: () => release(path, mine) });
    const held = await read(path);
    if (held === null) {
      if (await isOther(path)) return no(`${path} is not a lock of this program; move it away`);
      continue;
    }
    const holder = await holderAlive(held);
    if (holder !== null) {
      return no(`${path} is held by the running process ${String(holder)}; give each process its own audit directory`);
    }
    await discard(path, held);
  }
  return no(`${path} changes hands; start one process at a time on an audit directory`);
}

const isOther = async (path: string): Promise<boolean> =>
  readlink(path).then(
    () => false,
    (error: unknown) => !hasCode(error, 'ENOENT'),
  );

const appears = (text: string, path: string): Promise<boolean> =>
  symlink(text, path).then(
    () => true,
    (error: unknown) => {
      if (hasCode(error, 'EEXIST')) return false;
      throw error;
    },
  );

async function discard(path: string, seen: string): Promise<void> {
  const aside = `${path}.${randomBytes(6).toString('hex')}`;
  const isMoved = await rename(path, aside).then(
    () => true,
    () => false,
  );
  if (!isMoved) return;
  const moved = await read(aside);
  if (moved !== null && moved !== seen) await appears(moved, path); // somebody's fresh lock: put it back
  await rm(aside, { force: true });
}

async function release(path: string, mine: string): Promise<void> {
  if ((await read(path)) === mine) await rm(path, { force: true });
}

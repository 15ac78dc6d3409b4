import Database from 'better-sqlite3';
import { closeSync, openSync } from 'node:fs';
import { join } from 'node:path';
import { messageOf } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import { prepareDataDir } from './files.js';

/** Held while a process works in a data directory. */
export interface DataDirLock {
  release(): void;
}

const isBusy = (thrown: unknown): boolean =>
  thrown instanceof Error && 'code' in thrown && String(thrown.code).startsWith('SQLITE_BUSY');

/**
 * Takes a data directory for this process. The lock is SQLite's lock on a file of its own, which the kernel drops
 * when the process dies, however it dies: there is no stale lock to remove.
 *
 * @returns the reason, with the directory's name, when another process has it or it cannot be used
 */
export function lockDataDir(dataDir: string): Result<DataDirLock, string> {
  const prepared = prepareDataDir(dataDir);
  if (!prepared.ok) return prepared;
  const file = join(dataDir, 'lock.db');
  let database: Database.Database | undefined;
  try {
    createPrivately(file);
    const held = (database = new Database(file, { timeout: 0 }));
    held.pragma('locking_mode = EXCLUSIVE');
    held.exec('BEGIN EXCLUSIVE');
    return ok({ release: () => void held.close() });
  } catch (thrown) {
    database?.close();
    if (isBusy(thrown)) return no(`data directory ${dataDir} is in use by another memgate process`);
    return no(`data directory ${dataDir} cannot be locked: ${messageOf(thrown)}`);
  }
}

/** Makes the file with its final mode. An existing one is not opened: closing it would drop this process's own locks on it. */
function createPrivately(file: string): void {
  try {
    closeSync(openSync(file, 'wx', 0o600));
  } catch (thrown) {
    if (!(thrown instanceof Error && 'code' in thrown && thrown.code === 'EEXIST')) throw thrown;
  }
}

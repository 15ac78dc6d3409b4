import { chmodSync, lstatSync, mkdirSync, readdirSync, type Stats } from 'node:fs';
import { messageOf } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';

const statOf = (path: string): Stats | null => lstatSync(path, { throwIfNoEntry: false }) ?? null;
const isOurs = (stats: Stats): boolean => process.getuid === undefined || stats.uid === process.getuid();
const openToOthers = 0o077;
const sticky = 0o1000;

/**
 * Makes the data directory with mode 0700, or looks at the one that is there. A wider one is narrowed only when it is plainly ours
 * (our user's, and empty or used by memgate before): narrowing somebody's shared directory would break more than it protects.
 *
 * @returns warnings for the log
 */
export function prepareDataDir(dataDir: string): Result<readonly string[], string> {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const stats = lstatSync(dataDir);
    if (!stats.isDirectory()) return no(`data directory ${dataDir} is not a directory (links are not followed)`);
    if ((stats.mode & sticky) !== 0)
      return no(`data directory ${dataDir} is shared (sticky); give memgate a directory of its own`);
    if ((stats.mode & openToOthers) === 0) return ok([]);
    const names = readdirSync(dataDir);
    if (isOurs(stats) && (names.length === 0 || names.includes('memgate.db'))) {
      chmodSync(dataDir, 0o700);
      return ok([`data directory ${dataDir} was open to others; its mode is 0700 now`]);
    }
    return ok([`data directory ${dataDir} is open to others (mode ${(stats.mode & 0o777).toString(8)}); make it 0700`]);
  } catch (thrown) {
    return no(`data directory ${dataDir} cannot be used: ${messageOf(thrown)}`);
  }
}

/**
 * Looks at the database file and narrows its mode to 0600.
 *
 * @returns warnings for the log, `absent`, or why the file must not be opened
 */
export function prepareDatabaseFile(file: string): Result<readonly string[] | 'absent', string> {
  const stats = statOf(file);
  if (stats === null) {
    // SQLite would ignore or replay a log without its database, and call the rest an empty store.
    if (statOf(`${file}-wal`) !== null)
      return no(`${file} is missing but ${file}-wal is there: restore both, or remove the second`);
    return ok('absent');
  }
  if (!stats.isFile()) return no(`${file} is not a regular file`);
  if ((stats.mode & openToOthers) === 0) return ok([]);
  chmodSync(file, 0o600);
  return ok([`${file} was open to others (mode ${(stats.mode & 0o777).toString(8)}); its mode is 0600 now`]);
}

import Database from 'better-sqlite3';
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { messageOf } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import { prepareDatabaseFile, prepareDataDir } from './files.js';
import { integrityProblem } from './integrity.js';
import { migrate } from './migrate.js';
import type { Store, StoreOptions } from './port.js';
import { SqliteStore } from './sqlite-store.js';

export { lockDataDir, type DataDirLock } from './lock.js';
export type { Store, StoredKeys, StoreOptions } from './port.js';
export type { DayUses, KeyUses } from './uses.js';

const busyTimeoutMs = 100;

/** FULL, because an acknowledged revoke must survive a power cut; the rest because a crafted file must not run code. */
const harden = (database: Database.Database): void => {
  for (const pragma of [
    'journal_mode = WAL',
    'synchronous = FULL',
    'trusted_schema = OFF',
    'cell_size_check = ON',
    'foreign_keys = ON',
  ]) {
    database.pragma(pragma);
  }
};

const databaseFile = 'memgate.db';

/** Whether a data directory holds a store. */
export const hasStore = (dataDir: string): boolean => existsSync(join(dataDir, databaseFile));

/** Makes an empty store under another name first: a crash in between leaves no half database to be taken for an empty one. */
function createDatabase(file: string): void {
  const part = `${file}.new`;
  for (const name of [part, `${part}-journal`]) rmSync(name, { force: true });
  closeSync(openSync(part, 'wx', 0o600));
  const database = new Database(part, { timeout: busyTimeoutMs });
  try {
    migrate(database, true);
  } finally {
    database.close();
  }
  renameSync(part, file);
  const directory = openSync(dirname(file), 'r');
  fsyncSync(directory);
  closeSync(directory);
}

function openDatabase(file: string): Result<{ database: Database.Database; warnings: readonly string[] }, string> {
  const database = new Database(file, { timeout: busyTimeoutMs, fileMustExist: true });
  const refused = (why: string): Result<never, string> => {
    database.close();
    return no(why);
  };
  try {
    harden(database);
    const damage = integrityProblem(database);
    if (damage !== null) return refused(`${file} ${damage}; restore a backup`);
    const migrated = migrate(database, false);
    return migrated.ok ? ok({ database, warnings: migrated.value }) : refused(migrated.why);
  } catch (thrown) {
    return refused(`${file} cannot be read: ${messageOf(thrown)}; restore a backup`);
  }
}

/**
 * Opens `memgate.db` in the data directory, or makes it. The caller holds the directory's lock.
 *
 * @returns why not, for a file that is damaged, empty, foreign or of a newer program: never an empty key set in its place
 */
export function openStore(options: StoreOptions): Result<Store, string> {
  const file = join(options.dataDir, databaseFile);
  try {
    const directory = prepareDataDir(options.dataDir);
    if (!directory.ok) return directory;
    const prepared = prepareDatabaseFile(file);
    if (!prepared.ok) return prepared;
    if (prepared.value === 'absent') createDatabase(file);
    else if (statSync(file).size === 0)
      return no(`${file} is empty; restore a backup, or remove it to begin with no keys`);
    const opened = openDatabase(file);
    if (!opened.ok) return opened;
    const narrowed = prepared.value === 'absent' ? [] : prepared.value;
    const store = new SqliteStore(opened.value.database, options, [
      ...directory.value,
      ...narrowed,
      ...opened.value.warnings,
    ]);
    return readable(store, file);
  } catch (thrown) {
    return no(`${file} cannot be opened: ${messageOf(thrown)}`);
  }
}

/** A row that cannot be understood is found now, not at the first request. */
function readable(store: Store, file: string): Result<Store, string> {
  try {
    store.keys();
    store.manifestRevocations();
    return ok(store);
  } catch (thrown) {
    store.close();
    return no(`${file} holds rows that this program did not write: ${messageOf(thrown)}; restore a backup`);
  }
}

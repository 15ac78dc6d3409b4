import type { Database } from 'better-sqlite3';
import { chmodSync, existsSync, rmSync } from 'node:fs';
import { no, ok, type Result } from '../base/result.js';

/** 'mgat': tells our file from any other SQLite database. */
const applicationId = 0x6d676174;

/** Step n takes the schema from version n to n + 1. Steps are only ever added. */
export const steps: readonly string[] = [
  `CREATE TABLE keys (
     id TEXT PRIMARY KEY NOT NULL, hash TEXT NOT NULL, name TEXT NOT NULL, owner TEXT,
     spaces TEXT NOT NULL, permissions TEXT NOT NULL, roles TEXT NOT NULL, tier TEXT,
     not_before INTEGER, expires_at INTEGER, created_at INTEGER NOT NULL,
     replaced_by TEXT, grace_until INTEGER, revoked_at INTEGER, revoked_reason TEXT,
     CHECK ((replaced_by IS NULL) = (grace_until IS NULL)), CHECK ((revoked_at IS NULL) = (revoked_reason IS NULL))
   ) STRICT;
   CREATE TABLE manifest_revocations (id TEXT PRIMARY KEY NOT NULL, at INTEGER NOT NULL, reason TEXT NOT NULL) STRICT;
   CREATE TABLE key_uses (id TEXT PRIMARY KEY NOT NULL, uses INTEGER NOT NULL, deprecated INTEGER NOT NULL, last_used INTEGER NOT NULL) STRICT;
   CREATE TABLE key_uses_by_day (
     id TEXT NOT NULL, day INTEGER NOT NULL, uses INTEGER NOT NULL, deprecated INTEGER NOT NULL, PRIMARY KEY (id, day)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE spaces (name TEXT PRIMARY KEY NOT NULL, created_at INTEGER NOT NULL) STRICT;`,
];

const numberOf = (database: Database, pragma: string): number => Number(database.pragma(pragma, { simple: true }));

function free(base: string): string {
  let file = base;
  for (let turn = 2; existsSync(file); turn += 1) file = `${base}.${String(turn)}`;
  return file;
}

/**
 * Brings the schema to the newest version: a copy of the database first, then all steps in one transaction.
 *
 * @param isNew true when this process has just made the file; only then may it be without our mark
 * @returns warnings for the log, or why this database is not for this program
 */
export function migrate(
  database: Database,
  isNew: boolean,
  all: readonly string[] = steps,
): Result<readonly string[], string> {
  const version = numberOf(database, 'user_version');
  const mark = numberOf(database, 'application_id');
  if (!isNew && mark !== applicationId) return no(`${database.name} is not a key store of memgate`);
  if (version > all.length) {
    return no(
      `${database.name} has schema version ${String(version)}, this program knows ${String(all.length)}: use the newer program, or restore the copy made before it`,
    );
  }
  if (version === all.length) return ok([]);
  if (isNew) {
    take(database, version, all);
    return ok([]);
  }
  const copy = free(`${database.name}.before-v${String(all.length)}`);
  try {
    database.prepare('VACUUM INTO ?').run(copy);
    chmodSync(copy, 0o600);
    take(database, version, all);
  } catch (thrown) {
    rmSync(copy, { force: true }); // a process that restarts for ever must not fill the disk with copies
    throw thrown;
  }
  return ok([
    `schema version ${String(version)} was brought to ${String(all.length)}; the old database is kept in ${copy}`,
  ]);
}

/** All steps or none. */
function take(database: Database, version: number, all: readonly string[]): void {
  database.transaction(() => {
    for (const step of all.slice(version)) database.exec(step);
    database.pragma(`application_id = ${String(applicationId)}`);
    database.pragma(`user_version = ${String(all.length)}`);
  })();
}

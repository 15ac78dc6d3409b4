import Database from 'better-sqlite3';

/** What SQLite finds wrong with an open database, or null. */
export function integrityProblem(database: Database.Database): string | null {
  const found = database.pragma('quick_check(3)', { simple: true });
  return found === 'ok' ? null : `is damaged: ${String(found).split('\n')[0] ?? ''}`;
}

/** The same for a file that nobody has open. */
export function contentProblem(file: string): string | null {
  const copy = new Database(file, { readonly: true, fileMustExist: true });
  try {
    return integrityProblem(copy);
  } finally {
    copy.close();
  }
}

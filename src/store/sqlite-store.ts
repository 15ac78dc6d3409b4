import type Database from 'better-sqlite3';
import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs';
import { systemClock, type Clock } from '../base/clock.js';
import { messageOf } from '../base/log.js';
import { Fault } from '../model/codes.js';
import { phcProblem, type KeyEntry, type Revocation } from '../identify/identify.js';
import { contentProblem } from './integrity.js';
import type { StoredKeys, Store, StoreOptions } from './port.js';
import { toEntry, toRow, type KeyRow } from './rows.js';
import { UseCounter, type DayUses, type KeyUses } from './uses.js';

const flushMs = 5_000;

function guarded<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (thrown) {
    throw new Fault('store.unavailable', `the key store cannot ${what}: ${messageOf(thrown)}`, { cause: thrown });
  }
}

/** The store over one open database. */
export class SqliteStore implements Store {
  readonly warnings: readonly string[];
  readonly #database: Database.Database;
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #uses: UseCounter;
  readonly #timer: NodeJS.Timeout;
  readonly #insert: (entry: KeyEntry) => void;

  constructor(database: Database.Database, options: StoreOptions, warnings: readonly string[]) {
    this.warnings = warnings;
    this.#database = database;
    this.#clock = options.clock ?? systemClock;
    this.#uses = new UseCounter(database);
    const insert = database.prepare<[KeyRow]>(
      `INSERT INTO keys VALUES (@id, @hash, @name, @owner, @spaces, @permissions, @roles, @tier, @not_before, @expires_at, @created_at,
       @replaced_by, @grace_until, @revoked_at, @revoked_reason)`,
    );
    this.#insert = (entry) => void insert.run(toRow(entry));
    const flush = (): void => {
      try {
        this.flushUses();
      } catch (thrown) {
        options.warn?.(messageOf(thrown));
      }
    };
    this.#timer = setInterval(flush, options.flushMs ?? flushMs).unref();
  }

  keys(): StoredKeys {
    return guarded('list keys', () => {
      const all = this.#database.prepare('SELECT * FROM keys ORDER BY created_at, id').all().map(toEntry);
      const refused = new Map(
        all.flatMap(({ id, hash }) => {
          const problem = phcProblem(hash);
          return problem === null ? [] : [[id, `key ${id} of the store is refused: ${problem}`] as const];
        }),
      );
      return { entries: all.filter(({ id }) => !refused.has(id)), refused: [...refused.values()] };
    });
  }

  findKey(id: string): KeyEntry | undefined {
    return guarded('read a key', () => {
      const row = this.#database.prepare<[string]>('SELECT * FROM keys WHERE id = ?').get(id);
      return row === undefined ? undefined : toEntry(row);
    });
  }

  insertKey(entry: KeyEntry): void {
    this.#change('keep a key', () => {
      this.#insert(entry);
    });
  }

  rotateKey(entry: KeyEntry, oldId: string, { replacedBy, graceUntilMs }: NonNullable<KeyEntry['rotation']>): void {
    this.#change('rotate a key', () => {
      this.#insert(entry);
      const { changes } = this.#database
        .prepare('UPDATE keys SET replaced_by = ?, grace_until = ? WHERE id = ?')
        .run(replacedBy, graceUntilMs, oldId);
      if (changes !== 1) throw new Error(`key ${oldId} is not in the store`);
    });
  }

  revokeKey(id: string, { atMs, reason }: Revocation): void {
    this.#change('revoke a key', () => {
      const { changes } = this.#database
        .prepare('UPDATE keys SET revoked_at = ?, revoked_reason = ? WHERE id = ?')
        .run(atMs, reason, id);
      if (changes === 0)
        this.#database
          .prepare('INSERT INTO manifest_revocations VALUES (?, ?, ?) ON CONFLICT DO NOTHING')
          .run(id, atMs, reason);
    });
  }

  manifestRevocations(): ReadonlyMap<string, Revocation> {
    return guarded('list revocations', () => {
      const rows = this.#database
        .prepare<[], { id: string; at: number; reason: string }>('SELECT id, at, reason FROM manifest_revocations')
        .all();
      return new Map(rows.map(({ id, at, reason }) => [id, { atMs: at, reason }]));
    });
  }

  noteUse(id: string, isDeprecated: boolean): void {
    this.#uses.note(id, isDeprecated, this.#clock.nowMs());
  }

  uses(id: string): KeyUses | null {
    this.flushUses();
    return guarded('count uses', () => this.#uses.of(id));
  }

  allUses(): ReadonlyMap<string, KeyUses> {
    this.flushUses();
    return guarded('count uses', () => this.#uses.all());
  }

  usesSinceMs(): number | null {
    return guarded('count uses', () => this.#uses.sinceMs());
  }

  usesByDay(id: string): readonly DayUses[] {
    this.flushUses();
    return guarded('count uses', () => this.#uses.days(id));
  }

  flushUses(): void {
    guarded('count uses', () => {
      this.#uses.flush();
    });
  }

  addSpace(name: string): void {
    guarded('keep a space', () =>
      this.#database.prepare('INSERT INTO spaces VALUES (?, ?) ON CONFLICT DO NOTHING').run(name, this.#clock.nowMs()),
    );
  }

  spaces(): readonly string[] {
    return guarded('list spaces', () =>
      this.#database.prepare<[], string>('SELECT name FROM spaces ORDER BY name').pluck().all(),
    );
  }

  async backup(file: string): Promise<void> {
    if (existsSync(file)) throw new Fault('store.unavailable', `${file} is there already`);
    const part = `${file}.part`;
    try {
      this.flushUses();
      await this.#database.backup(part);
      chmodSync(part, 0o600);
      const problem = contentProblem(part);
      if (problem !== null) throw new Error(problem);
      renameSync(part, file);
    } catch (thrown) {
      rmSync(part, { force: true });
      throw new Fault('store.unavailable', `the key store cannot be copied to ${file}: ${messageOf(thrown)}`, {
        cause: thrown,
      });
    }
  }

  isHealthy(): boolean {
    try {
      return this.#database.prepare('SELECT count(*) FROM keys').get() !== undefined;
    } catch {
      return false;
    }
  }

  close(): void {
    clearInterval(this.#timer);
    try {
      this.flushUses();
    } finally {
      this.#database.close();
    }
  }

  /** One transaction, then its pages go to the database file: a log file that is lost afterwards takes no acknowledged revoke with it. */
  #change(what: string, work: () => void): void {
    guarded(what, () => {
      this.#database.transaction(work).immediate();
    });
    try {
      this.#database.pragma('wal_checkpoint(PASSIVE)');
    } catch {
      // The change is on disk in the log already; a full disk only delays this.
    }
  }
}

import type { Database } from 'better-sqlite3';

/** How often a key was used. Times are Unix time in ms. */
export interface KeyUses {
  readonly total: number;
  /** Uses after the key was rotated. */
  readonly deprecated: number;
  readonly lastUsedAtMs: number;
}

/** Uses of one day (UTC). */
export interface DayUses {
  /** `2027-01-31`. */
  readonly day: string;
  readonly uses: number;
  readonly deprecated: number;
}

interface Pending {
  uses: number;
  deprecated: number;
  lastMs: number;
}

interface UsesRow {
  readonly uses: number;
  readonly deprecated: number;
  readonly last_used: number;
}

const usesOf = ({ uses, deprecated, last_used: lastUsedAtMs }: UsesRow): KeyUses => ({
  total: uses,
  deprecated,
  lastUsedAtMs,
});

const dayMs = 86_400_000;
const daysKept = 90;

/** Counts uses in memory and adds them to the store in batches: a use costs the request no disk. At most one batch is lost in a crash. */
export class UseCounter {
  #pending = new Map<string, Pending>();
  readonly #database: Database;
  readonly #write: (batch: ReadonlyMap<string, Pending>) => void;
  readonly #total;
  readonly #days;
  readonly #all;
  readonly #since;

  constructor(database: Database) {
    this.#database = database;
    const total = database.prepare<[string, number, number, number]>(
      `INSERT INTO key_uses (id, uses, deprecated, last_used) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO UPDATE
       SET uses = uses + excluded.uses, deprecated = deprecated + excluded.deprecated, last_used = max(last_used, excluded.last_used)`,
    );
    const day = database.prepare<[string, number, number, number]>(
      `INSERT INTO key_uses_by_day (id, day, uses, deprecated) VALUES (?, ?, ?, ?) ON CONFLICT (id, day) DO UPDATE
       SET uses = uses + excluded.uses, deprecated = deprecated + excluded.deprecated`,
    );
    const prune = database.prepare<[string, number]>('DELETE FROM key_uses_by_day WHERE id = ? AND day < ?');
    this.#total = database.prepare<[string], UsesRow>('SELECT uses, deprecated, last_used FROM key_uses WHERE id = ?');
    this.#days = database.prepare<[string], { day: number; uses: number; deprecated: number }>(
      'SELECT day, uses, deprecated FROM key_uses_by_day WHERE id = ? ORDER BY day DESC',
    );
    this.#all = database.prepare<[], UsesRow & { id: string }>('SELECT id, uses, deprecated, last_used FROM key_uses');
    this.#since = database.prepare<[], { last: number | null; day: number | null }>(
      'SELECT (SELECT min(last_used) FROM key_uses) AS last, (SELECT min(day) FROM key_uses_by_day) AS day',
    );
    this.#write = database.transaction((batch: ReadonlyMap<string, Pending>) => {
      for (const [id, { uses, deprecated, lastMs }] of batch) {
        const today = Math.floor(lastMs / dayMs);
        total.run(id, uses, deprecated, lastMs);
        day.run(id, today, uses, deprecated);
        prune.run(id, today - daysKept);
      }
    });
  }

  note(id: string, isDeprecated: boolean, nowMs: number): void {
    let pending = this.#pending.get(id);
    if (pending === undefined) this.#pending.set(id, (pending = { uses: 0, deprecated: 0, lastMs: 0 }));
    pending.uses += 1;
    pending.deprecated += isDeprecated ? 1 : 0;
    pending.lastMs = nowMs;
  }

  /** @throws SqliteError; the batch is kept then */
  flush(): void {
    if (this.#pending.size === 0) return;
    // Counts may be lost in a power cut, and requests must not wait for the disk because of them.
    this.#database.pragma('synchronous = NORMAL');
    try {
      this.#write(this.#pending);
    } finally {
      this.#database.pragma('synchronous = FULL');
    }
    this.#pending = new Map();
  }

  of(id: string): KeyUses | null {
    const row = this.#total.get(id);
    return row === undefined ? null : usesOf(row);
  }

  all(): ReadonlyMap<string, KeyUses> {
    return new Map(this.#all.all().map((row) => [row.id, usesOf(row)]));
  }

  sinceMs(): number | null {
    const { last = null, day = null } = this.#since.get() ?? {};
    const known = [last, day === null ? null : day * dayMs].filter((ms) => ms !== null);
    return known.length === 0 ? null : Math.min(...known);
  }

  days(id: string): readonly DayUses[] {
    return this.#days.all(id).map(({ day, uses, deprecated }) => ({
      day: new Date(day * dayMs).toISOString().slice(0, 10),
      uses,
      deprecated,
    }));
  }
}

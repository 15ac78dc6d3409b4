import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import type { Clock } from '../../base/clock.js';

export interface Memory {
  readonly id: string;
  readonly kind: string;
  readonly content: string;
  readonly confidence: number;
  readonly createdAtMs: number;
}

export interface NewMemory {
  readonly id?: string | undefined;
  readonly kind: 'memory' | 'episode' | 'consolidation';
  readonly content: string;
  readonly confidence: number;
}

/** Memories of all spaces in one SQLite file, with a full-text index. */
export interface Memories {
  remember(space: string, memory: NewMemory): Memory;
  get(space: string, id: string): Memory | null;
  /** Newest first. */
  list(space: string, limit: number, kind?: string): Memory[];
  /** Those that hold any word of the text, newest first. */
  search(space: string, text: string, limit: number): Memory[];
  /** Deletes by id alone, wherever it is. @returns how many there were */
  remove(id: string): number;
  /** A space exists from its first use on, whatever the use is. */
  touch(space: string): void;
  counts(): { readonly space: string; readonly memories: number }[];
  close(): void;
}

const tables = `
  CREATE TABLE IF NOT EXISTS spaces (id TEXT PRIMARY KEY, created_at_ms INTEGER NOT NULL) STRICT;
  CREATE TABLE IF NOT EXISTS memories (
    number INTEGER PRIMARY KEY, space TEXT NOT NULL, id TEXT NOT NULL, kind TEXT NOT NULL, content TEXT NOT NULL,
    confidence REAL NOT NULL, created_at_ms INTEGER NOT NULL, UNIQUE (space, id)
  ) STRICT;
  CREATE INDEX IF NOT EXISTS memories_newest ON memories (space, number);
  CREATE INDEX IF NOT EXISTS memories_id ON memories (id);
  CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5 (content);
`;
const columns = 'm.id, m.kind, m.content, m.confidence, m.created_at_ms AS createdAtMs';

export function openMemories(dataDir: string, clock: Clock): Memories {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const db = new Database(join(dataDir, 'memories.db'));
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = OFF'); // a demonstration: what a crash of the machine loses here is no loss
  db.exec(tables);
  return {
    ...reading(db),
    ...writing(db, clock),
    close: () => {
      db.close();
    },
  };
}

function reading(db: Database.Database): Pick<Memories, 'get' | 'list' | 'search' | 'counts'> {
  const byId = db.prepare<[string, string], Memory>(`SELECT ${columns} FROM memories m WHERE space = ? AND id = ?`);
  const newest = db.prepare<[string, number], Memory>(
    `SELECT ${columns} FROM memories m WHERE space = ? ORDER BY number DESC LIMIT ?`,
  );
  const ofKind = db.prepare<[string, string, number], Memory>(
    `SELECT ${columns} FROM memories m WHERE space = ? AND kind = ? ORDER BY number DESC LIMIT ?`,
  );
  const withWords = db.prepare<[string, string, number], Memory>(
    `SELECT ${columns} FROM words w JOIN memories m ON m.number = w.rowid WHERE words MATCH ? AND m.space = ? ORDER BY w.rowid DESC LIMIT ?`,
  );
  const counted = db.prepare<[], { space: string; memories: number }>(
    'SELECT s.id AS space, count(m.number) AS memories FROM spaces s LEFT JOIN memories m ON m.space = s.id GROUP BY s.id ORDER BY s.id',
  );
  return {
    get: (space, id) => byId.get(space, id) ?? null,
    list: (space, limit, kind) => (kind === undefined ? newest.all(space, limit) : ofKind.all(space, kind, limit)),
    search: (space, text, limit) => {
      const words = (text.match(/[\p{L}\p{N}]+/gu) ?? []).slice(0, 32);
      // Quoted, so that no word is taken for an operator of the search language.
      return words.length === 0 ? [] : withWords.all(words.map((word) => `"${word}"`).join(' OR '), space, limit);
    },
    counts: () => counted.all(),
  };
}

function writing(db: Database.Database, clock: Clock): Pick<Memories, 'remember' | 'remove' | 'touch'> {
  const addSpace = db.prepare<[string, number]>('INSERT OR IGNORE INTO spaces (id, created_at_ms) VALUES (?, ?)');
  const add = db.prepare<[string, string, string, string, number, number]>(
    'INSERT INTO memories (space, id, kind, content, confidence, created_at_ms) VALUES (?, ?, ?, ?, ?, ?)',
  );
  const addWords = db.prepare<[number | bigint, string]>('INSERT INTO words (rowid, content) VALUES (?, ?)');
  const numbersOf = db.prepare<[string, string | null, string | null], { number: number }>(
    'SELECT number FROM memories WHERE id = ? AND (? IS NULL OR space = ?)',
  );
  const removeWords = db.prepare<[number]>('DELETE FROM words WHERE rowid = ?');
  const removeOne = db.prepare<[number]>('DELETE FROM memories WHERE number = ?');
  const touched = new Set<string>();

  const forget = (id: string, space: string | null): number => {
    const found = numbersOf.all(id, space, space);
    for (const { number } of found) {
      removeWords.run(number);
      removeOne.run(number);
    }
    return found.length;
  };
  return {
    touch: (space) => {
      if (touched.has(space)) return;
      addSpace.run(space, clock.nowMs());
      touched.add(space);
    },
    remove: db.transaction((id: string) => forget(id, null)),
    remember: db.transaction((space: string, { id = randomUUID(), kind, content, confidence }: NewMemory): Memory => {
      const createdAtMs = clock.nowMs();
      forget(id, space);
      const { lastInsertRowid } = add.run(space, id, kind, content, confidence, createdAtMs);
      addWords.run(lastInsertRowid, content);
      return { id, kind, content, confidence, createdAtMs };
    }),
  };
}

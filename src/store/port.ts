import type { Clock } from '../base/clock.js';
import type { KeyEntry, Revocation } from '../identify/identify.js';
import type { DayUses, KeyUses } from './uses.js';

/** What was read at the start. */
export interface StoredKeys {
  readonly entries: readonly KeyEntry[];
  /** Keys whose hash may not be computed: left out, and told. */
  readonly refused: readonly string[];
}

/**
 * The keys, spaces and counts that outlive the process. Every method but `noteUse` may throw Fault `store.unavailable`;
 * what it was told is on disk when a method returns, but for uses.
 */
export interface Store {
  /** For the log: what had to be put right when the store was opened. */
  readonly warnings: readonly string[];
  keys(): StoredKeys;
  findKey(id: string): KeyEntry | undefined;
  insertKey(entry: KeyEntry): void;
  /** The new key and the mark on the old one, both or none. */
  rotateKey(entry: KeyEntry, oldId: string, rotation: NonNullable<KeyEntry['rotation']>): void;
  /** Revokes a key of the store, or notes the revocation of a manifest's key. */
  revokeKey(id: string, revoked: Revocation): void;
  /** Runtime revocations of keys that are not in the store. */
  manifestRevocations(): ReadonlyMap<string, Revocation>;
  /** Counts one use; written with the next batch. */
  noteUse(id: string, isDeprecated: boolean): void;
  uses(id: string): KeyUses | null;
  allUses(): ReadonlyMap<string, KeyUses>;
  /** Since when uses are known, Unix time in ms; null where none was ever counted. */
  usesSinceMs(): number | null;
  /** Uses per day, newest first. */
  usesByDay(id: string): readonly DayUses[];
  /** Writes counted uses now. */
  flushUses(): void;
  addSpace(name: string): void;
  spaces(): readonly string[];
  /** Copies the whole store to a new file while it is in use, and checks the copy before it gets its name. */
  backup(file: string): Promise<void>;
  /** False when the database does not answer. Never throws. */
  isHealthy(): boolean;
  close(): void;
}

export interface StoreOptions {
  readonly dataDir: string;
  readonly clock?: Pick<Clock, 'nowMs'>;
  /** How often counted uses are written; 5 s unless told. */
  readonly flushMs?: number;
  /** Told when counted uses could not be written; they are kept and tried again. */
  readonly warn?: (message: string) => void;
}

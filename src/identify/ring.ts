import { systemClock, type Clock } from '../base/clock.js';
import { isUsable, keyState, type KeyEntry, type Revocation } from './key-entry.js';

/** Finds what is known of a key id at this moment. */
export interface KeyLookup {
  find(id: string): KeyEntry | undefined;
}

/** Every key of the process, from manifests and from the store: one look-up, always current. */
export interface KeyRing extends KeyLookup {
  all(): readonly KeyEntry[];
  size(): number;
  /** Takes the manifests of a new generation. @throws Error when an id is in the store as well; nothing is changed then */
  replaceManifests(entries: readonly KeyEntry[]): void;
  /** Takes the store's keys. @throws Error when an id is in a manifest as well; nothing is changed then */
  replaceStore(entries: readonly KeyEntry[]): void;
  /** A key of the store is new or has changed. */
  put(entry: KeyEntry): void;
  /** Wins over whatever manifest or store say of that id, now and after every reload. */
  revoke(id: string, revoked: Revocation): void;
  /** Names that usable keys grant literally; the same set until something changes. */
  grantedSpaces(): ReadonlySet<string>;
}

interface Granted {
  readonly names: ReadonlySet<string>;
  /** When a key becomes usable or stops being so; Infinity when none does. */
  readonly untilMs: number;
}

/** Names granted literally, and until when that answer holds. */
function grantedAt(entries: Iterable<KeyEntry>, nowMs: number): Granted {
  const names = new Set<string>();
  let untilMs = Infinity;
  for (const entry of entries) {
    for (const at of [entry.notBeforeMs, entry.expiresAtMs, entry.rotation?.graceUntilMs ?? null]) {
      if (at !== null && at > nowMs) untilMs = Math.min(untilMs, at);
    }
    if (isUsable(keyState(entry, nowMs))) for (const space of entry.spaces) if (space !== '*') names.add(space);
  }
  return { names, untilMs };
}

const byId = (entries: readonly KeyEntry[], others: ReadonlyMap<string, KeyEntry>): Map<string, KeyEntry> => {
  for (const { id } of entries) if (others.has(id)) throw new Error(`key ${id} is in a manifest and in the store`);
  return new Map(entries.map((entry) => [entry.id, entry]));
};

/** An empty ring. */
export function createKeyRing(clock: Pick<Clock, 'nowMs'> = systemClock): KeyRing {
  const revocations = new Map<string, Revocation>();
  let manifests = new Map<string, KeyEntry>();
  let stored = new Map<string, KeyEntry>();
  let view = new Map<string, KeyEntry>();
  let granted: Granted | null = null;

  const seen = (entry: KeyEntry): KeyEntry => {
    const revoked = revocations.get(entry.id);
    return revoked === undefined || entry.revoked !== null ? entry : { ...entry, revoked };
  };
  const changed = (): void => {
    granted = null;
  };
  const rebuild = (): void => {
    view = new Map([...manifests, ...stored].map(([id, entry]) => [id, seen(entry)]));
    changed();
  };

  return {
    find: (id) => view.get(id),
    all: () => [...view.values()],
    size: () => view.size,
    replaceManifests(entries) {
      manifests = byId(entries, stored);
      rebuild();
    },
    replaceStore(entries) {
      stored = byId(entries, manifests);
      rebuild();
    },
    put(entry) {
      if (manifests.has(entry.id)) throw new Error(`key ${entry.id} is in a manifest and in the store`);
      stored.set(entry.id, entry);
      view.set(entry.id, seen(entry));
      changed();
    },
    revoke(id, revoked) {
      revocations.set(id, revoked);
      const entry = view.get(id);
      if (entry !== undefined) view.set(id, seen(entry));
      changed();
    },
    grantedSpaces() {
      const nowMs = clock.nowMs();
      if (granted === null || nowMs >= granted.untilMs) granted = grantedAt(view.values(), nowMs);
      return granted.names;
    },
  };
}

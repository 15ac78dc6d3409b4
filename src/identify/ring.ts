import { systemClock, type Clock } from '../base/clock.js';
import { isUsable, keyState, type KeyEntry, type Revocation } from './key-entry.js';

/** Finds what is known of a key id at this moment. */
export interface KeyLookup {
  find(id: string): KeyEntry | undefined;
}

/** Every key of the process, from manifests and from the store: one look-up, always current. */
export interface KeyRing extends KeyLookup {
  all(): readonly KeyEntry[];
  /** The same as manifests and store state them, without what this process has revoked since. */
  stated(): readonly KeyEntry[];
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
    untilMs = Math.min(untilMs, nextChangeMs(entry, nowMs));
    const spaces = isUsable(keyState(entry, nowMs)) ? entry.spaces : [];
    for (const space of spaces) if (space !== '*') names.add(space);
  }
  return { names, untilMs };
}

function nextChangeMs({ notBeforeMs, expiresAtMs, rotation }: KeyEntry, nowMs: number): number {
  const times = [notBeforeMs, expiresAtMs, rotation?.graceUntilMs ?? null];
  return Math.min(...times.filter((at) => at !== null && at > nowMs).map(Number), Infinity);
}

function byId(entries: readonly KeyEntry[], others: ReadonlyMap<string, KeyEntry>): Map<string, KeyEntry> {
  for (const { id } of entries) if (others.has(id)) throw twice(id);
  return new Map(entries.map((entry) => [entry.id, entry]));
}

const twice = (id: string): Error => new Error(`key ${id} is in a manifest and in the store`);

class Ring implements KeyRing {
  readonly #clock: Pick<Clock, 'nowMs'>;
  readonly #revocations = new Map<string, Revocation>();
  #manifests = new Map<string, KeyEntry>();
  #stored = new Map<string, KeyEntry>();
  /** Both, with the revocations of this process laid over them. */
  #view = new Map<string, KeyEntry>();
  #granted: Granted | null = null;

  constructor(clock: Pick<Clock, 'nowMs'>) {
    this.#clock = clock;
  }

  find(id: string): KeyEntry | undefined {
    return this.#view.get(id);
  }

  all(): readonly KeyEntry[] {
    return [...this.#view.values()];
  }

  stated(): readonly KeyEntry[] {
    return [...this.#manifests.values(), ...this.#stored.values()];
  }

  size(): number {
    return this.#view.size;
  }

  replaceManifests(entries: readonly KeyEntry[]): void {
    this.#manifests = byId(entries, this.#stored);
    this.#rebuild();
  }

  replaceStore(entries: readonly KeyEntry[]): void {
    this.#stored = byId(entries, this.#manifests);
    this.#rebuild();
  }

  put(entry: KeyEntry): void {
    if (this.#manifests.has(entry.id)) throw twice(entry.id);
    this.#stored.set(entry.id, entry);
    this.#view.set(entry.id, this.#seen(entry));
    this.#granted = null;
  }

  revoke(id: string, revoked: Revocation): void {
    this.#revocations.set(id, revoked);
    const entry = this.#view.get(id);
    if (entry !== undefined) this.#view.set(id, this.#seen(entry));
    this.#granted = null;
  }

  grantedSpaces(): ReadonlySet<string> {
    const nowMs = this.#clock.nowMs();
    if (this.#granted === null || nowMs >= this.#granted.untilMs) this.#granted = grantedAt(this.#view.values(), nowMs);
    return this.#granted.names;
  }

  #rebuild(): void {
    this.#view = new Map([...this.#manifests, ...this.#stored].map(([id, entry]) => [id, this.#seen(entry)]));
    this.#granted = null;
  }

  #seen(entry: KeyEntry): KeyEntry {
    const revoked = this.#revocations.get(entry.id);
    return revoked === undefined || entry.revoked !== null ? entry : { ...entry, revoked };
  }
}

/** An empty ring. */
export const createKeyRing = (clock: Pick<Clock, 'nowMs'> = systemClock): KeyRing => new Ring(clock);

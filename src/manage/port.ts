import type { Clock } from '../base/clock.js';
import type { Result } from '../base/result.js';
import type { KeyEntry, KeyRing, KeyState, KnownNames, Revocation } from '../identify/identify.js';
import type { Actor, AuditSink } from '../model/audit.js';
import type { Meter } from '../model/meter.js';
import type { StatedKey } from '../manifests/manifests.js';

/** The store, as far as keys are managed in it. Its methods throw Fault `store.unavailable`. */
export interface KeyStore {
  insertKey(entry: KeyEntry): void;
  rotateKey(entry: KeyEntry, oldId: string, rotation: NonNullable<KeyEntry['rotation']>): void;
  revokeKey(id: string, revoked: Revocation): void;
  uses(id: string): { readonly total: number; readonly deprecated: number; readonly lastUsedAtMs: number } | null;
  allUses(): ReadonlyMap<string, { readonly lastUsedAtMs: number }>;
  /** Since when uses are known, Unix time in ms; null where no key was ever used. */
  usesSinceMs(): number | null;
  usesByDay(id: string): readonly { readonly day: string; readonly uses: number; readonly deprecated: number }[];
}

/** Who asks, and what he may hand on: nobody grants what he does not hold. */
export interface Grantor {
  readonly actor: Actor;
  /** `*` may grant everything: the local operator. */
  readonly holds:
    | '*'
    | {
        readonly permissions: readonly string[];
        readonly roles: readonly string[];
        readonly spaces: readonly string[];
      };
}

/** The operator at this machine, through the control socket or with no process running. */
export const localOperator: Grantor = { actor: { kind: 'local', id: 'local', address: null }, holds: '*' };

export interface KeyAdminContext {
  readonly ring: KeyRing;
  readonly store: KeyStore;
  readonly audit: AuditSink;
  readonly clock: Pick<Clock, 'nowMs'>;
  readonly meter: Meter;
  /** Of the configuration; the first is used for new keys. */
  readonly prefixes: readonly string[];
  /** False when the data directory does not outlive the pod: then nothing is created at runtime. */
  readonly isPersistent: boolean;
  /** Names of the policy that is in force now; null when none is at hand, and then none is compared. */
  known(): KnownNames | null;
  /** `process`: the ring serves requests. `store`: no process runs on this data directory. */
  readonly reach: 'process' | 'store';
}

/** Why an action was not done. Each problem is a sentence that names its field or its key. */
export interface KeyProblem {
  readonly kind: 'invalid' | 'not-found' | 'conflict' | 'forbidden';
  readonly problems: readonly string[];
}

export type KeyAnswer<T> = Promise<Result<T, KeyProblem>>;

/** What a new key is to be. */
export interface KeyWish {
  readonly name: string;
  readonly owner?: string | null | undefined;
  readonly spaces: readonly string[];
  readonly permissions: readonly string[];
  readonly roles?: readonly string[] | undefined;
  readonly tier?: string | null | undefined;
  /** Milliseconds from now. */
  readonly expiresInMs?: number | undefined;
  /** Unix time in ms. */
  readonly expiresAtMs?: number | undefined;
}

/** A new key, shown once. The field names are those of the JSON that clients of older servers know. */
export interface IssuedKey {
  readonly id: string;
  /** The whole credential. */
  readonly key: string;
  readonly name: string;
  readonly spaces: readonly string[];
  readonly permissions: readonly string[];
  readonly roles: readonly string[];
  readonly tier: string | null;
  /** ISO 8601, or null. */
  readonly expires_at: string | null;
}

/** The answer to a rotation: the new key, and what becomes of the old one. */
export interface RotatedKey extends IssuedKey {
  readonly replaces: string;
  /** Until when the old key works, as a deprecated one. */
  readonly grace_until: string;
}

/** A key as people may see it: no secret, no hash. Times are ISO 8601. */
export interface KeyView {
  readonly id: string;
  readonly name: string;
  readonly owner: string | null;
  readonly state: KeyState;
  readonly spaces: readonly string[];
  readonly permissions: readonly string[];
  readonly roles: readonly string[];
  readonly tier: string | null;
  readonly created_at: string | null;
  readonly not_before: string | null;
  readonly expires_at: string | null;
  readonly rotation: { readonly replaced_by: string; readonly grace_until: string } | null;
  readonly revoked: { readonly at: string; readonly reason: string } | null;
  /** `store`, or the manifest's file. */
  readonly source: string;
}

export interface CheckedKey extends KeyView {
  /** Whether the whole key that was given is right; null when only an id was given. */
  readonly secret_matches: boolean | null;
  readonly uses: {
    readonly total: number;
    readonly deprecated: number;
    readonly last_used_at: string | null;
    /** Newest first. */
    readonly by_day: readonly { readonly day: string; readonly uses: number; readonly deprecated: number }[];
  };
}

export interface RevokedKey {
  readonly id: string;
  readonly revoked_at: string;
  readonly reason: string;
  /** Where it is in force now, and what is still to be done. */
  readonly reach: string;
  /** True when it had been revoked before. */
  readonly already: boolean;
}

/** Every key as manifests and store state it, to be compared with manifests elsewhere. Neither a secret nor a hash is in it. */
export interface KeyInventory {
  readonly keys: readonly InventoryKey[];
  readonly usesSinceMs: number | null;
  /** Roles with their permissions, and tiers, of the policy in force; null where none is at hand. */
  readonly policy: {
    readonly roles: Readonly<Record<string, readonly string[]>>;
    readonly tiers: readonly string[];
  } | null;
}

export interface InventoryKey extends StatedKey {
  /** By a command or the admin API: it stays, whatever the manifest says. */
  readonly revokedHere: Revocation | null;
  readonly lastUsedAtMs: number | null;
}

export interface ListFilter {
  readonly includeExpired?: boolean | undefined;
  readonly includeRevoked?: boolean | undefined;
}

/** `graceMs` keeps the old key working for a while; `force` ends it at once. */
export type RotateWish = { readonly graceMs: number } | { readonly force: true };

/** What operators do with keys, for one of them. */
export interface KeyDesk {
  createKey(wish: KeyWish): KeyAnswer<IssuedKey>;
  listKeys(filter: ListFilter): KeyAnswer<readonly KeyView[]>;
  inventory(): KeyAnswer<KeyInventory>;
  rotateKey(id: string, wish: RotateWish): KeyAnswer<RotatedKey>;
  revokeKey(id: string, reason: string): KeyAnswer<RevokedKey>;
  /** @param text an id, or a whole key */
  checkKey(text: string): KeyAnswer<CheckedKey>;
}

/**
 * What operators do with keys. An action is recorded before it takes effect.
 * Methods may throw Fault `record.unavailable` (then nothing was done, but that a revoked key is revoked) and `store.unavailable`.
 */
export interface KeyAdmin {
  as(grantor: Grantor): KeyDesk;
}

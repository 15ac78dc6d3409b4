import { isUsable, isWeakHash, keyState, type KeyEntry } from '../identify/identify.js';

/** What manifests are held against. */
export interface LintOptions {
  readonly nowMs: number;
  /** How far in the future a key may end. */
  readonly maxLifetimeMs: number;
  /** How long a key may go without a use. */
  readonly unusedMs: number;
  /** Permissions by role, and tiers, of the policy; null where none is at hand. */
  readonly policy: {
    readonly roles: ReadonlyMap<string, readonly string[]>;
    readonly tiers: ReadonlySet<string>;
  } | null;
  /** Null where nobody has counted, or not for as long as `unusedMs`. */
  readonly lastUsedAtMs: ReadonlyMap<string, number> | null;
}

export interface Rule {
  readonly code: string;
  readonly level: 'error' | 'warning';
  /** For keys that work now or later; the others stand there so that everybody knows that they do not. */
  readonly isOfLiving: boolean;
  /** What is wrong and what is wanted, or null. */
  find(entry: KeyEntry, options: LintOptions): string | null;
}

const dayMs = 86_400_000;
const days = (ms: number): string => `${String(Math.round(ms / dayMs))} days`;
const date = (ms: number): string => new Date(ms).toISOString();
const writing = ['MemoryWrite', 'MemoryDelete', 'SpaceCreate', 'SpaceDelete'];

/** False for a key that can never be used again. */
export function isLiving(entry: KeyEntry, nowMs: number): boolean {
  const state = keyState(entry, nowMs);
  return isUsable(state) || state === 'not_yet';
}

/** Its own permissions and those of its roles. */
const rightsOf = ({ permissions, roles }: KeyEntry, { policy }: LintOptions): ReadonlySet<string> =>
  new Set([...permissions, ...roles.flatMap((role) => policy?.roles.get(role) ?? [])]);

function missingEnd({ expiresAtMs, rotation }: KeyEntry): string | null {
  return expiresAtMs === null && rotation === null ? 'has no end: give it `expires_at`' : null;
}

function farEnd({ expiresAtMs }: KeyEntry, { nowMs, maxLifetimeMs }: LintOptions): string | null {
  if (expiresAtMs === null || expiresAtMs - nowMs <= maxLifetimeMs) return null;
  return `ends on ${date(expiresAtMs)}, in ${days(expiresAtMs - nowMs)}: at most ${days(maxLifetimeMs)} are wanted`;
}

function pastEnd({ expiresAtMs, revoked }: KeyEntry, { nowMs }: LintOptions): string | null {
  if (revoked !== null || expiresAtMs === null || expiresAtMs > nowMs) return null;
  return `has expired on ${date(expiresAtMs)}: take the entry out`;
}

function pastGrace({ rotation, revoked, expiresAtMs }: KeyEntry, { nowMs }: LintOptions): string | null {
  const isOver = rotation !== null && rotation.graceUntilMs <= nowMs;
  if (!isOver || revoked !== null || (expiresAtMs !== null && expiresAtMs <= nowMs)) return null;
  return `was rotated, and its grace period ended on ${date(rotation.graceUntilMs)}: take the entry out`;
}

function neverValid({ notBeforeMs, expiresAtMs }: KeyEntry): string | null {
  return notBeforeMs !== null && expiresAtMs !== null && notBeforeMs >= expiresAtMs
    ? 'can never work: `not_before` is not before `expires_at`'
    : null;
}

function wideWriting(entry: KeyEntry, options: LintOptions): string | null {
  if (!entry.spaces.includes('*')) return null;
  const rights = rightsOf(entry, options);
  const found = writing.filter((name) => rights.has(name));
  return found.length === 0 ? null : `may change every space (${found.join(', ')}): name the spaces that it needs`;
}

function adminWithData(entry: KeyEntry, options: LintOptions): string | null {
  const rights = [...rightsOf(entry, options)];
  const of = (prefix: string): string => rights.filter((name) => name.startsWith(prefix)).join(', ');
  const [admin, data] = [of('Admin'), of('Memory')];
  return admin === '' || data === ''
    ? null
    : `administers (${admin}) and reaches memories (${data}): make two keys of it`;
}

function unused({ id, createdAtMs }: KeyEntry, { lastUsedAtMs, nowMs, unusedMs }: LintOptions): string | null {
  if (lastUsedAtMs === null || (createdAtMs !== null && createdAtMs > nowMs - unusedMs)) return null;
  const last = lastUsedAtMs.get(id);
  if (last !== undefined && last > nowMs - unusedMs) return null;
  const said = last === undefined ? 'was never used' : `was last used on ${date(last)}`;
  return `${said}, which is more than ${days(unusedMs)} ago: revoke it, or take the entry out`;
}

function unknownRole({ roles }: KeyEntry, { policy }: LintOptions): string | null {
  const strange = policy === null ? [] : roles.filter((role) => !policy.roles.has(role));
  if (strange.length === 0) return null;
  return `has roles that the policy does not have (${strange.join(', ')}): wanted are ${[...(policy?.roles.keys() ?? [])].sort().join(', ')}`;
}

function unknownTier({ tier }: KeyEntry, { policy }: LintOptions): string | null {
  if (tier === null || policy === null || policy.tiers.has(tier)) return null;
  return `has a tier that the policy does not have (${tier}): wanted is one of ${[...policy.tiers].sort().join(', ')}`;
}

const weakHash = ({ hash }: KeyEntry): string | null =>
  isWeakHash(hash) ? 'has a hash of less work than Argon2id with m=19456, t=2: make a new key' : null;

/** What is held against each key by itself. */
export const rules: readonly Rule[] = [
  { code: 'unknown-role', level: 'error', isOfLiving: false, find: unknownRole },
  { code: 'unknown-tier', level: 'error', isOfLiving: false, find: unknownTier },
  { code: 'never-valid', level: 'error', isOfLiving: false, find: neverValid },
  { code: 'no-expiry', level: 'warning', isOfLiving: true, find: missingEnd },
  { code: 'far-expiry', level: 'warning', isOfLiving: true, find: farEnd },
  { code: 'expired', level: 'warning', isOfLiving: false, find: pastEnd },
  { code: 'past-grace', level: 'warning', isOfLiving: false, find: pastGrace },
  { code: 'all-spaces', level: 'warning', isOfLiving: true, find: wideWriting },
  { code: 'admin-and-data', level: 'warning', isOfLiving: true, find: adminWithData },
  { code: 'unused', level: 'warning', isOfLiving: true, find: unused },
  { code: 'weak-hash', level: 'warning', isOfLiving: true, find: weakHash },
];

/** One key as it is known: everything but its secret. */
export interface KeyEntry {
  readonly id: string;
  /** Argon2id PHC string of the whole key. */
  readonly hash: string;
  readonly name: string;
  readonly owner: string | null;
  /** Space names, or exactly `['*']` for every space. */
  readonly spaces: readonly string[];
  readonly permissions: readonly string[];
  readonly roles: readonly string[];
  readonly tier: string | null;
  /** Times are Unix time in ms. */
  readonly notBeforeMs: number | null;
  readonly expiresAtMs: number | null;
  readonly createdAtMs: number | null;
  readonly rotation: { readonly replacedBy: string; readonly graceUntilMs: number } | null;
  readonly revoked: Revocation | null;
  readonly source: { readonly kind: 'store' } | { readonly kind: 'manifest'; readonly file: string };
}

export interface Revocation {
  readonly atMs: number;
  readonly reason: string;
}

/** `deprecated` still works: it was replaced and is within its grace period. `rotated` is past it. */
export type KeyState = 'active' | 'deprecated' | 'not_yet' | 'expired' | 'rotated' | 'revoked';

/** What a key is worth at a moment. A time that has come counts: a key is dead in the millisecond of its expiry. */
export function keyState(entry: KeyEntry, nowMs: number): KeyState {
  if (entry.revoked !== null) return 'revoked';
  if (entry.expiresAtMs !== null && nowMs >= entry.expiresAtMs) return 'expired';
  if (entry.notBeforeMs !== null && nowMs < entry.notBeforeMs) return 'not_yet';
  if (entry.rotation === null) return 'active';
  return nowMs < entry.rotation.graceUntilMs ? 'deprecated' : 'rotated';
}

/** True for a key that opens something now. */
export const isUsable = (state: KeyState): boolean => state === 'active' || state === 'deprecated';

/** The form of one granted space; a memory server's own form may be narrower. No blank, comma, control or invisible character. */
const spaceForm = /^[^\s,\p{C}]{1,256}$/u;

/** The wanted form of a list of granted spaces, or null when it has it. */
export function spacesProblem(spaces: readonly string[]): string | null {
  if (spaces.length === 0) return 'must name at least one space, or * for all';
  if (spaces.includes('*')) return spaces.length === 1 ? null : 'must be * alone, or names without *';
  const bad = spaces.findIndex((name) => !spaceForm.test(name));
  if (bad >= 0)
    return `entry ${String(bad + 1)} must be a name of 1 to 256 characters without blanks, commas and control characters`;
  return new Set(spaces).size === spaces.length ? null : 'names one space twice';
}

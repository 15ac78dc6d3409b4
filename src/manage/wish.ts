import type { KnownNames } from '../identify/identify.js';
import { spacesProblem } from '../identify/identify.js';
import { permissions } from '../model/permissions.js';
import type { Grantor, KeyWish } from './port.js';

const plain = (max: number): RegExp => new RegExp(`^\\P{C}{1,${String(max)}}$`, 'u');
const nameForm = plain(128);
const ownerForm = plain(256);
/** 100 years: beyond it is a typing error. */
const lifeMaxMs = 100 * 365 * 86_400_000;
const known: ReadonlySet<string> = new Set(permissions);

const quoted = (text: string): string => JSON.stringify(text.length > 64 ? `${text.slice(0, 63)}…` : text);
const listed = (names: Iterable<string>): string => [...names].sort().join(', ') || 'none';

/** When the wished key ends; null for never. */
export const expiryOf = (wish: KeyWish, nowMs: number): number | null =>
  wish.expiresAtMs ?? (wish.expiresInMs === undefined ? null : nowMs + wish.expiresInMs);

function expiryProblem(wish: KeyWish, nowMs: number): string | null {
  if (wish.expiresAtMs !== undefined && wish.expiresInMs !== undefined)
    return 'expires_at and expires_in: give one of them';
  const at = expiryOf(wish, nowMs);
  if (at === null) return null;
  if (!Number.isSafeInteger(at)) return 'expires_at: must be a time';
  return at > nowMs && at - nowMs <= lifeMaxMs ? null : 'expires_at: must be in the future, and within 100 years';
}

/** Roles and tier that the policy does not have; null compares with nothing. */
export function nameProblems({ roles = [], tier }: KeyWish, names: KnownNames | null): readonly string[] {
  if (names === null) return [];
  const problems = roles
    .filter((role) => !names.roles.has(role))
    .map((role) => `roles: ${quoted(role)} is not one of the policy's roles: ${listed(names.roles)}`);
  if (tier != null && !names.tiers.has(tier))
    problems.push(`tier: ${quoted(tier)} is not one of the policy's tiers: ${listed(names.tiers)}`);
  return problems;
}

/** Every problem of a wished key, each naming its field. */
export function wishProblems(wish: KeyWish, names: KnownNames | null, nowMs: number): readonly string[] {
  const problems: string[] = [];
  if (!nameForm.test(wish.name)) problems.push('name: must be 1 to 128 characters without control characters');
  if (wish.owner != null && !ownerForm.test(wish.owner))
    problems.push('owner: must be 1 to 256 characters without control characters');
  const spaces = spacesProblem(wish.spaces);
  if (spaces !== null) problems.push(`spaces: ${spaces}`);
  for (const each of wish.permissions)
    if (!known.has(each)) problems.push(`permissions: ${quoted(each)} is not one of ${permissions.join(', ')}`);
  problems.push(...nameProblems(wish, names));
  if (wish.permissions.length === 0 && (wish.roles ?? []).length === 0)
    problems.push('permissions: name at least one permission, or a role');
  const expiry = expiryProblem(wish, nowMs);
  if (expiry !== null) problems.push(expiry);
  return problems;
}

/** What of a wished key its maker does not hold himself. */
export function grantProblems(
  { holds }: Grantor,
  wish: Pick<KeyWish, 'permissions' | 'roles' | 'spaces'>,
): readonly string[] {
  if (holds === '*') return [];
  const problems: string[] = [];
  for (const each of wish.permissions)
    if (!holds.permissions.includes(each))
      problems.push(`permissions: you do not hold ${quoted(each)}, so you cannot grant it`);
  for (const role of wish.roles ?? [])
    if (!holds.roles.includes(role)) problems.push(`roles: you do not hold ${quoted(role)}, so you cannot grant it`);
  if (!holds.spaces.includes('*')) {
    for (const space of wish.spaces)
      if (!holds.spaces.includes(space))
        problems.push(`spaces: you do not hold ${quoted(space)}, so you cannot grant it`);
  }
  return problems;
}

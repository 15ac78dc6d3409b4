import { basename } from 'node:path';
import type { StatedKey } from './stated.js';

/** A key that ends soon. */
export interface ExpiringKey {
  readonly id: string;
  readonly name: string;
  readonly owner: string | null;
  readonly file: string | null;
  /** ISO 8601. */
  readonly ends_at: string;
  /** `grace`: it was rotated, and its successor takes over. */
  readonly because: 'expiry' | 'grace';
}

/** Keys that work now, or will, and end within the time; the first to end first. */
export function expiringKeys(
  keys: readonly StatedKey[],
  { nowMs, withinMs }: { readonly nowMs: number; readonly withinMs: number },
): readonly ExpiringKey[] {
  return keys
    .flatMap(({ id, name, owner, file, revoked, expiresAtMs, rotation }) => {
      if (revoked !== null) return [];
      const graceMs = rotation?.graceUntilMs ?? Infinity;
      const endMs = Math.min(expiresAtMs ?? Infinity, graceMs);
      if (endMs <= nowMs || endMs > nowMs + withinMs) return [];
      const because = endMs === graceMs ? ('grace' as const) : ('expiry' as const);
      return [{ id, name, owner, file: file === null ? null : basename(file), endMs, because }];
    })
    .sort((one, other) => one.endMs - other.endMs)
    .map(({ endMs, ...key }) => ({ ...key, ends_at: new Date(endMs).toISOString() }));
}

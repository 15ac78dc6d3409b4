import { hashKey, newKey, type KeyEntry } from '../identify/identify.js';

/** What a new key inherits from a wish, or from the key that it replaces. */
export type KeyFacts = Pick<KeyEntry, 'name' | 'owner' | 'spaces' | 'permissions' | 'roles' | 'tier' | 'expiresAtMs'>;

/** A new key of the store: its entry to keep, its text to show once. */
export async function freshKey(
  facts: KeyFacts,
  prefix: string,
  nowMs: number,
): Promise<{ readonly entry: KeyEntry; readonly text: string }> {
  const { id, text } = newKey(prefix);
  const { name, owner, spaces, permissions, roles, tier, expiresAtMs } = facts;
  const entry: KeyEntry = {
    id,
    hash: await hashKey(text),
    name,
    owner,
    spaces,
    permissions,
    roles,
    tier,
    notBeforeMs: null,
    expiresAtMs,
    createdAtMs: nowMs,
    rotation: null,
    revoked: null,
    source: { kind: 'store' },
  };
  return { entry, text };
}

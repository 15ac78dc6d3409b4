import { statedKey } from '../manifests/manifests.js';
import type { KeyAdminContext, KeyInventory } from './port.js';

type Context = Pick<KeyAdminContext, 'ring' | 'store' | 'known'>;

/** Every key as it is stated, with what has become of it here. */
export function inventoryOf({ ring, store, known }: Context): KeyInventory {
  const uses = store.allUses();
  return {
    keys: ring.stated().map((entry) => ({
      ...statedKey(entry),
      revokedHere: entry.revoked === null ? (ring.find(entry.id)?.revoked ?? null) : null,
      lastUsedAtMs: uses.get(entry.id)?.lastUsedAtMs ?? null,
    })),
    usesSinceMs: store.usesSinceMs(),
    policy: policyOf(known()),
  };
}

function policyOf(names: ReturnType<Context['known']>): KeyInventory['policy'] {
  if (names === null) return null;
  const roles = [...names.roles].map((role) => [role, names.rolePermissions?.get(role) ?? []] as const);
  return { roles: Object.fromEntries(roles), tiers: [...names.tiers] };
}

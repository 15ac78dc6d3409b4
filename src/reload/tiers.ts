import type { Policy } from '../authorize/authorize.js';
import { keyState, type KeyEntry } from '../identify/identify.js';

const ended: ReadonlySet<string> = new Set(['expired', 'rotated', 'revoked']);
/** Keys that are told by their ids. */
const toldKeys = 5;

/**
 * What is in order, and refuses callers all the same: tiers that somebody has, and the policy does not hold. Manifests and static tokens are
 * refused for that; keys of the store cannot be, and data that names each tier needs no usual one.
 */
export function tierWarnings({ tierNames, data }: Policy, keys: readonly KeyEntry[], nowMs: number): readonly string[] {
  const held = [...tierNames].sort().join(', ');
  const warnings: string[] = [];
  const usual = data.defaults?.tier;
  if (usual === undefined || !tierNames.has(usual))
    warnings.push(
      `the tier of keys that name none, ${usual === undefined ? 'which defaults must name' : `"${usual}"`}, is not one of the policy's tiers (${held}): their requests are refused (tier.unknown)`,
    );
  const byTier = new Map<string, string[]>();
  for (const entry of keys) {
    const { id, tier } = entry;
    if (tier === null || tierNames.has(tier) || ended.has(keyState(entry, nowMs))) continue;
    const ids = byTier.get(tier) ?? [];
    ids.push(id);
    byTier.set(tier, ids);
  }
  for (const [tier, ids] of byTier) {
    const more = ids.length > toldKeys ? ` and ${String(ids.length - toldKeys)} more` : '';
    warnings.push(
      `"${tier}", the tier of ${ids.slice(0, toldKeys).join(', ')}${more} in the store, is not one of the policy's tiers (${held}): their requests are refused (tier.unknown)`,
    );
  }
  return warnings;
}

import { addressGroup } from '../base/address.js';
import { assertNever } from '../base/result.js';
import { injectiveKey } from '../base/encoding.js';
import { kept } from '../base/kept.js';
import type { LimitKeyPart, LimitSpec } from '../model/decision.js';
import type { Permit } from '../model/proofs.js';
import type { SpaceSet } from '../model/target.js';
import type { Demand } from './buckets.js';

/** The limits of one request with their keys. A limit that counts by space counts each space of the request on its own. */
export function demandsOf(permit: Permit, system: LimitSpec | null): readonly Demand[] {
  const demands: Demand[] = [];
  for (const limit of permit.decision.limits) addDemands(demands, limit, permit);
  if (system !== null) addDemands(demands, system, permit);
  return demands;
}

/** Equal answers of a policy are one object, so that its limits are described once. */
const definitionOf = kept(({ id, algorithm, rate, per, burst, key }: LimitSpec) =>
  injectiveKey([id, algorithm, String(rate), String(per), burst === null ? '' : String(burst), key.join()]),
);

function addDemands(demands: Demand[], limit: LimitSpec, permit: Permit): void {
  const definition = definitionOf(limit);
  if (!limit.key.includes('space')) {
    demands.push({ limit, definition, key: definition + valuesOf(limit.key, permit, '') });
    return;
  }
  for (const space of spaceKeys(permit.target.facts.spaces)) {
    demands.push({ limit, definition, key: definition + valuesOf(limit.key, permit, space) });
  }
}

// A name can hold anything, so "every" and "none" are told apart from names by a tag, not by a reserved name.
const spaceKeys = ({ all, ids }: SpaceSet): readonly string[] => {
  if (all) return ['every'];
  return ids.length === 0 ? ['none'] : ids.map((id) => `id ${id}`);
};

function valuesOf(parts: readonly LimitKeyPart[], permit: Permit, space: string): string {
  let key = '';
  for (const part of parts) key += injectiveKey(valueOf(part, permit, space)); // as many values as the definition's parts say
  return key;
}

function valueOf(part: LimitKeyPart, { identity, target }: Permit, space: string): readonly string[] {
  switch (part) {
    case 'client':
      return [addressGroup(target.request.clientAddress)]; // whoever has one IPv6 address has its whole /64
    case 'subject':
      return [identity.subject.kind, identity.subject.id];
    case 'space':
      return [space];
    case 'route':
      return [target.facts.route.id];
    case 'system':
      return [];
    default:
      return assertNever(part);
  }
}

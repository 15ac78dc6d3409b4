import { isUsable, keyState, type KeyEntry } from '../identify/identify.js';
import type { KeyProblem, RotateWish } from './port.js';

/** Two keys for one purpose are a transition, not a state. */
const graceMaxMs = 365 * 86_400_000;

const conflict = (text: string): KeyProblem => ({ kind: 'conflict', problems: [text] });

/** Why a key cannot be rotated now, or null. */
export function rotationProblem(entry: KeyEntry, wish: RotateWish, nowMs: number): KeyProblem | null {
  if (entry.source.kind === 'manifest') {
    return conflict(
      `key ${entry.id} stands in ${entry.source.file}: add a new key there, and set \`rotation\` on this one`,
    );
  }
  if (entry.rotation !== null)
    return conflict(`key ${entry.id} was rotated already; rotate its successor ${entry.rotation.replacedBy}`);
  const state = keyState(entry, nowMs);
  if (!isUsable(state)) return conflict(`key ${entry.id} is ${state}: create a new key`);
  if ('graceMs' in wish && !(Number.isSafeInteger(wish.graceMs) && wish.graceMs >= 0 && wish.graceMs <= graceMaxMs)) {
    return { kind: 'invalid', problems: ['grace_period: must be 0 to 365 days'] };
  }
  return null;
}

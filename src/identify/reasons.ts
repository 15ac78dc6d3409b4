import type { AuthReason } from '../model/meter.js';
import type { KeyState } from './key-entry.js';

const deadReasons: Readonly<Record<Exclude<KeyState, 'active' | 'deprecated'>, AuthReason>> = {
  revoked: 'revoked',
  expired: 'expired',
  not_yet: 'not_yet',
  rotated: 'expired',
};
/** Why a key in that state is not taken; null when it is. */
export const reasonOf = (state: KeyState): AuthReason | null =>
  state === 'active' || state === 'deprecated' ? null : deadReasons[state];

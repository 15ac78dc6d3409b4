import type { Refusal } from './codes.js';

/** The verified caller. Never holds a credential. */
export interface Subject {
  readonly kind: 'api_key' | 'static_token' | 'anonymous';
  /** Key id, token name or `anonymous`. */
  readonly id: string;
  readonly owner: string | null;
  readonly roles: readonly string[];
  readonly permissions: readonly string[];
  /** Space names; `*` is every space. */
  readonly spaces: readonly string[];
  /** Name of a tier of the policy data. */
  readonly tier: string | null;
  /** Unix time in ms, or null when it does not expire. */
  readonly expiresAtMs: number | null;
  /** True for a rotated key within its grace period. */
  readonly deprecated: boolean;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Asks again, at this moment, whether the credential still holds: revocation and expiry do not wait for a generation. */
export type LiveCheck = () => Refusal | null;

export const anonymous: Subject = {
  kind: 'anonymous',
  id: 'anonymous',
  owner: null,
  roles: [],
  permissions: [],
  spaces: [],
  tier: null,
  expiresAtMs: null,
  deprecated: false,
  claims: {},
};

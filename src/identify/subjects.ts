import type { Subject } from '../model/subject.js';
import type { KeyEntry } from './key-entry.js';
import type { StaticTokenEntry } from './tokens.js';

/** The caller behind a key. */
export const keySubject = (entry: KeyEntry): Subject => ({
  kind: 'api_key',
  id: entry.id,
  owner: entry.owner,
  roles: entry.roles,
  permissions: entry.permissions,
  spaces: entry.spaces,
  tier: entry.tier,
  expiresAtMs: entry.expiresAtMs,
  deprecated: entry.rotation !== null,
  claims: {},
});

/** The caller behind a static token. */
export const tokenSubject = ({ spec }: StaticTokenEntry): Subject => ({
  kind: 'static_token',
  id: spec.id,
  owner: spec.owner ?? null,
  roles: spec.roles,
  permissions: spec.permissions,
  spaces: spec.spaces,
  tier: spec.tier ?? null,
  expiresAtMs: null,
  deprecated: false,
  claims: {},
});

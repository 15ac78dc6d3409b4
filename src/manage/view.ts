import { keyState, type KeyEntry } from '../identify/identify.js';
import { isoTime } from '../manifests/manifests.js';
import type { IssuedKey, KeyView } from './port.js';

/** What people may see of a key. */
export const viewOf = (entry: KeyEntry, nowMs: number): KeyView => ({
  id: entry.id,
  name: entry.name,
  owner: entry.owner,
  state: keyState(entry, nowMs),
  spaces: entry.spaces,
  permissions: entry.permissions,
  roles: entry.roles,
  tier: entry.tier,
  created_at: isoTime(entry.createdAtMs),
  not_before: isoTime(entry.notBeforeMs),
  expires_at: isoTime(entry.expiresAtMs),
  rotation:
    entry.rotation === null
      ? null
      : { replaced_by: entry.rotation.replacedBy, grace_until: new Date(entry.rotation.graceUntilMs).toISOString() },
  revoked:
    entry.revoked === null ? null : { at: new Date(entry.revoked.atMs).toISOString(), reason: entry.revoked.reason },
  source: entry.source.kind === 'store' ? 'store' : entry.source.file,
});

/** The one showing of a new key. */
export const issuedOf = (entry: KeyEntry, key: string): IssuedKey => ({
  id: entry.id,
  key,
  name: entry.name,
  spaces: entry.spaces,
  permissions: entry.permissions,
  roles: entry.roles,
  tier: entry.tier,
  expires_at: isoTime(entry.expiresAtMs),
});

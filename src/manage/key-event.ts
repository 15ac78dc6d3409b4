import type { KeyEntry } from '../identify/identify.js';
import { isoTime } from '../manifests/manifests.js';
import type { Actor, AuditEvent, JsonValue } from '../model/audit.js';

const severities = {
  created: 'info',
  rotated: 'info',
  revoked: 'warning',
  failed: 'error',
  listed: 'info',
  checked: 'info',
} as const;
export type KeyEventName = keyof typeof severities;
export type KeyEventFields = Readonly<Record<string, JsonValue>>;

/** What an operator did with keys. */
export const keyEvent = (
  what: KeyEventName,
  { actor, atMs }: { readonly actor: Actor; readonly atMs: number },
  fields: KeyEventFields,
): AuditEvent => ({
  type: `key.${what}`,
  severity: severities[what],
  atMs,
  fields: { actor_kind: actor.kind, actor: actor.id, actor_address: actor.address, ...fields },
});

/** What of a key goes into the record: everything but its hash. */
export const recordedFacts = (entry: KeyEntry): KeyEventFields => ({
  key_id: entry.id,
  name: entry.name,
  owner: entry.owner,
  spaces: entry.spaces,
  permissions: entry.permissions,
  roles: entry.roles,
  tier: entry.tier,
  expires_at: isoTime(entry.expiresAtMs),
});

import { basename } from 'node:path';
import { changedFields, type FieldChange } from './fields.js';
import { isoTime, type StatedKey } from './stated.js';

/** What a key may do. Times are ISO 8601. */
export interface KeyRights {
  readonly owner: string | null;
  readonly spaces: readonly string[];
  readonly permissions: readonly string[];
  readonly roles: readonly string[];
  readonly tier: string | null;
  readonly not_before: string | null;
  readonly expires_at: string | null;
}

/** How one key differs between two sets of manifests. Neither a secret nor a hash is in it. */
export interface KeyChange {
  /** `restored`: it was revoked and is not any more. */
  readonly change: 'added' | 'removed' | 'revoked' | 'restored' | 'changed';
  readonly id: string;
  readonly name: string;
  /** Name of its file; null for a key of the store. */
  readonly file: string | null;
  /** True where a key that was there before can do more than before. */
  readonly widens: boolean;
  /** Afterwards; for a removed key, before. */
  readonly rights: KeyRights;
  readonly fields: readonly FieldChange[];
}

const rightsOf = ({ owner, spaces, permissions, roles, tier, notBeforeMs, expiresAtMs }: StatedKey): KeyRights => ({
  owner,
  spaces,
  permissions,
  roles,
  tier,
  not_before: isoTime(notBeforeMs),
  expires_at: isoTime(expiresAtMs),
});

function told(key: StatedKey, change: KeyChange['change'], fields: readonly FieldChange[] = []): KeyChange {
  const { id, name, file } = key;
  const widens = fields.some((field) => field.widens);
  return { change, id, name, file: file === null ? null : basename(file), widens, rights: rightsOf(key), fields };
}

function kindOf(before: StatedKey, after: StatedKey): KeyChange['change'] {
  if ((before.revoked === null) === (after.revoked === null)) return 'changed';
  return after.revoked === null ? 'restored' : 'revoked';
}

/** Every key that differs, in the order of the manifests; removed ones last. */
export function keyChanges(before: readonly StatedKey[], after: readonly StatedKey[]): readonly KeyChange[] {
  const old = new Map(before.map((key) => [key.id, key]));
  const kept = new Set(after.map(({ id }) => id));
  const changes = after.flatMap((key) => {
    const former = old.get(key.id);
    if (former === undefined) return [told(key, 'added')];
    const fields = changedFields(former, key);
    return fields.length === 0 ? [] : [told(key, kindOf(former, key), fields)];
  });
  return [...changes, ...before.filter(({ id }) => !kept.has(id)).map((key) => told(key, 'removed'))];
}

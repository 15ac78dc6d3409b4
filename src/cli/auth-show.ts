import type { CheckedKey, IssuedKey, KeyView, RevokedKey, RotatedKey } from '../manage/manage.js';
import type { Format } from './format.js';
import { facts, jsonLine, table } from './print.js';

const listed = (names: readonly string[]): string => (names.length === 0 ? '-' : names.join(', '));

/** A new key. It is shown this once. */
export const showIssued = (key: IssuedKey, format: Format): string =>
  format === 'json'
    ? jsonLine(key)
    : facts([
        ['key', key.key],
        ['id', key.id],
        ['name', key.name],
        ['spaces', listed(key.spaces)],
        ['permissions', listed(key.permissions)],
        ['roles', listed(key.roles)],
        ['tier', key.tier],
        ['expires', key.expires_at],
      ]);

/** The successor of a key. */
export const showRotated = (key: RotatedKey, format: Format): string =>
  format === 'json'
    ? jsonLine(key)
    : showIssued(key, format) +
      facts([
        ['replaces', key.replaces],
        ['old key works until', key.grace_until],
      ]);

/** A key for a manifest, and the file that the manifest went to. */
export const showManifestKey = (
  made: { readonly id: string; readonly key: string; readonly manifest: string },
  format: Format,
): string =>
  format === 'json'
    ? jsonLine(made)
    : facts([
        ['key', made.key],
        ['id', made.id],
        ['manifest', made.manifest],
      ]);

export const showKeys = (keys: readonly KeyView[], format: Format): string =>
  format === 'json'
    ? jsonLine(keys)
    : table(
        ['ID', 'NAME', 'STATE', 'OWNER', 'SPACES', 'PERMISSIONS', 'ROLES', 'TIER', 'EXPIRES', 'SOURCE'],
        keys.map((key) => [
          key.id,
          key.name,
          key.state,
          key.owner,
          listed(key.spaces),
          listed(key.permissions),
          listed(key.roles),
          key.tier,
          key.expires_at,
          key.source,
        ]),
      );

export const showRevoked = (key: RevokedKey, format: Format): string =>
  format === 'json'
    ? jsonLine(key)
    : `key ${key.id} ${key.already ? 'was revoked already' : 'is revoked'}: ${key.reach}\n`;

/** Without `isDetailed` the uses per day are left out. */
export function showChecked(key: CheckedKey, format: Format, isDetailed: boolean): string {
  if (format === 'json') return jsonLine(isDetailed ? key : { ...key, uses: { ...key.uses, by_day: undefined } });
  const shown = facts([
    ['id', key.id],
    ['name', key.name],
    ['state', key.state],
    ['owner', key.owner],
    ['spaces', listed(key.spaces)],
    ['permissions', listed(key.permissions)],
    ['roles', listed(key.roles)],
    ['tier', key.tier],
    ['created', key.created_at],
    ['not before', key.not_before],
    ['expires', key.expires_at],
    ['source', key.source],
    ...(key.rotation === null
      ? []
      : [['replaced by', `${key.rotation.replaced_by}, works until ${key.rotation.grace_until}`] as const]),
    ...(key.revoked === null ? [] : [['revoked', `${key.revoked.at}: ${key.revoked.reason}`] as const]),
    ...(key.secret_matches === null ? [] : [['secret', key.secret_matches ? 'right' : 'wrong'] as const]),
    ['last used', key.uses.last_used_at],
    ...(isDetailed ? [['uses', key.uses.total] as const, ['uses since rotation', key.uses.deprecated] as const] : []),
  ]);
  if (!isDetailed || key.uses.by_day.length === 0) return shown;
  return `${shown}\n${table(
    ['DAY (UTC)', 'USES', 'SINCE ROTATION'],
    key.uses.by_day.map(({ day, uses, deprecated }) => [day, uses, deprecated]),
  )}`;
}

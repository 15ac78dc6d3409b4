import type { KeyEntry } from '../identify/identify.js';
import type { Advice } from './advise.js';

const iso = (ms: number): string => new Date(ms).toISOString();

/** Members of a manifest's entry, in its usual order; what is absent is left out. */
function membersOf(entry: KeyEntry): readonly (readonly [string, unknown])[] {
  const { notBeforeMs, expiresAtMs, createdAtMs, rotation, revoked } = entry;
  const members: readonly (readonly [string, unknown])[] = [
    ['id', entry.id],
    ['hash', entry.hash],
    ['name', entry.name],
    ['owner', entry.owner],
    ['spaces', entry.spaces],
    ['permissions', entry.permissions],
    ['roles', entry.roles.length === 0 ? null : entry.roles],
    ['tier', entry.tier],
    ['not_before', notBeforeMs === null ? null : iso(notBeforeMs)],
    ['created_at', createdAtMs === null ? null : iso(createdAtMs)],
    ['expires_at', expiresAtMs === null ? null : iso(expiresAtMs)],
    ['rotation', rotation && { replaced_by: rotation.replacedBy, grace_until: iso(rotation.graceUntilMs) }],
    ['revoked', revoked && { at: iso(revoked.atMs), reason: revoked.reason }],
  ];
  return members.filter(([, value]) => value !== null);
}

/**
 * A manifest of these keys with what the advice leaves them. JSON values are YAML, and need no writer of YAML.
 *
 * @param entries of manifests: a key of the store has no file to be changed
 */
export function manifestPatch(entries: readonly KeyEntry[], advice: readonly Advice[]): string {
  const keep = new Map(advice.map((each) => [each.id, each.keep]));
  const lines = entries.flatMap((entry) =>
    membersOf({ ...entry, ...keep.get(entry.id) }).map(
      ([name, value], index) => `${index === 0 ? '  - ' : '    '}${name}: ${JSON.stringify(value)}`,
    ),
  );
  return lines.length === 0 ? 'keys: []\n' : `keys:\n${lines.join('\n')}\n`;
}

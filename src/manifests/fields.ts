import { basename } from 'node:path';
import { isoTime, type StatedKey } from './stated.js';

/** What one field of a key was and is. Lists are lists, times are ISO 8601, null is none. */
export interface FieldChange {
  readonly field: string;
  readonly before: string | readonly string[] | null;
  readonly after: string | readonly string[] | null;
  /** True where the key can do more than before, for longer, or for somebody else. */
  readonly widens: boolean;
}

type Compare = (before: StatedKey, after: StatedKey) => FieldChange | null;
type Names = readonly string[];

const adds = (before: Names, after: Names): boolean => after.some((name) => !before.includes(name));
const addsSpaces = (before: Names, after: Names): boolean => !before.includes('*') && adds(before, after);

/** Order says nothing. */
const list =
  (field: 'spaces' | 'permissions' | 'roles', isWider: (before: Names, after: Names) => boolean): Compare =>
  ({ [field]: before }, { [field]: after }) =>
    adds(before, after) || adds(after, before) ? { field, before, after, widens: isWider(before, after) } : null;

const plain =
  (field: string, of: (key: StatedKey) => string | null): Compare =>
  (one, other) => {
    const [before, after] = [of(one), of(other)];
    return before === after ? null : { field, before, after, widens: false };
  };

/** A limit in time: without it, or with a looser one, the key works at more times than before. */
const limit =
  (
    field: string,
    of: (key: StatedKey) => number | null,
    isLooser: (before: number, after: number) => boolean,
  ): Compare =>
  (one, other) => {
    const [before, after] = [of(one), of(other)];
    if (before === after) return null;
    const widens = before !== null && (after === null || isLooser(before, after));
    return { field, before: isoTime(before), after: isoTime(after), widens };
  };

const later = (before: number, after: number): boolean => after > before;

/** Somebody else may hold the new secret. */
const secret: Compare = (before, after) =>
  before.fingerprint === after.fingerprint
    ? null
    : { field: 'secret', before: 'one secret', after: 'another secret', widens: true };

const revocation: Compare = (one, other) => {
  const text = ({ revoked }: StatedKey): string | null =>
    revoked === null ? null : `${new Date(revoked.atMs).toISOString()}: ${revoked.reason}`;
  const [before, after] = [text(one), text(other)];
  return before === after ? null : { field: 'revoked', before, after, widens: before !== null && after === null };
};

const compares: readonly Compare[] = [
  revocation,
  secret,
  list('spaces', addsSpaces),
  list('permissions', adds),
  list('roles', adds),
  plain('tier', ({ tier }) => tier),
  limit(
    'not_before',
    ({ notBeforeMs }) => notBeforeMs,
    (before, after) => after < before,
  ),
  limit('expires_at', ({ expiresAtMs }) => expiresAtMs, later),
  limit('rotation.grace_until', ({ rotation }) => rotation?.graceUntilMs ?? null, later),
  plain('rotation.replaced_by', ({ rotation }) => rotation?.replacedBy ?? null),
  plain('name', ({ name }) => name),
  plain('owner', ({ owner }) => owner),
  plain('created_at', ({ createdAtMs }) => isoTime(createdAtMs)),
  // Directories differ between a clone and a pod.
  plain('file', ({ file }) => (file === null ? null : basename(file))),
];

/** Every field in which two statements of one key differ. */
export const changedFields = (before: StatedKey, after: StatedKey): readonly FieldChange[] =>
  compares.map((compare) => compare(before, after)).filter((change) => change !== null);

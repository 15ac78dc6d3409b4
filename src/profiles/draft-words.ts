/** One spelling for names that say the same: `X-User-Id`, `userId` and `user_id`. */
export const folded = (name: string): string =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '_')
    .replace(/^x_/, '');

/** Names that servers give to what we call a space. */
export const spaceWords: readonly string[] = [
  'memory_space_id',
  'memory_space',
  'space_id',
  'space',
  'tenant_id',
  'tenant_name',
  'tenant',
  'group_id',
  'group_ids',
  'namespace',
  'namespaces',
  'user_id',
  'user_ids',
  'project_id',
  'project',
  'workspace_id',
  'workspace',
  'collection_name',
];

/** A path with one of these is an operator's matter, or a way to another credential. */
const delicate: ReadonlySet<string> = new Set(
  `account accounts admin apikey api_key api_keys audit auth backup backups billing cluster clusters config configuration
  configure credential credentials debug export import job jobs key keys license login logout me metrics_config migrate
  migration oauth password passwords plugin plugins policies policy register reload reset restart restore role roles secret
  secrets session sessions settings setup shutdown signup snapshot snapshots task tasks telemetry token tokens upload user
  users webhook webhooks`.split(/\s+/),
);

const health: ReadonlySet<string> = new Set(
  'alive health healthcheck healthz heartbeat live liveness livez ping readiness ready readyz status version'.split(
    ' ',
  ),
);
const searching: ReadonlySet<string> = new Set(['find', 'recall', 'search']);
const deleting: ReadonlySet<string> = new Set([
  'clear',
  'delete',
  'drop',
  'forget',
  'purge',
  'remove',
  'truncate',
  'wipe',
]);

/** Fixed segments of a path, folded. */
export const fixedWords = (path: string): string[] =>
  path.split('/').flatMap((segment) => (segment === '' || segment.includes('{') ? [] : [folded(segment)]));

export const delicateWord = (path: string): string | undefined =>
  fixedWords(path).find((word) => delicate.has(word) || word.split('_').some((part) => delicate.has(part)));

export const isHealth = (path: string): boolean => health.has(fixedWords(path).at(-1) ?? '');

/** What a method and the words of its path ask for; the stronger right where the words leave it open. */
export function verbOf(method: string, path: string): { action: string; permission: string } {
  const parts = (fixedWords(path).at(-1) ?? '').split('_');
  const read = { action: 'memory:read', permission: 'MemoryRead' };
  if (method === 'DELETE' || parts.some((word) => deleting.has(word)))
    return { action: 'memory:delete', permission: 'MemoryDelete' };
  if (parts.length === 1 && searching.has(parts[0] ?? '') && /^(?:GET|POST)$/.test(method))
    return { ...read, action: 'memory:search' };
  return method === 'GET' ? read : { action: 'memory:write', permission: 'MemoryWrite' };
}

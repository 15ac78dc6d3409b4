import type { KeyEntry } from '../identify/identify.js';
import type { KeyAdminContext } from './port.js';

const now = {
  process: 'in force in this process',
  store: 'no process runs on this data directory; kept in its store for the next one',
} as const;

/** Where a revoke is in force, and what is still to be done. */
export function reachOf(
  { source }: KeyEntry,
  { reach, isPersistent }: Pick<KeyAdminContext, 'reach' | 'isPersistent'>,
): string {
  const manifest = source.kind === 'manifest' ? source.file : null;
  if (!isPersistent) {
    const only = reach === 'process' ? `${now.process} only` : now.store;
    return `${only}; set \`revoked\` in ${manifest ?? 'its manifest'}, as the data directory is not persistent`;
  }
  const lasting = reach === 'process' ? `${now.process}, and after its restarts` : now.store;
  if (manifest === null) return lasting;
  return `${lasting}; replicas with a data directory of their own need \`revoked\` in ${manifest}`;
}

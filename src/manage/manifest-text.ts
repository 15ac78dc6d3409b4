import type { Clock } from '../base/clock.js';
import { no, ok, type Result } from '../base/result.js';
import { hashKey, newKey } from '../identify/identify.js';
import { isoTime, manifestText, type ManifestEntry } from '../manifests/manifests.js';
import type { KeyProblem, KeyWish } from './port.js';
import { expiryOf, wishProblems } from './wish.js';

/** A new key that is kept nowhere: its text for the caller, its entry for a manifest in Git. */
export interface ManifestKey {
  readonly id: string;
  /** The whole credential, shown once. */
  readonly key: string;
  readonly entry: ManifestEntry;
  /** A complete manifest with this one entry. */
  readonly manifest: string;
}

/** Makes a key for a manifest. No store, no process and no record is needed: nothing takes effect until the manifest is loaded. */
export async function newManifestKey(
  wish: KeyWish,
  prefix: string,
  clock: Pick<Clock, 'nowMs'>,
): Promise<Result<ManifestKey, KeyProblem>> {
  const nowMs = clock.nowMs();
  const problems = wishProblems(wish, null, nowMs);
  if (problems.length > 0) return no({ kind: 'invalid', problems });
  const { id, text } = newKey(prefix);
  const expiresAt = isoTime(expiryOf(wish, nowMs));
  const entry = {
    id,
    hash: await hashKey(text),
    name: wish.name,
    ...(wish.owner == null ? {} : { owner: wish.owner }),
    spaces: wish.spaces,
    permissions: wish.permissions,
    ...((wish.roles ?? []).length === 0 ? {} : { roles: wish.roles }),
    ...(wish.tier == null ? {} : { tier: wish.tier }),
    created_at: isoTime(nowMs),
    ...(expiresAt === null ? {} : { expires_at: expiresAt }),
  };
  return ok({ id, key: text, entry, manifest: manifestText([entry]) });
}

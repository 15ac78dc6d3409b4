import { stat } from 'node:fs/promises';
import { hasStore, namesOf, openLocalKeys, type LocalPlace } from '../app/app.js';
import { environment } from '../base/env.js';
import { describeProblem, type Problem } from '../base/document.js';
import { ok, type Result } from '../base/result.js';
import { controlClient, controlPath } from '../control/control.js';
import { listManifests, loadManifestFiles, type KnownNames, type LoadedManifests } from '../identify/identify.js';
import type { KeyInventory } from '../manage/manage.js';
import { findPlace, valueOf, withKeys, type PlaceOptions } from './place.js';
import { CommandFailure } from './print.js';

/** What `plan` and `lint` were asked about, as far as it is known. */
export interface KeysPlace {
  /** Directories and files of manifests. */
  readonly paths: readonly string[];
  /** Null when no data directory was named. */
  readonly place: LocalPlace | null;
}

/** Named paths, or the directory that the configuration names. */
export async function findKeys(paths: readonly string[], options: PlaceOptions): Promise<KeysPlace> {
  const isPlaced = [options.dataDir, options.config, environment('MEMGATE_DATA_DIR')].some(
    (name) => (name ?? '') !== '',
  );
  const place = isPlaced ? await findPlace(options) : null;
  const named = place?.config?.config.keys.manifests;
  if (paths.length > 0) return { paths, place };
  if (place?.config != null && named !== undefined) return { paths: [place.config.resolvePath(named)], place };
  throw new CommandFailure(2, 'which manifests? Give a directory or files, or --config FILE with keys.manifests');
}

/** Every key of the running process; null where none runs. */
export async function runningKeys(place: LocalPlace | null): Promise<KeyInventory | null> {
  const client = place === null ? null : await controlClient(controlPath(place.dataDir));
  return client === null ? null : valueOf(await client.keys.inventory());
}

/** The same of the store, where no process runs; null where there is no store. */
export async function keptKeys(place: LocalPlace | null, options: PlaceOptions): Promise<KeyInventory | null> {
  const running = await runningKeys(place);
  if (running !== null || place === null || !hasStore(place.dataDir)) return running;
  return valueOf(await withKeys(options, openLocalKeys, (keys) => keys.inventory()));
}

/** Names of the policy: that of the configuration, which may be the next one, else that of the running process. */
export async function knownNames(place: LocalPlace | null, inventory: KeyInventory | null): Promise<KnownNames | null> {
  if (place?.config != null) return namesOrFail(place.config);
  const { policy } = inventory ?? { policy: null };
  if (policy === null) return null;
  const rolePermissions = new Map(Object.entries(policy.roles));
  return { roles: new Set(rolePermissions.keys()), tiers: new Set(policy.tiers), rolePermissions };
}

/** Roles and tiers of the policy that a configuration names. */
export async function namesOrFail(config: NonNullable<LocalPlace['config']>): Promise<KnownNames> {
  const names = await namesOf(config);
  if (names.ok) return names.value;
  throw new CommandFailure(1, names.why.join('\n'));
}

/** Reads directories and files together: one id may stand in them once. */
export async function readManifests(
  paths: readonly string[],
  known: KnownNames | null,
): Promise<Result<LoadedManifests, readonly Problem[]>> {
  const files: string[] = [];
  for (const path of paths) {
    const listed = await filesOf(path);
    if (!listed.ok) return listed;
    files.push(...listed.value);
  }
  return loadManifestFiles([...new Set(files)], known);
}

export const isDirectory = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => null))?.isDirectory() === true;

const filesOf = async (path: string): Promise<Result<readonly string[], readonly Problem[]>> =>
  (await isDirectory(path)) ? listManifests(path) : ok([path]);

/** Every problem in a line of its own. */
export const problemLines = (problems: readonly Problem[]): readonly string[] => problems.map(describeProblem);

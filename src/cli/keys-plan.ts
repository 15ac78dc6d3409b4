import { basename } from 'node:path';
import { systemClock } from '../base/clock.js';
import { no, ok, type Result } from '../base/result.js';
import type { LoadedManifests } from '../identify/identify.js';
import { loadManifestFiles } from '../identify/identify.js';
import type { KeyInventory } from '../manage/manage.js';
import {
  expiringKeys,
  isoTime,
  keyChanges,
  statedKey,
  type ExpiringKey,
  type KeyChange,
  type StatedKey,
} from '../manifests/manifests.js';
import { manifestsAt } from './git-manifests.js';
import {
  findKeys,
  isDirectory,
  knownNames,
  problemLines,
  readManifests,
  runningKeys,
  type KeysPlace,
} from './keys-source.js';
import type { PlaceOptions } from './place.js';
import { CommandFailure } from './print.js';

export interface PlanOptions extends PlaceOptions {
  readonly against?: string;
  readonly againstDir?: string;
  /** In ms. */
  readonly expiring: number;
}

/** What would change. */
export interface Plan {
  /** What is compared, for people. */
  readonly before: string;
  readonly after: string;
  readonly changes: readonly KeyChange[];
  readonly expiring: readonly ExpiringKey[];
  /** In days. */
  readonly expiring_within_days: number;
  readonly notes: readonly string[];
}

/** The other side of a comparison. */
interface Before {
  readonly label: string;
  readonly keys: readonly StatedKey[];
  readonly notes: readonly string[];
}

type Problems = readonly string[];

/** Compares manifests with a revision, with a directory, or with the running process; or tells why they would not load. */
export async function makePlan(given: readonly string[], options: PlanOptions): Promise<Result<Plan, Problems>> {
  const asked = await findKeys(given, options);
  const inventory = await runningKeys(asked.place);
  const known = await knownNames(asked.place, inventory);
  const after = await readManifests(asked.paths, known);
  if (!after.ok) return no(problemLines(after.why));
  const before = await sideBefore(asked, options, inventory);
  if (!before.ok) return before;
  const keys = after.value.entries.map(statedKey);
  const conflicts = inStore(keys, inventory);
  if (conflicts.length > 0) return no(conflicts);
  const former = await narrowed(before.value.keys, keys, asked.paths);
  return ok({
    before: before.value.label,
    after: asked.paths.join(', '),
    changes: keyChanges(former, keys),
    expiring: expiringKeys(keys, { nowMs: systemClock.nowMs(), withinMs: options.expiring }),
    expiring_within_days: options.expiring / 86_400_000,
    notes: [...before.value.notes, ...refusedNotes(after.value), ...revokedNotes(keys, inventory)],
  });
}

async function sideBefore(
  { paths, place }: KeysPlace,
  { against, againstDir }: PlanOptions,
  inventory: KeyInventory | null,
): Promise<Result<Before, Problems>> {
  if (against !== undefined) return ofRevision(against, paths);
  if (againstDir !== undefined) {
    const read = await readManifests([againstDir], null);
    return read.ok ? ok(sideOf(againstDir, read.value)) : no(problemLines(read.why));
  }
  if (inventory !== null)
    return ok({ label: 'the running process', keys: inventory.keys.filter(({ file }) => file !== null), notes: [] });
  const where = place === null ? 'no data directory was named' : `no memgate process is running on ${place.dataDir}`;
  throw new CommandFailure(place === null ? 2 : 1, `${where}: compare with --against REV or --against-dir DIR`);
}

async function ofRevision(revision: string, paths: readonly string[]): Promise<Result<Before, Problems>> {
  const { label, files, absent, paths: named } = await manifestsAt(revision, paths);
  // What roles and tiers there were then is not known.
  const read = await loadManifestFiles(named, null, files);
  if (!read.ok) return no(problemLines(read.why));
  const notes = absent.map((path) => `${path} is not in ${revision}`);
  return ok({ ...sideOf(label, read.value), notes });
}

const sideOf = (label: string, { entries }: LoadedManifests): Before => ({
  label,
  keys: entries.map(statedKey),
  notes: [],
});

/** Where single files were named, keys of other files are not missing from them. */
async function narrowed(
  before: readonly StatedKey[],
  after: readonly StatedKey[],
  paths: readonly string[],
): Promise<readonly StatedKey[]> {
  const isWhole = await Promise.all(paths.map(isDirectory));
  if (isWhole.includes(true)) return before;
  const names = new Set(paths.map((path) => basename(path)));
  const ids = new Set(after.map(({ id }) => id));
  return before.filter(({ id, file }) => ids.has(id) || (file !== null && names.has(basename(file))));
}

const refusedNotes = ({ refused }: LoadedManifests): readonly string[] =>
  problemLines(refused).map((problem) => `${problem}; it would be left out`);

/** A load would be refused: nobody could say which of the two counts. */
function inStore(keys: readonly StatedKey[], inventory: KeyInventory | null): Problems {
  const stored = new Set((inventory?.keys ?? []).filter(({ file }) => file === null).map(({ id }) => id));
  return keys
    .filter(({ id }) => stored.has(id))
    .map(({ id, file }) => `${file ?? ''}: key ${id} is in the store of the running process as well`);
}

function revokedNotes(keys: readonly StatedKey[], inventory: KeyInventory | null): readonly string[] {
  const revoked = new Map((inventory?.keys ?? []).map(({ id, revokedHere }) => [id, revokedHere]));
  return keys.flatMap(({ id, file, revoked: isTold }) => {
    const here = revoked.get(id) ?? null;
    if (here === null || isTold !== null) return [];
    const since = isoTime(here.atMs) ?? '';
    return [`key ${id} was revoked in the running process on ${since} and stays so: set \`revoked\` in ${file ?? ''}`];
  });
}

import { InvalidArgumentError, type Command } from 'commander';
import { systemClock } from '../base/clock.js';
import type { KeyInventory } from '../manage/manage.js';
import { fileFindings, lintCodes, lintManifests, type LintFinding, type LintOptions } from '../manifests/manifests.js';
import { durationArgument, listArgument } from './auth-options.js';
import { findKeys, keptKeys, knownNames, readManifests } from './keys-source.js';
import type { LintReport } from './keys-show.js';
import type { PlaceOptions } from './place.js';

const dayMs = 86_400_000;

export interface LintCommandOptions extends PlaceOptions {
  /** In ms. */
  readonly maxLifetime: number;
  /** In ms. */
  readonly unused: number;
  readonly ignore: readonly string[];
  readonly strict?: true;
}

function codesArgument(text: string): readonly string[] {
  const codes = listArgument(text);
  const strange = codes.find((code) => !lintCodes.includes(code));
  if (strange !== undefined) throw new InvalidArgumentError(`Known codes: ${lintCodes.join(', ')}.`);
  return codes;
}

export const lintOptions = (command: Command): Command =>
  command
    .option('--max-lifetime <duration>', 'how far in the future a key may end', durationArgument, 366 * dayMs)
    .option('--unused <duration>', 'how long a key may go without a use', durationArgument, 90 * dayMs)
    .option('--ignore <codes>', 'findings to leave out, with commas between them', codesArgument, [])
    .option('--strict', 'end with 1 where there is a warning, too');

/** Reads manifests and holds them against the rules. */
export async function lintKeys(given: readonly string[], options: LintCommandOptions): Promise<LintReport> {
  const { paths, place } = await findKeys(given, options);
  const inventory = await keptKeys(place, options);
  const nowMs = systemClock.nowMs();
  const uses = usesOf(inventory, nowMs - options.unused);
  const names = await knownNames(place, inventory);
  // Roles and tiers are compared by the rules, which go on after the first.
  const read = await readManifests(paths, null);
  const held: LintOptions = {
    nowMs,
    maxLifetimeMs: options.maxLifetime,
    unusedMs: options.unused,
    lastUsedAtMs: uses.lastUsedAtMs,
    policy: names && { roles: names.rolePermissions ?? new Map(), tiers: names.tiers },
  };
  const all = read.ok ? lintManifests(read.value, held) : fileFindings(read.why);
  const findings = all.filter(({ code }) => !options.ignore.includes(code));
  const of = (level: LintFinding['level']): number => findings.filter((one) => one.level === level).length;
  const notes = [...(names === null ? ['roles and tiers were not compared: no policy is at hand'] : []), ...uses.notes];
  return { errors: of('error'), warnings: of('warning'), findings, notes: read.ok ? notes : [] };
}

/** Nobody can say of a key that it is unused who has not been looking for that long. */
function usesOf(
  inventory: KeyInventory | null,
  sinceMs: number,
): { readonly lastUsedAtMs: LintOptions['lastUsedAtMs']; readonly notes: readonly string[] } {
  const left = 'unused keys were not looked for';
  if (inventory === null) return { lastUsedAtMs: null, notes: [`${left}: no process and no store is at hand`] };
  const { usesSinceMs } = inventory;
  if (usesSinceMs === null) return { lastUsedAtMs: null, notes: [`${left}: no use of any key is known`] };
  if (usesSinceMs > sinceMs) {
    const since = new Date(usesSinceMs).toISOString();
    return { lastUsedAtMs: null, notes: [`${left}: uses are known since ${since} only`] };
  }
  const used = inventory.keys.flatMap(({ id, lastUsedAtMs }) =>
    lastUsedAtMs === null ? [] : [[id, lastUsedAtMs] as const],
  );
  return { lastUsedAtMs: new Map(used), notes: [] };
}

import { fileProblem, type Problem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import type { Actor } from '../model/audit.js';
import type { Content, Keeper, Kept, Rollback } from '../origin/origin.js';
import type { BuiltGeneration } from './build.js';
import type { ReloadWish } from './port.js';
import type { Reading } from './reading.js';

/** What a reload reads, and what becomes of a rollback when it takes effect. */
export interface Plan {
  readonly reading: Reading;
  readonly mark: Rollback | null;
}

export interface Planning {
  readonly keeper: Keeper;
  readonly current: BuiltGeneration;
  readonly nowMs: number;
}

const forward: Plan = { reading: { content: null, held: null }, mark: null };
const place = 'kept generations';

/** Nothing that nobody asked for ends a rollback: a change of the files then changes the keys, and nothing else. */
export async function planOf(
  actor: Actor,
  { isAutomatic = false, keysOnly = false, backTo, allowRollback = false }: ReloadWish,
  planning: Planning,
): Promise<Result<Plan, readonly Problem[]>> {
  const { keeper, current, nowMs } = planning;
  const rollback = keeper.rollback();
  if (backTo !== undefined) {
    const target = targetOf(backTo, planning);
    if (!target.ok) return no([fileProblem(place, target.why)]);
    const { id, generations } = target.value;
    const { entries } = current.sources.manifests;
    const held = { entries, config: current.sources.loaded.config };
    const to = generations.at(-1) ?? '';
    const mark = { id, to, from: current.hash, atMs: nowMs, actor: `${actor.kind}:${actor.id}` };
    return withContent(await keeper.read(id), { reading: { content: null, held, allowsRollback: true }, mark });
  }
  if ((isAutomatic || keysOnly) && rollback !== null)
    return withContent(await keeper.read(rollback.id), { ...forward, mark: rollback });
  return ok({ ...forward, reading: { ...forward.reading, allowsRollback: allowRollback } });
}

const withContent = (read: Result<Content, string>, { reading, mark }: Plan): Result<Plan, readonly Problem[]> =>
  read.ok ? ok({ reading: { ...reading, content: read.value }, mark }) : no([fileProblem(place, read.why)]);

function targetOf(wanted: string | null, { keeper, current }: Planning): Result<Kept, string> {
  const kept = keeper.list();
  const here = kept.findIndex(({ generations }) => generations.includes(current.hash));
  if (wanted === null) {
    const before = kept[keeper.rollback() === null ? here + 1 : backIndex(kept, keeper) + 1];
    return before === undefined ? no('there is none before the one in force') : ok(before);
  }
  const found = kept.filter(({ generations }) => generations.some((hash) => hash.startsWith(wanted)));
  const [only] = found;
  if (only === undefined) return no('none has that hash; memgate status lists them');
  return found.length > 1 ? no('several begin with that; give more of the hash') : ok(only);
}

const backIndex = (kept: readonly Kept[], keeper: Keeper): number =>
  kept.findIndex(({ id }) => id === keeper.rollback()?.id);

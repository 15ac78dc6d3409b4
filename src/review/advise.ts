import { readHistory } from '../record/record.js';
import { recordedDecision, type RecordedDecision } from './recorded.js';

/** What a key may do, as it stands now. */
export interface Rights {
  readonly id: string;
  readonly name: string;
  readonly permissions: readonly string[];
  readonly roles: readonly string[];
  readonly spaces: readonly string[];
}

type Part = Pick<Rights, 'permissions' | 'roles' | 'spaces'>;

/** Rights of a key that it did not use. */
export interface Advice {
  readonly id: string;
  readonly name: string;
  /** Requests that the policy allowed it, as far as the log shows. */
  readonly allowed: number;
  readonly denied: number;
  readonly unused: Part;
  /** What would be left. */
  readonly keep: Part;
  readonly notes: readonly string[];
}

export interface AdviceReport {
  /** Time of the first record that was read, or what was asked for where that is later; null for an empty log. */
  readonly from: string | null;
  readonly to: string;
  /** Days between the two. */
  readonly days: number;
  readonly damaged: number;
  readonly keys: readonly Advice[];
}

interface Use {
  readonly permissions: Set<string>;
  readonly spaces: Set<string>;
  isWhole: boolean;
  allowed: number;
  denied: number;
}

export interface AdviseOptions {
  readonly dir: string;
  readonly fromMs: number;
  readonly nowMs: number;
  readonly keys: readonly Rights[];
  /** Permissions by role; null without a policy: then roles are left as they are. */
  readonly rolePermissions: ReadonlyMap<string, readonly string[]> | null;
}

const dayMs = 86_400_000;

/** Compares what keys may do with what the log says they did. */
export async function adviseKeys(options: AdviseOptions): Promise<AdviceReport> {
  const { dir, fromMs, nowMs, keys } = options;
  const uses = new Map(keys.map(({ id }): [string, Use] => [id, newUse()]));
  const facts = await readHistory(dir, { fromMs }, (record) => {
    const decision = recordedDecision(record);
    const use = decision?.subjectKind === 'api_key' ? uses.get(decision.subjectId ?? '') : undefined;
    if (decision !== null && use !== undefined) count(use, decision);
  });
  const startMs = facts.firstMs;
  return {
    from: startMs === null ? null : new Date(startMs).toISOString(),
    to: new Date(nowMs).toISOString(),
    days: startMs === null ? 0 : Math.round(((nowMs - startMs) / dayMs) * 10) / 10,
    damaged: facts.damaged,
    keys: keys.map((key) => adviceFor(key, uses.get(key.id) ?? newUse(), options.rolePermissions)),
  };
}

const newUse = (): Use => ({ permissions: new Set(), spaces: new Set(), isWhole: true, allowed: 0, denied: 0 });

/** A request that a limit turned away made use of its right all the same. */
function count(use: Use, { decision, effect, permission, spaces, hasAllSpaces }: RecordedDecision): void {
  if (decision?.allow !== true && effect !== 'allow') {
    use.denied += 1;
    return;
  }
  use.allowed += 1;
  if (permission !== null) use.permissions.add(permission);
  for (const space of spaces) use.spaces.add(space);
  use.isWhole &&= hasAllSpaces;
}

function adviceFor(key: Rights, use: Use, roles: AdviseOptions['rolePermissions']): Advice {
  const { id, name } = key;
  const { allowed, denied } = use;
  const facts = { id, name, allowed, denied };
  if (allowed === 0) {
    const notes = ['never used: revoke it, if nobody waits for it'];
    return { ...facts, unused: partOf(key), keep: partOf(key), notes };
  }
  const notes: string[] = [];
  const permissions = key.permissions.filter((each) => use.permissions.has(each));
  const byRole = [...use.permissions].filter((each) => !permissions.includes(each));
  const keep = { permissions, roles: rolesFor(key.roles, byRole, roles), spaces: spacesFor(key.spaces, use, notes) };
  if (roles === null && key.roles.length > 0) notes.push('roles are left as they are: no policy is at hand');
  for (const role of keep.roles) {
    const spare = (roles?.get(role) ?? []).filter((each) => !use.permissions.has(each));
    if (spare.length > 0) notes.push(`of the role ${role} it did not use ${spare.join(', ')}`);
  }
  return { ...facts, keep, unused: without(key, keep), notes };
}

const partOf = ({ permissions, roles, spaces }: Part): Part => ({ permissions, roles, spaces });

const without = (all: Part, keep: Part): Part => ({
  permissions: all.permissions.filter((each) => !keep.permissions.includes(each)),
  roles: all.roles.filter((each) => !keep.roles.includes(each)),
  spaces: all.spaces.filter((each) => !keep.spaces.includes(each)),
});

/** As few roles as give what was used and is not held directly; each time the one that gives the most. */
function rolesFor(
  own: readonly string[],
  used: readonly string[],
  roles: AdviseOptions['rolePermissions'],
): readonly string[] {
  if (roles === null) return own;
  const kept: string[] = [];
  let open = used;
  for (;;) {
    const given = (role: string): number => open.filter((each) => roles.get(role)?.includes(each) === true).length;
    const best = own.filter((role) => !kept.includes(role)).sort((one, other) => given(other) - given(one))[0];
    if (best === undefined || given(best) === 0) return own.filter((role) => kept.includes(role));
    kept.push(best);
    open = open.filter((each) => roles.get(best)?.includes(each) !== true);
  }
}

/** A key must have a space; one that reached all of them needs `*`. */
function spacesFor(own: readonly string[], use: Use, notes: string[]): readonly string[] {
  if (!use.isWhole) notes.push('spaces are left as they are: some records had no room for every name');
  if (!use.isWhole || use.spaces.has('*') || use.spaces.size === 0) return own;
  return own.includes('*') ? [...use.spaces].sort() : own.filter((space) => use.spaces.has(space));
}

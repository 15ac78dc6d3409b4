import type { Policy } from '../authorize/authorize.js';
import { no, ok, type Result } from '../base/result.js';
import type { ProfileData } from '../resolve/resolve.js';
import { ask } from './ask.js';
import { effectOf } from './difference.js';
import type { DecisionRecord } from './explain.js';
import { routeActions, type MatrixAction } from './matrix.js';
import { inputText, type Caller } from './question.js';

/** A request that nobody sent. */
export interface WhatIf {
  readonly profile: ProfileData;
  /** Id of a route of the profile. */
  readonly route: string;
  readonly caller: Caller;
  /** Empty for the server's default space; `*` alone for all. */
  readonly spaces: readonly string[];
  readonly tool: string | null;
  /** Names that keys grant; those of the policy data are added. */
  readonly grantedSpaces: ReadonlySet<string>;
  readonly nowMs: number;
  readonly readonly: boolean;
}

/** Asks the policy about it. @returns a record as the log would hold it, or why there is no such question */
export function whatIf(policy: Policy, wish: WhatIf): Result<DecisionRecord, string> {
  const { caller, tool, nowMs, readonly } = wish;
  const action = routeActions(wish.profile).find(({ name }) => name === wish.route);
  if (action === undefined) return no(`profile ${wish.profile.name} has no route "${wish.route}"`);
  const reached = reachedBy(action, wish);
  if (!reached.ok) return reached;
  const spaces = { ...reached.value, unknown: unknownOf(policy, wish, reached.value.ids) };
  const input = inputText({ nowMs, readonly, route: action.route, tool, spaces, subject: caller });
  const decision = ask(policy, input);
  return ok({
    id: '',
    time: new Date(nowMs).toISOString(),
    effect: decision === null ? 'deny' : effectOf(decision),
    code: decision === null ? 'policy.failed' : null,
    subject: { kind: caller.kind, id: caller.id, owner: caller.owner },
    method: action.route.method,
    route: action.name,
    action: action.route.action,
    permission: action.route.permission,
    spaces: { ...spaces, explicit: wish.spaces.length > 0 },
    reasons: decision?.reasons ?? [],
    missing: decision?.missing ?? [],
    input: JSON.parse(input) as unknown,
    decision,
  });
}

function reachedBy(
  { space }: MatrixAction,
  { spaces, profile, route }: WhatIf,
): Result<{ all: boolean; ids: readonly string[] }, string> {
  const isAll = spaces.includes('*');
  if (space === 'none') return ok({ all: false, ids: [] });
  if (space === 'all' || (space === 'asked' && isAll)) return ok({ all: true, ids: [] });
  if (typeof space === 'object') {
    const other = spaces.find((each) => each !== space.fixed);
    if (other === undefined) return ok({ all: false, ids: [space.fixed] });
    return no(`route "${route}" always means the space "${space.fixed}": a request that names "${other}" is refused`);
  }
  const usual = profile.space.default;
  if (spaces.length > 0) return ok({ all: false, ids: [...new Set(spaces)].sort() });
  return usual === undefined ? no('which space? This profile has no default one') : ok({ all: false, ids: [usual] });
}

const unknownOf = (policy: Policy, { profile, grantedSpaces }: WhatIf, ids: readonly string[]): readonly string[] =>
  profile.space.unknown === 'refuse' ? ids.filter((id) => !policy.knownSpaces.has(id) && !grantedSpaces.has(id)) : [];

import type { Policy } from '../authorize/authorize.js';
import { permissions } from '../model/permissions.js';
import type { ProfileData } from '../resolve/resolve.js';
import { ask } from './ask.js';
import { inputText, usualRoutes, type Caller, type Question } from './question.js';

/** A role or a key. */
export interface MatrixCaller {
  readonly name: string;
  /** A role has no spaces of its own: it is asked as somebody who holds the space in question. */
  readonly spaces: 'asked' | 'own';
  readonly caller: Caller;
}

/** A permission, or a route of the profile. */
export interface MatrixAction {
  readonly name: string;
  readonly route: Question['route'];
  /** `asked`: the space in question; `none`: it touches no space; `all`: it reaches every space; or always this one. */
  readonly space: 'asked' | 'none' | 'all' | { readonly fixed: string };
}

export interface MatrixCell {
  readonly caller: string;
  readonly action: string;
  /** `*` for all; null where the action touches no space. */
  readonly space: string | null;
  readonly allow: boolean;
  readonly reasons: readonly string[];
}

export interface Matrix {
  readonly revision: string;
  readonly callers: readonly string[];
  readonly actions: readonly string[];
  /** Spaces that were asked about; `*` for all. */
  readonly spaces: readonly string[];
  /** Caller by caller, action by action. */
  readonly cells: readonly MatrixCell[];
}

export interface MatrixWish {
  readonly callers: readonly MatrixCaller[];
  readonly actions: readonly MatrixAction[];
  readonly spaces: readonly string[];
  readonly nowMs: number;
  readonly readonly: boolean;
}

/** Every permission, with its usual action. Those of the system and of operators touch no space. */
export const permissionActions = (): readonly MatrixAction[] =>
  permissions.map((permission) => ({
    name: permission,
    route: { id: 'matrix', method: 'POST', permission, ...usualRoutes[permission] },
    space: /^(?:System|Admin)/.test(permission) ? 'none' : 'asked',
  }));

/** Every route of a profile. */
export const routeActions = ({ routes }: ProfileData): readonly MatrixAction[] =>
  routes.map(({ id, match, action, permission, class: dataClass, space }) => ({
    name: id,
    route: { id, method: match.split(' ', 1)[0] ?? 'GET', action, permission, class: dataClass },
    space: spaceOf(space),
  }));

function spaceOf(space: ProfileData['routes'][number]['space']): MatrixAction['space'] {
  if (space === 'NONE') return 'none';
  if (typeof space === 'string') return 'all';
  return Array.isArray(space) ? 'asked' : space;
}

const noRights = { owner: null, permissions: [], spaces: [], tier: null, expiresAtMs: null } as const;
const roleCaller = (name: string, roles: readonly string[]): MatrixCaller => ({
  name,
  spaces: 'asked',
  caller: { kind: 'api_key', id: 'matrix', roles, ...noRights },
});

/** What everybody verified may do, and every role of the policy data. */
export const roleCallers = (names: Iterable<string>): readonly MatrixCaller[] => [
  roleCaller('(none)', []),
  ...[...names].sort().map((name) => roleCaller(name, [name])),
];

/** Asks the policy about every caller, action and space. */
export function matrixOf(policy: Policy, wish: MatrixWish): Matrix {
  const cells = wish.callers.flatMap((caller) =>
    wish.actions.flatMap((action) =>
      spacesFor(action, wish.spaces).map((space) => cellOf(policy, wish, { caller, action, space })),
    ),
  );
  return {
    revision: policy.revision,
    callers: wish.callers.map(({ name }) => name),
    actions: wish.actions.map(({ name }) => name),
    spaces: wish.spaces,
    cells,
  };
}

function spacesFor({ space }: MatrixAction, asked: readonly string[]): readonly (string | null)[] {
  if (space === 'asked') return asked;
  return space === 'none' ? [null] : space === 'all' ? ['*'] : [space.fixed];
}

interface Place {
  readonly caller: MatrixCaller;
  readonly action: MatrixAction;
  readonly space: string | null;
}

function cellOf(policy: Policy, { nowMs, readonly }: MatrixWish, { caller, action, space }: Place): MatrixCell {
  const own = caller.spaces === 'own' || space === null ? caller.caller.spaces : [space];
  const text = inputText({
    nowMs,
    readonly,
    route: action.route,
    spaces: { all: space === '*', ids: space === null || space === '*' ? [] : [space], unknown: [] },
    subject: { ...caller.caller, spaces: own },
  });
  const answer = ask(policy, text);
  const { allow, reasons } = answer ?? { allow: false, reasons: ['policy.failed'] };
  return { caller: caller.name, action: action.name, space, allow, reasons };
}

import { isDeepStrictEqual as isSame } from 'node:util';
import type { Policy } from '../authorize/authorize.js';
import { permissions } from '../model/permissions.js';
import { ask } from './ask.js';
import { changeOf, effectOf, type Answer, type ChangeKind } from './difference.js';
import { inputText, usualRoutes, type Question } from './question.js';

/** A question and its name. */
export interface NamedInput {
  readonly name: string;
  readonly input: string;
}

export interface Changed {
  readonly name: string;
  readonly kind: ChangeKind;
  readonly before: readonly string[];
  readonly after: readonly string[];
}

export interface PolicyDifference {
  readonly before: string;
  readonly after: string;
  /** Names of the policy data of which the content differs. */
  readonly data: readonly string[];
  readonly questions: number;
  readonly cases: readonly Changed[];
  /** `ROLE, PERMISSION, SITUATION` of the access matrix. */
  readonly matrix: readonly Changed[];
}

const nowMs = 1_790_000_000_000;
type Situation = Pick<Question, 'spaces' | 'readonly'> & { readonly own: readonly string[] };
const one = { all: false, ids: ['a-space'], unknown: [] };
const situations: Readonly<Record<string, Situation>> = {
  'its own space': { spaces: one, own: ['a-space'], readonly: false },
  "somebody else's space": { spaces: one, own: ['another-space'], readonly: false },
  'all spaces': { spaces: { all: true, ids: [], unknown: [] }, own: ['a-space'], readonly: false },
  'all spaces with *': { spaces: { all: true, ids: [], unknown: [] }, own: ['*'], readonly: false },
  'an unknown space with *': { spaces: { ...one, unknown: one.ids }, own: ['*'], readonly: false },
  'its own space, read-only': { spaces: one, own: ['a-space'], readonly: true },
};

/** Every role of either policy, with every permission, in every situation; and no role at all. */
export function matrixInputs(roles: Iterable<string>): readonly NamedInput[] {
  const names = [null, ...[...new Set(roles)].sort()];
  return names.flatMap((role) =>
    permissions.flatMap((permission) =>
      Object.entries(situations).map(([situation, { spaces, own, readonly }]) => ({
        name: `${role ?? '(none)'}, ${permission}, ${situation}`,
        input: inputText({
          nowMs,
          readonly,
          route: { id: 'matrix', method: 'POST', permission, ...usualRoutes[permission] },
          spaces,
          subject: {
            kind: 'api_key',
            id: 'matrix',
            owner: null,
            roles: role === null ? [] : [role],
            permissions: [],
            spaces: own,
            tier: null,
            expiresAtMs: null,
          },
        }),
      })),
    ),
  );
}

const shown = (given: Answer): readonly string[] => [effectOf(given), ...(given?.reasons ?? [])];

function changed(before: Policy, after: Policy, inputs: readonly NamedInput[]): readonly Changed[] {
  return inputs.flatMap(({ name, input }) => {
    const [then, now] = [ask(before, input), ask(after, input)];
    const kind = changeOf(then, now);
    return kind === null ? [] : [{ name, kind, before: shown(then), after: shown(now) }];
  });
}

/** What becomes different when one policy takes the place of another: on given cases, and on the access matrix of all roles. */
export function comparePolicies(before: Policy, after: Policy, cases: readonly NamedInput[]): PolicyDifference {
  const matrix = matrixInputs([...before.roleNames, ...after.roleNames]);
  const names = new Set([...Object.keys(before.data), ...Object.keys(after.data)]);
  return {
    before: before.revision,
    after: after.revision,
    data: [...names].filter((name) => !isSame(before.data[name], after.data[name])).sort(),
    questions: cases.length + matrix.length,
    cases: changed(before, after, cases),
    matrix: changed(before, after, matrix),
  };
}

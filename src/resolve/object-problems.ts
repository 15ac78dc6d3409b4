import type { LookupData } from './object-schema.js';
import type { ProfileData, RouteData } from './profile-schema.js';

/** What is wrong with a route's rule for objects, and where below the route. */
export interface ObjectProblem {
  readonly path: readonly string[];
  readonly message: string;
}

const problem = (path: string, message: string): ObjectProblem => ({ path: path.split('.'), message });

/** How objects and filters of a route do not fit with the rest of it, or with the other routes. */
export function objectProblems(route: RouteData, { routes }: ProfileData): readonly ObjectProblem[] {
  const { object, filter } = route;
  const found: ObjectProblem[] = [];
  if (object !== undefined && filter !== undefined) found.push(problem('filter', 'does not go with object'));
  if ((filter !== undefined || typeof object === 'object') && route.stream !== undefined)
    found.push(problem('stream', 'does not go with object or filter: an answer that is held has an end'));
  if (object === 'deny' && route.space !== 'UNSCOPED') found.push(problem('object', 'deny goes with space: UNSCOPED'));
  if (filter !== undefined) found.push(...filterProblems(route, filter.reads));
  if (typeof object !== 'object') return found;
  if (object.lookup !== undefined) found.push(...lookupProblems(route, object.lookup, routes));
  if (object.check_response !== undefined) found.push(...checkProblems(route, object.check_response.reads));
  return found;
}

/** An answer that is not shown must not have changed anything. */
const changes = (route: RouteData, reads: true | undefined): boolean =>
  !route.match.startsWith('GET ') && !(route.match.startsWith('POST ') && reads === true);

function filterProblems(route: RouteData, reads: true | undefined): ObjectProblem[] {
  return [
    ...(route.space === 'NONE' ? [] : [problem('filter', 'goes with space: NONE')]),
    ...(changes(route, reads) ? [problem('filter', 'goes with GET, or with a POST that is marked reads: true')] : []),
  ];
}

function checkProblems(route: RouteData, reads: true | undefined): ObjectProblem[] {
  const isStated = typeof route.space === 'object';
  return [
    ...(isStated ? [] : [problem('object.check_response', 'needs carriers or a fixed space to compare with')]),
    ...(changes(route, reads)
      ? [problem('object.check_response', 'goes with GET, or with a POST that is marked reads: true')]
      : []),
  ];
}

function lookupProblems(route: RouteData, lookup: LookupData, routes: readonly RouteData[]): ObjectProblem[] {
  const found: ObjectProblem[] = [];
  const names = [...lookup.request.matchAll(/\{([^}]*)\}/g)].map(([, name]) => name ?? '');
  for (const name of [...names, lookup.param]) {
    const at = name === lookup.param ? 'param' : 'request';
    if (!route.match.includes(`{${name}}`))
      found.push(problem(`object.lookup.${at}`, `{${name}} is not a segment of "${route.match}"`));
  }
  if (lookup.field !== undefined && route.space !== 'UNSCOPED')
    found.push(problem('object.lookup.field', 'says the space, and goes with space: UNSCOPED'));
  if (lookup.field !== undefined && !names.includes(lookup.param))
    found.push(problem('object.lookup.request', `must name the object by {${lookup.param}}`));
  if (lookup.item !== undefined && typeof route.space !== 'object')
    found.push(
      problem('object.lookup.item', 'is looked for in a space that is stated: it needs carriers or a fixed one'),
    );
  if (route.body_rules.length > 0) found.push(problem('body_rules', 'do not go with object.lookup'));
  for (const id of lookup.moved_by ?? [])
    if (!routes.some((other) => other.id === id))
      found.push(problem('object.lookup.moved_by', `"${id}" is not the id of a route`));
  return found;
}

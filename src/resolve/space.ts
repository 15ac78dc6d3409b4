import type { JsonObject } from '../base/json-tree.js';
import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { CleanRequest, QueryPair } from '../model/request.js';
import type { SpaceSet } from '../model/target.js';
import type { CompiledRoute, Profile } from './profile.js';

/** Values found so far; all must be equal. */
export interface Stated {
  /** Null when no carrier was present. */
  readonly value: string | null;
  /** True when a path or body carrier that the route obeys holds it, so that the server sees it as the request stands. */
  readonly isRead: boolean;
}

/** Collects the space from the head: every header and query carrier of the server, and the path carriers of the route. */
export function statedInHead(
  profile: Profile,
  route: CompiledRoute,
  { request, params }: { readonly request: CleanRequest; readonly params: Readonly<Record<string, string>> },
): Result<Stated, Refusal> {
  const values: string[] = [];
  for (const name of profile.headerCarriers) {
    const value = request.header(name);
    if (value !== undefined) values.push(value);
  }
  const keys = new Set<string>();
  for (const { name, value } of request.query) {
    if (!profile.queryCarriers.has(name)) continue;
    if (keys.has(name)) return no(refuse('space.conflict', `query ${name} stands twice`));
    keys.add(name);
    values.push(value);
  }
  for (const name of route.pathCarriers) values.push(decodeURIComponent(params[name] ?? '')); // the gate has refused what does not decode
  const fixed = fixedSpace(route);
  return agree(profile, fixed === null ? values : [...values, fixed], route.pathCarriers.length > 0);
}

/** Adds the body's carriers: strings only, canonical already, and no second spelling of their keys. */
export function statedInBody(
  profile: Profile,
  route: CompiledRoute,
  { fields, head }: { readonly fields: JsonObject; readonly head: Stated },
): Result<Stated, Refusal> {
  const names = new Set([...profile.data.space.body_carriers, ...route.bodyCarriers]);
  const folded = new Set([...names].map(foldCase));
  const values = head.value === null ? [] : [head.value];
  for (const [key, field] of fields) {
    if (!folded.has(foldCase(key))) continue;
    if (!names.has(key))
      return no(refuse('space.malformed', 'a body key that differs from a space carrier only by case'));
    if (typeof field !== 'string') return no(refuse('space.malformed', `body ${key} is not a string`));
    values.push(field);
  }
  return agree(profile, values, head.isRead || route.bodyCarriers.some((name) => fields.has(name)));
}

/** One spelling for all that a server may take for the same key: upper case first, as some read U+017F as an s. */
const foldCase = (key: string): string => key.toUpperCase().toLowerCase();

function agree(profile: Profile, values: readonly string[], isRead: boolean): Result<Stated, Refusal> {
  for (const value of values) {
    if (!profile.pattern.test(value)) return no(refuse('space.malformed', 'a space that is not in canonical form'));
    if (value !== values[0]) return no(refuse('space.conflict', 'carriers disagree'));
  }
  return ok({ value: values[0] ?? null, isRead });
}

const fixedSpace = (route: CompiledRoute): string | null => {
  const { space } = route.data;
  return typeof space === 'object' && !Array.isArray(space) ? space.fixed : null;
};

const whole: SpaceSet = { all: true, ids: [], unknown: [], explicit: true };
const untouched: SpaceSet = { all: false, ids: [], unknown: [], explicit: true };

/** The spaces that the request reaches, once every carrier was read. */
export function decideSpaces(
  profile: Profile,
  route: CompiledRoute,
  { stated, isKnown }: { readonly stated: Stated; readonly isKnown: (name: string) => boolean },
): Result<SpaceSet, Refusal> {
  const { space: rule, absent: routeAbsent, action } = route.data;
  // Nothing is reached, but a space that is named all the same must be one of the caller's.
  if (rule === 'NONE' && stated.value === null) return ok(untouched);
  // An object without a space is reached by those alone who may reach every space.
  if (rule === 'ALL' || rule === 'UNSCOPED') return ok(whole);
  let name = isSeen(route, stated) ? stated.value : null;
  const explicit = name !== null;
  if (name === null) {
    const absent = routeAbsent ?? profile.data.space.absent;
    if (absent === 'refuse') return no(refuse('space.absent', 'no carrier that the route obeys, and no default'));
    name = absent === 'default' ? (profile.data.space.default ?? null) : null;
    if (stated.value !== null && stated.value !== name)
      return no(refuse('space.conflict', 'a carrier that the route does not obey names another space'));
    if (name === null) return ok({ ...whole, explicit: false });
  }
  const unknown = profile.data.space.unknown === 'refuse' && action !== 'space:create' && !isKnown(name) ? [name] : [];
  return ok({ all: false, ids: [name], unknown, explicit });
}

/** A value decides only where the server sees it: in a carrier that we write, or in the path or body carrier that it obeys. */
const isSeen = ({ data, writes }: CompiledRoute, { isRead }: Stated): boolean =>
  !Array.isArray(data.space) || writes !== null || isRead;

export interface Rewritten {
  readonly query: readonly string[];
  readonly headers: readonly (readonly [string, string])[];
}

/** Cuts every query carrier out as a raw piece and writes the decided space into the one carrier that the route obeys. */
export function rewriteCarriers(
  profile: Profile,
  route: CompiledRoute,
  { pairs, spaces }: { readonly pairs: readonly QueryPair[]; readonly spaces: SpaceSet },
): Rewritten {
  const name = spaces.all ? undefined : spaces.ids[0];
  const writes = name === undefined ? null : route.writes;
  const query: string[] = [];
  let isWritten = false;
  for (const pair of pairs) {
    if (!profile.queryCarriers.has(pair.name)) {
      query.push(pair.raw);
    } else if (writes?.kind === 'query' && pair.name === writes.name && !isWritten) {
      query.push(`${encodeURIComponent(writes.name)}=${encodeURIComponent(name ?? '')}`);
      isWritten = true;
    }
  }
  if (writes?.kind === 'query' && !isWritten)
    query.push(`${encodeURIComponent(writes.name)}=${encodeURIComponent(name ?? '')}`);
  return { query, headers: writes?.kind === 'header' ? [[writes.label, name ?? '']] : [] };
}

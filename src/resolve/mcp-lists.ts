import type { RouteFacts, SpaceSet } from '../model/target.js';
import type { HeadFacts } from '../model/trail.js';
import { isInBody, type Carrier } from './carriers.js';
import type { ProfileData, RouteData } from './profile-schema.js';
import { Statement } from './statement.js';
import { statedInTree, type TreeRules } from './tree-rules.js';

/** A compiled route, as far as it is needed here. */
export interface Listed {
  readonly data: RouteData;
  readonly facts: RouteFacts;
  readonly carriers: readonly Carrier[];
  readonly tree: TreeRules | null;
}

/** What a space is to the server. */
export interface SpaceForm {
  readonly space: ProfileData['space'];
  readonly isCanonical: (name: string) => boolean;
}

/** Tells the policy that nothing is done: rules about arguments, which a list does not have, are not asked for. */
const listingParams = { 'mcp:listing': 'yes' } as const;

/** What the use of a name in a list would be; null where nobody may use it. */
export function headOf(
  entry: { readonly route: Listed; readonly tool: { readonly name: string } | null } | undefined,
): HeadFacts | null {
  if (entry === undefined) return null;
  const { route, tool } = entry;
  return { route: route.facts, params: listingParams, spaces: spacesOf(route.data), tool: tool?.name ?? null };
}

/** What reading a resource would be: its URI is all that the message names, so the space that stands in it is the one that is read. */
export function readHead(route: Listed | undefined, uri: string, form: SpaceForm): HeadFacts | null {
  if (route === undefined) return null;
  const spaces = Array.isArray(route.data.space) ? spacesIn(route, uri, form) : spacesOf(route.data);
  return spaces === null ? null : { route: route.facts, params: listingParams, spaces, tool: null };
}

/** @returns null where reading it is refused, whoever asks */
function spacesIn({ data, carriers, tree }: Listed, uri: string, { space, isCanonical }: SpaceForm): SpaceSet | null {
  const stated = new Statement(isCanonical);
  const message = new Map([['params', new Map([['uri', uri]])]]);
  if (tree !== null && statedInTree(message, tree, stated) !== null) return null;
  if (!stated.isEmpty) return setOf(stated.ids ?? [], stated.isAll);
  const absent = data.absent ?? space.absent;
  if (!carriers.every(isInBody) || absent === 'own') return spacesOf(data); // it may yet be named
  if (absent === 'refuse') return null;
  return absent === 'ALL' ? setOf([], true) : setOf(space.default === undefined ? [] : [space.default], false);
}

/** The spaces that a use reaches whatever it says; one that it has yet to name is none. */
function spacesOf({ space }: RouteData): SpaceSet {
  const fixed = typeof space === 'object' && 'fixed' in space ? space.fixed : null;
  return setOf(fixed === null ? [] : [fixed], space === 'ALL' || space === 'UNSCOPED');
}

const setOf = (ids: readonly string[], all: boolean): SpaceSet => ({ all, ids, unknown: [], explicit: true });

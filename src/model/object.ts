import type { SpaceSet } from './target.js';

/** What the memory server is asked about an object before a request that names it is decided. */
export interface LookupRule {
  /** Id of the route. */
  readonly name: string;
  /** Where the list of a space's objects stands; null where the answer is the object. */
  readonly list: readonly string[] | null;
  /** In the object its space; in an item of the list its id. */
  readonly field: readonly string[];
  /** How long an answer is used again; 0: never. */
  readonly cacheMs: number;
}

export interface ObjectQuestion {
  readonly rule: LookupRule;
  /** Path and query of the question. */
  readonly target: string;
  /** In the one accepted form. */
  readonly id: string;
  /** Those that the request states. */
  readonly spaces: SpaceSet;
  /** Whose request it is: nobody may have all places. */
  readonly subject: string;
}

/**
 * @returns what stands in the rule's field: the space of the object, or the id that is in the list; null where it is unknown
 * @throws Fault `upstream.*` where the memory server gives no answer that can be read
 */
export type FindObject = (question: ObjectQuestion) => Promise<string | null> | string | null;

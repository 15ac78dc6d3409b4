import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { FindObject, LookupRule } from '../model/object.js';
import { Target } from '../model/proofs.js';
import type { Subject } from '../model/subject.js';
import type { AnswerRule, HeadFacts, RouteFacts, SpaceSet } from '../model/target.js';
import { keysOf } from './carriers.js';
import type { Head } from './head.js';
import type { LookupData } from './object-schema.js';
import type { RouteData } from './profile-schema.js';

/** A route's look-up, compiled. */
export interface ObjectLookup {
  readonly rule: LookupRule;
  /** The path parameter that names the object. */
  readonly param: string;
  readonly form: RegExp;
  /** True where the answer is the list of the stated space's objects. */
  readonly isList: boolean;
  /** Path and query of the question. */
  target(params: Readonly<Record<string, string>>): string;
}

/** The keys of a pointer; none for the document itself. */
const keysAt = (pointer: string): readonly string[] => (pointer === '' ? [] : keysOf(pointer));

const lookupData = ({ object }: RouteData): LookupData | undefined =>
  typeof object === 'object' ? object.lookup : undefined;

export function compileLookup(route: RouteData): ObjectLookup | null {
  const data = lookupData(route);
  if (data === undefined) return null;
  const { param, form, request, field, list, item, cache_ms: cacheMs } = data;
  const template = request.slice('GET '.length);
  return {
    rule: {
      name: route.id,
      list: item === undefined ? null : keysAt(list ?? ''),
      field: keysAt(field ?? item ?? ''),
      cacheMs,
    },
    param,
    form: new RegExp(form),
    isList: item !== undefined,
    target: (params) => template.replaceAll(/\{([a-z0-9_]+)\}/g, (_, name: string) => params[name] ?? ''),
  };
}

/** What the answer of a route must hold. */
export function compileAnswerRule({ object, filter }: RouteData): AnswerRule | null {
  const check = typeof object === 'object' ? object.check_response : undefined;
  if (check !== undefined) {
    const items = check.list === undefined ? null : keysAt(check.list);
    return { kind: 'check', items, field: keysAt(check.field), keep: [] };
  }
  if (filter === undefined) return null;
  return { kind: 'filter', items: keysAt(filter.list), field: keysAt(filter.field), keep: filter.keep };
}

/** Until its object is looked up, a route that names one touches no space. */
export const looksUpItsSpace = (route: RouteData): boolean => lookupData(route)?.field !== undefined;

const nothing: SpaceSet = { all: false, ids: [], unknown: [], explicit: true };

export interface ObjectContext {
  readonly find: FindObject;
  readonly isCanonical: (space: string) => boolean;
  readonly subject: Subject;
  readonly route: { readonly facts: RouteFacts };
  readonly params: Readonly<Record<string, string>>;
}

/** A head whose request names an object: the memory server says which space it has, and the request is decided on that. */
export class ObjectHead implements Head {
  readonly asksFirst = true;
  readonly #head: Head;
  readonly #lookup: ObjectLookup;
  readonly #context: ObjectContext;

  constructor(head: Head, lookup: ObjectLookup, context: ObjectContext) {
    this.#head = head;
    this.#lookup = lookup;
    this.#context = context;
  }

  /** Without the right to the action nobody makes us ask. */
  get preview(): HeadFacts | null {
    const { route, params } = this.#context;
    const facts = { route: route.facts, params, spaces: nothing, tool: null };
    return this.#head.preview ?? (this.#lookup.isList ? null : facts);
  }

  routeNow(then: RouteFacts): RouteFacts | null {
    return this.#head.routeNow(then);
  }

  async complete(): Promise<Result<Target, Refusal>> {
    const { param, form, isList } = this.#lookup;
    const { params, subject } = this.#context;
    const id = params[param] ?? '';
    if (!form.test(id)) return no(refuse('object.malformed', `path parameter ${param}`));
    const target = await this.#head.complete();
    if (!target.ok) return target;
    const { facts, request } = target.value;
    if (isList && facts.spaces.ids.length !== 1)
      return no(refuse('space.absent', 'an object is looked for in one space'));
    const found = await this.#context.find({
      rule: this.#lookup.rule,
      target: this.#lookup.target(params),
      id,
      spaces: facts.spaces,
      subject: `${subject.kind}:${subject.id}`,
    });
    if (found === null) return no(refuse('object.unknown', 'the memory server does not know it, or not its space'));
    const spaces = isList ? ok(facts.spaces) : this.#ofObject(found, facts.spaces);
    return spaces.ok ? ok(Target.resolved(request, { ...facts, spaces: spaces.value, isLookedUp: true })) : spaces;
  }

  /** Known it is in any case: the memory server has named it. */
  #ofObject(space: string, stated: SpaceSet): Result<SpaceSet, Refusal> {
    if (!this.#context.isCanonical(space))
      return no(refuse('object.unknown', 'its space is not in the canonical form'));
    if (stated.ids.some((name) => name !== space))
      return no(refuse('object.unknown', 'it is of another space than the request states'));
    return ok({ all: false, ids: [space], unknown: [], explicit: true });
  }
}

import type { JsonObject } from '../base/json-tree.js';
import { no, ok, type Result } from '../base/result.js';
import { readStrictFields } from '../base/strict-json.js';
import { refuse, type Refusal } from '../model/codes.js';
import { Target } from '../model/proofs.js';
import type { CleanRequest } from '../model/request.js';
import type { Subject } from '../model/subject.js';
import type { RouteFacts } from '../model/target.js';
import type { HeadFacts } from '../model/trail.js';
import type { CompiledRoute, Profile } from './profile.js';
import { decideSpaces, rewriteCarriers, statedInBody, statedInHead, type Stated } from './space.js';

export { compileProfile, loadProfile, type Profile } from './profile.js';
export { profileSchema, type ProfileData } from './profile-schema.js';

export interface ResolveContext {
  readonly profile: Profile;
  /** Whether policy data, a live key or an earlier creation names this space. */
  readonly isKnownSpace: (name: string) => boolean;
  /** Largest body that is read for a decision, in bytes. */
  readonly inspectMaxBytes: number;
}

/** What the head alone says. `preview` is null where the body must be read to know more. */
export interface Head {
  readonly preview: HeadFacts | null;
  /** Reads the body where the decision needs it. */
  complete(): Result<Target, Refusal> | Promise<Result<Target, Refusal>>;
}

/** The caller stands for itself where a carrier is a claim of its token, or where its only space is meant. */
export type Resolve = (request: CleanRequest, subject: Subject) => Result<Head, Refusal>;

/** Finds the route and the spaces of a request, from every carrier, as the profile of the memory server says. */
export function createResolve(context: ResolveContext): Resolve {
  const { profile } = context;
  return (request) => {
    const found = profile.table.find(request.method === 'HEAD' ? 'GET' : request.method, request.path);
    if (found === null) return no(refuse('resolve.unknown-route', 'not a route of the profile'));
    if (!('value' in found))
      return no(refuse('resolve.method', 'a method that the route does not have', { allow: withHead(found) }));
    const wrong = headProblem(context, found.value, request);
    if (wrong !== null) return no(wrong);
    const stated = statedInHead(profile, found.value, { request, params: found.params });
    if (!stated.ok) return stated;
    return ok(new OpenHead(context, { request, route: found.value, params: found.params, stated: stated.value }));
  };
}

const withHead = (methods: readonly string[]): readonly string[] =>
  methods.includes('GET') ? [...methods, 'HEAD'] : methods;

const readsBody = (route: CompiledRoute, { body }: CleanRequest): boolean =>
  route.data.body === 'json' && body.framing !== 'none' && body.length !== 0;

/** What can be refused before a byte of the body is read. */
function headProblem(
  { profile, inspectMaxBytes }: ResolveContext,
  route: CompiledRoute,
  request: CleanRequest,
): Refusal | null {
  for (const { name } of request.query) {
    if (profile.refusedQuery.has(name.toLowerCase())) return refuse('resolve.query', `query ${name.toLowerCase()}`);
  }
  if (!readsBody(route, request)) return null;
  const type = request.header('content-type');
  if (type === undefined || !jsonType.test(type))
    return refuse('resolve.content-type', 'not application/json in UTF-8');
  const encoding = request.header('content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity')
    return refuse('resolve.content-type', 'a content encoding');
  if ((request.body.length ?? 0) > inspectMaxBytes)
    return refuse('gate.body-too-large', `over ${String(inspectMaxBytes)} bytes`);
  return null;
}

const jsonType = /^application\/json[ \t]*(?:;[ \t]*charset=(?:utf-8|"utf-8")[ \t]*)?$/i;

interface Facts {
  readonly request: CleanRequest;
  readonly route: CompiledRoute;
  readonly params: Readonly<Record<string, string>>;
  readonly stated: Stated;
}

class OpenHead implements Head {
  readonly #context: ResolveContext;
  readonly #facts: Facts;

  constructor(context: ResolveContext, facts: Facts) {
    this.#context = context;
    this.#facts = facts;
  }

  get preview(): Head['preview'] {
    const { route, params, stated, request } = this.#facts;
    // Without a stated space the body may still name one, and it may make the request something else.
    if (readsBody(route, request) && (stated.value === null || route.data.body_rules.length > 0)) return null;
    const spaces = decideSpaces(this.#context.profile, route, { stated, isKnown: this.#context.isKnownSpace });
    return spaces.ok ? { route: route.facts, params, spaces: spaces.value, tool: null } : null;
  }

  complete(): Result<Target, Refusal> | Promise<Result<Target, Refusal>> {
    const { route, request, stated } = this.#facts;
    return readsBody(route, request) ? this.#withBody() : this.#finish(stated, null, new Map());
  }

  async #withBody(): Promise<Result<Target, Refusal>> {
    const { route, request, stated } = this.#facts;
    const body = await request.body.collect(this.#context.inspectMaxBytes);
    if (!body.ok) return body;
    if (body.value.length === 0) return this.#finish(stated, body.value, new Map());
    const fields = readStrictFields(body.value);
    if (!fields.ok) return no(refuse('resolve.body', fields.why));
    const all = statedInBody(this.#context.profile, route, { fields: fields.value, head: stated });
    return all.ok ? this.#finish(all.value, body.value, fields.value) : all;
  }

  #finish(stated: Stated, body: Buffer | null, fields: JsonObject): Result<Target, Refusal> {
    const { route, request, params } = this.#facts;
    const { profile, isKnownSpace } = this.#context;
    const spaces = decideSpaces(profile, route, { stated, isKnown: isKnownSpace });
    if (!spaces.ok) return spaces;
    const { query, headers } = rewriteCarriers(profile, route, { pairs: request.query, spaces: spaces.value });
    return ok(
      Target.resolved(request, {
        route: ruledRoute(route, fields),
        params,
        spaces: spaces.value,
        tool: null,
        answer: null,
        rpc: null,
        forwardTarget: query.length === 0 ? request.path : `${request.path}?${query.join('&')}`,
        dropHeaders: profile.dropHeaders,
        setHeaders: headers,
        body,
      }),
    );
  }
}

/** A word in a body field can make a request something else: a query language that also writes. */
function ruledRoute(route: CompiledRoute, fields: JsonObject): RouteFacts {
  for (const rule of route.data.body_rules) {
    const field = fields.get(rule.field);
    if (field === undefined) continue;
    const words = new Set(typeof field === 'string' ? field.toUpperCase().match(/[A-Z]+/g) : []);
    // A field that is not a string cannot be judged: it counts as a match, so that the stronger right is needed.
    if (typeof field !== 'string' || rule.matches_word.some((word) => words.has(word.toUpperCase()))) {
      return { ...route.facts, action: rule.action, permission: rule.permission };
    }
  }
  return route.facts;
}

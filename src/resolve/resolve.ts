import type { JsonObject } from '../base/json-tree.js';
import { no, ok, type Result } from '../base/result.js';
import { readStrictFields, readStrictObject } from '../base/strict-json.js';
import { Fault, refuse, type Refusal } from '../model/codes.js';
import type { FindObject } from '../model/object.js';
import { Target } from '../model/proofs.js';
import type { CleanRequest } from '../model/request.js';
import type { Subject } from '../model/subject.js';
import type { RouteFacts, SpaceSet } from '../model/target.js';
import type { CompiledRoute, Profile } from './compile.js';
import { readForm, statedInForm } from './form.js';
import type { Head } from './head.js';
import { headProblem, readsBody } from './head-problem.js';
import { rewriteCarriers, statedInHead } from './head-carriers.js';
import type { McpTable } from './mcp.js';
import { bodilessUse, McpHead, noSessions, openMcp, type Finish, type McpContext, type McpUse } from './mcp-head.js';
import { ObjectHead } from './object.js';
import { rewrittenBody } from './rewrite-body.js';
import { decideSpaces } from './space.js';
import type { Statement } from './statement.js';
import { statedInTree } from './tree-rules.js';

export { looksUpItsSpace } from './object.js';
export { createMessageReader, type ReadMessage } from './message.js';
export { builtInProfiles, findProfile } from './built-in.js';
export { compileProfile, type Profile } from './compile.js';
export type { Head } from './head.js';
export { createResolveCall, type CallHead, type ResolveCall } from './grpc.js';
export { loadProfile } from './profile.js';
export { profileSchema, type ProfileData } from './profile-schema.js';
export { mcpHeaders } from './mcp-headers.js';
export { SessionBook, type SessionLimits } from './sessions.js';

export interface ResolveContext {
  readonly profile: Profile;
  /** Whether policy data, a live key or an earlier creation names this space. */
  readonly isKnownSpace: (name: string) => boolean;
  /** Without it no session is known, and no origin accepted. */
  readonly mcp?: McpContext;
  /** Largest body that is read for a decision, in bytes. */
  readonly inspectMaxBytes: number;
  /** Which space an object has; needed where the profile looks objects up. */
  readonly findObject?: FindObject;
}

/** The caller stands for itself where a carrier is a claim of its token, or where its only space is meant. */
export type Resolve = (request: CleanRequest, subject: Subject) => Result<Head, Refusal>;

/** Finds the route and the spaces of a request, from every carrier, as the profile of the memory server says. */
export function createResolve(context: ResolveContext): Resolve {
  const { profile, findObject: find = noLookup } = context;
  const { isCanonical } = profile;
  return (request, subject) => {
    const found = profile.table.find(request.method === 'HEAD' ? 'GET' : request.method, request.path);
    if (found === null) return no(refuse('resolve.unknown-route', 'not a route of the profile'));
    if (!('value' in found))
      return no(refuse('resolve.method', 'a method that the route does not have', { allow: withHead(found) }));
    const wrong = headProblem(context, found.value, request);
    if (wrong !== null) return no(wrong);
    const asked = { request, subject, route: found.value, params: found.params };
    const { mcp, lookup } = found.value;
    if (mcp !== null) return openEndpoint(context, asked, mcp);
    const head = openHead(context, asked, null);
    if (!head.ok || lookup === null) return head;
    return ok(new ObjectHead(head.value, lookup, { find, isCanonical, ...head.value.facts }));
  };
}

type Asked = Omit<Facts, 'stated' | 'mcp'>;

function openHead(context: ResolveContext, asked: Asked, mcp: McpUse | null): Result<OpenHead, Refusal> {
  const params = mcp === null ? asked.params : { ...asked.params, ...mcp.params };
  const stated = statedInHead(context.profile, asked.route, asked);
  return stated.ok ? ok(new OpenHead(context, { mcp, stated: stated.value, ...asked, params })) : stated;
}

/** An endpoint of an MCP server: which of its routes a message takes is known when it is read. */
function openEndpoint(context: ResolveContext, asked: Asked, table: McpTable<CompiledRoute>): Result<Head, Refusal> {
  const session = openMcp(context.mcp ?? noSessions, { table, ...asked });
  if (!session.ok) return session;
  if (asked.route.method !== 'POST') return openHead(context, asked, bodilessUse(session.value, table, asked.route));
  const finish: Finish = (route, use, body) => {
    const head = openHead(context, { ...asked, route }, use);
    return head.ok ? head.value.finishRead(body) : head;
  };
  const { inspectMaxBytes } = context;
  return ok(new McpHead({ table, ...asked }, session.value, { inspectMaxBytes, finish }));
}

const noLookup: FindObject = () => {
  throw new Fault('self.bug', 'an object to look up, and nobody who does');
};

const withHead = (methods: readonly string[]): readonly string[] =>
  methods.includes('GET') ? [...methods, 'HEAD'] : methods;

interface Facts {
  readonly request: CleanRequest;
  readonly subject: Subject;
  readonly route: CompiledRoute;
  readonly params: Readonly<Record<string, string>>;
  readonly stated: Statement;
  /** Null for a route that is no endpoint of an MCP server. */
  readonly mcp: McpUse | null;
}

/** A body that was read: the bytes, and what they say where they are JSON. */
interface ReadBody {
  readonly bytes: Buffer;
  readonly fields: JsonObject | null;
}

class OpenHead implements Head {
  readonly #context: ResolveContext;
  readonly facts: Facts;

  constructor(context: ResolveContext, facts: Facts) {
    this.#context = context;
    this.facts = facts;
  }

  get asksFirst(): boolean {
    return false;
  }

  get preview(): Head['preview'] {
    const { route, params, stated, request } = this.facts;
    // Without a stated space the body may still name one, and it may make the request something else.
    if (readsBody(route, request) && (stated.isEmpty || route.data.body_rules.length > 0)) return null;
    const spaces = this.#decide(null);
    return spaces.ok ? { route: route.facts, params, spaces: spaces.value, tool: null } : null;
  }

  /** A word in the body may have made it something else, and does so still if the profile says it. */
  routeNow(then: RouteFacts): RouteFacts | null {
    const { facts, data } = this.facts.route;
    const ruled = data.body_rules.find(({ action }) => action === then.action);
    if (then.action === facts.action || ruled === undefined) return facts;
    return { ...facts, action: ruled.action, permission: ruled.permission };
  }

  complete(): Result<Target, Refusal> | Promise<Result<Target, Refusal>> {
    const { route, request } = this.facts;
    return readsBody(route, request) ? this.#withBody() : this.#finish(null);
  }

  async #withBody(): Promise<Result<Target, Refusal>> {
    const { route, request, stated } = this.facts;
    const body = await request.body.collect(this.#context.inspectMaxBytes);
    if (!body.ok) return body;
    const read = readBody(body.value, route, stated);
    return read.ok ? this.#finish(read.value) : read;
  }

  /** For a body that somebody else has read. */
  finishRead(body: { readonly bytes: Buffer; readonly fields: JsonObject }): Result<Target, Refusal> {
    const { route, stated } = this.facts;
    const wrong = route.tree === null ? null : statedInTree(body.fields, route.tree, stated);
    return wrong === null ? this.#finish(body) : no(wrong);
  }

  #decide(fields: JsonObject | null): Result<SpaceSet, Refusal> {
    const { route, stated, subject } = this.facts;
    const { profile, isKnownSpace: isKnown } = this.#context;
    const isRewritten = route.rewrites !== null && fields !== null;
    return decideSpaces(profile, route, { stated, subject, isRewritten, isKnown });
  }

  #finish(body: ReadBody | null): Result<Target, Refusal> {
    const { route, request, params, mcp } = this.facts;
    const { profile } = this.#context;
    const spaces = this.#decide(body?.fields ?? null);
    if (!spaces.ok) return spaces;
    const { query, headers } = rewriteCarriers(profile, route, { request, spaces: spaces.value });
    return ok(
      Target.resolved(request, {
        route: ruledRoute(route, body?.fields ?? null),
        params,
        spaces: spaces.value,
        tool: mcp?.tool ?? null,
        answer: route.answer,
        isLookedUp: false,
        rpc: mcp?.rpc ?? null,
        forwardTarget: query.length === 0 ? request.path : `${request.path}?${query.join('&')}`,
        dropHeaders: mcp === null ? profile.dropHeaders : new Set([...profile.dropHeaders, ...mcp.dropHeaders]),
        setHeaders: mcp === null ? headers : [...headers, ...mcp.setHeaders],
        body: body === null ? null : bytesFor(body, route, spaces.value),
      }),
    );
  }
}

/** Reads the body as the route says, and adds what its carriers state. Nothing at all is no document, and states nothing. */
function readBody(bytes: Buffer, route: CompiledRoute, stated: Statement): Result<ReadBody, Refusal> {
  if (bytes.length === 0) return ok({ bytes, fields: null });
  if (route.form !== null) {
    const pairs = readForm(bytes);
    if (!pairs.ok) return no(refuse('resolve.body', pairs.why));
    const wrong = statedInForm(pairs.value, route.form, stated);
    return wrong === null ? ok({ bytes, fields: null }) : no(wrong);
  }
  const fields = route.readsItems ? readStrictObject(bytes) : readStrictFields(bytes);
  if (!fields.ok) return no(refuse('resolve.body', fields.why));
  const wrong = route.tree === null ? null : statedInTree(fields.value, route.tree, stated);
  return wrong === null ? ok({ bytes, fields: fields.value }) : no(wrong);
}

/** The bytes that were read; where the profile says so, the same anew with the decided space. */
function bytesFor({ bytes, fields }: ReadBody, route: CompiledRoute, spaces: SpaceSet): Buffer {
  const { rewrites: carrier, leavesOut } = route;
  if (carrier === null || fields === null) return bytes;
  const space = !spaces.all && spaces.ids.length === 1 ? (spaces.ids[0] ?? null) : null;
  return rewrittenBody(fields, { carrier, space, leavesOut });
}

/** A word in a body field can make a request something else: a query language that also writes. */
function ruledRoute(route: CompiledRoute, fields: JsonObject | null): RouteFacts {
  for (const rule of route.data.body_rules) {
    const field = fields?.get(rule.field);
    if (field === undefined) continue;
    const words = new Set(typeof field === 'string' ? field.toUpperCase().match(/[A-Z]+/g) : []);
    // A field that is not a string cannot be judged: it counts as a match, so that the stronger right is needed.
    if (typeof field !== 'string' || rule.matches_word.some((word) => words.has(word.toUpperCase()))) {
      return { ...route.facts, action: rule.action, permission: rule.permission };
    }
  }
  return route.facts;
}

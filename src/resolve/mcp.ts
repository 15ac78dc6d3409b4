import type { JsonObject } from '../base/json-tree.js';
import { no, ok, type Result } from '../base/result.js';
import type { Refusal } from '../model/codes.js';
import type { RpcLists } from '../model/target.js';
import { argumentProblem, argumentsOf, isUnstated, shownArguments, statingArguments } from './mcp-arguments.js';
import { headOf, readHead, type Listed, type SpaceForm } from './mcp-lists.js';
import { refuseRpc, type Message } from './mcp-message.js';
import type { McpData, McpRule, McpTool } from './mcp-schema.js';
import { routeOf } from './mcp-rules.js';
import type { RouteData } from './profile-schema.js';

/** What a message turns out to be: a route of its own, with carriers of its own. */
export interface Call<R> {
  readonly route: R;
  readonly tool: string | null;
  /** What the policy sees beside the parameters of the path. */
  readonly params: Readonly<Record<string, string>>;
  /** The answer holds a list. */
  readonly isList: boolean;
}

/** The `mcp` section for one route, ready for look-ups. */
export interface McpTable<R> {
  readonly versions: ReadonlySet<string>;
  readonly isResumable: boolean;
  readonly lists: RpcLists;
  /** Of all messages. */
  readonly routes: readonly R[];
  /** Arguments by the lower-case names of the headers that mirror them. */
  headersOf(message: Message): ReadonlyMap<string, string>;
  call(message: Message): Result<Call<R>, Refusal>;
}

type Named = { readonly param: string; readonly names: ReadonlySet<string> | null } | null;

interface Entry<R> {
  readonly route: R;
  readonly tool: {
    readonly name: string;
    readonly data: McpTool;
    readonly headers: ReadonlyMap<string, string>;
    /** Arguments that state the space. */
    readonly stating: readonly string[];
  } | null;
  /** Which parameter names what is used, and which names may be; null for all. */
  readonly named: Named;
  readonly isList: boolean;
}

const lifecycle = [
  'initialize',
  'ping',
  'server/discover',
  'tools/list',
  'logging/setLevel',
  'notifications/initialized',
  'notifications/cancelled',
  'notifications/progress',
  'notifications/roots/list_changed',
] as const;
const listing: ReadonlySet<string> = new Set([
  'tools/list',
  'resources/list',
  'resources/templates/list',
  'prompts/list',
]);
const noHeaders: ReadonlyMap<string, string> = new Map();
const toolCall = 'tools/call';

export interface McpMaking<R> {
  /** Makes a route of its data, as for the routes of the profile. */
  readonly compile: (route: RouteData) => R;
  readonly form: SpaceForm;
}

export function compileMcp<R extends Listed>(
  data: McpData,
  base: RouteData,
  { compile, form }: McpMaking<R>,
): McpTable<R> {
  const maker = new Maker(base, compile);
  const methods = methodEntries(data, maker);
  const tools = new Map(Object.entries(data.tools).map(([name, tool]) => [name, maker.tool(name, tool)]));
  return {
    versions: new Set(data.versions),
    isResumable: data.resumable,
    routes: [...methods.values(), ...tools.values()].map(({ route }) => route),
    lists: {
      tools: (name) => headOf(tools.get(name)),
      resources: (uri) => readHead(allowed(methods.get('resources/read'), uri)?.route, uri, form),
      resourceTemplates: (template) => headOf(allowed(methods.get('resources/read'), template)),
      prompts: (name) => headOf(allowed(methods.get('prompts/get'), name)),
    },
    headersOf: ({ method, params }) =>
      (method === toolCall ? tools.get(textOf(params, 'name') ?? '')?.tool?.headers : undefined) ?? noHeaders,
    call: (message) => (message.method === toolCall ? toolCallOf(message, tools) : methodCallOf(message, methods)),
  };
}

function methodEntries<R extends Listed>(data: McpData, maker: Maker<R>): Map<string, Entry<R>> {
  const { resources, prompts, completion } = data;
  const methods = new Map<string, Entry<R>>();
  const add = (rule: McpRule, names: readonly string[], named: Named = null): void => {
    for (const name of names) methods.set(name, maker.method(name, rule, named));
  };
  add({}, lifecycle);
  if (resources !== undefined) {
    const names = resources.names === undefined ? null : new Set(resources.names);
    add(listRule(resources), ['resources/list', 'resources/templates/list']);
    add(resources, ['resources/read', 'resources/subscribe', 'resources/unsubscribe'], { param: 'uri', names });
  }
  if (prompts !== undefined) {
    const names = prompts.names === undefined ? null : new Set(prompts.names);
    add(listRule(prompts), ['prompts/list']);
    add(prompts, ['prompts/get'], { param: 'name', names });
  }
  if (completion !== undefined) add(completion, ['completion/complete']);
  for (const [name, rule] of Object.entries(data.methods))
    if (rule === 'deny') methods.delete(name);
    else add(rule, [name], methods.get(name)?.named ?? null);
  return methods;
}

/** A list is of names alone, and each of them is asked about. */
const listRule = ({ permission }: McpRule): McpRule => (permission === undefined ? {} : { permission });

/** Makes routes of rules: what a rule does not say is as the route of the endpoint has it. */
class Maker<R> {
  readonly #base: RouteData;
  readonly #compile: (route: RouteData) => R;

  constructor(base: RouteData, compile: (route: RouteData) => R) {
    this.#base = base;
    this.#compile = compile;
  }

  method(name: string, rule: McpRule, named: Named): Entry<R> {
    const isContent = named !== null || name === 'completion/complete';
    const usual: McpRule = isContent ? {} : { class: 'metadata', space: this.#spaceOfNothing() };
    return { route: this.#route(name, name, { ...usual, ...rule }), tool: null, named, isList: listing.has(name) };
  }

  tool(name: string, data: McpTool): Entry<R> {
    const headers = new Map(Object.entries(data.headers).map(([header, argument]) => [header.toLowerCase(), argument]));
    const route = this.#route(`tools/call/${name}`, `tools/call:${name}`, data);
    const stating = statingArguments(routeOf(this.#base, data).space);
    return { route, tool: { name, data, headers, stating }, named: null, isList: false };
  }

  /** A message that touches no memory; of a server with one space it is still for those alone who may reach that. */
  #spaceOfNothing(): NonNullable<McpRule['space']> {
    const { space } = this.#base;
    return typeof space === 'object' && 'fixed' in space ? space : 'NONE';
  }

  #route(path: string, action: string, rule: McpRule): R {
    const base = this.#base;
    const id = `${base.id}.${path.replaceAll('/', '.')}`;
    return this.#compile({ ...routeOf(base, rule), id, action: rule.action ?? action });
  }
}

function toolCallOf<R>(message: Message, tools: ReadonlyMap<string, Entry<R>>): Result<Call<R>, Refusal> {
  const { id, params } = message;
  const name = textOf(params, 'name');
  if (name === null) return no(refuseRpc('mcp.params', 'tools/call without a name', { id }));
  const entry = tools.get(name);
  if (entry?.tool == null) return no(refuseRpc('mcp.unlisted', 'a tool that the profile does not list', { id }));
  const given = argumentsOf(params);
  if (given === null) return no(refuseRpc('mcp.params', 'arguments that are no object', { id }));
  const wrong = argumentProblem(given, entry.tool.data);
  if (wrong !== null) return no(refuseRpc('mcp.params', wrong, { id }));
  if (entry.tool.stating.some((one) => isUnstated(given.get(one))))
    return no(refuseRpc('mcp.params', 'a space that servers read as null', { id }));
  return ok({ route: entry.route, tool: name, params: shownArguments(given, entry.tool.data), isList: false });
}

function methodCallOf<R>(
  { id, method, params }: Message,
  methods: ReadonlyMap<string, Entry<R>>,
): Result<Call<R>, Refusal> {
  const entry = methods.get(method);
  if (entry === undefined) return no(refuseRpc('mcp.method', 'a method that the profile does not list', { id }));
  const { named, route, isList } = entry;
  if (named !== null) {
    const name = textOf(params, named.param);
    if (name === null) return no(refuseRpc('mcp.params', `${method} without ${named.param}`, { id }));
    if (allowed(entry, name) === undefined)
      return no(refuseRpc('mcp.unlisted', `a ${named.param} that the profile does not list`, { id }));
  }
  return ok({ route, tool: null, params: {}, isList });
}

function textOf(params: JsonObject | null, key: string): string | null {
  const value = params?.get(key);
  return typeof value === 'string' ? value : null;
}

const allowed = <R>(entry: Entry<R> | undefined, name: string): Entry<R> | undefined =>
  entry?.named?.names == null || entry.named.names.has(name) ? entry : undefined;

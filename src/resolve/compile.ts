import type { AnswerRule, RouteFacts } from '../model/target.js';
import { isInBody, isWritable, parseCarrier, type Carrier, type CarrierKind } from './carriers.js';
import type { FormRules } from './form.js';
import { compileAnswerRule, compileLookup, looksUpItsSpace, type ObjectLookup } from './object.js';
import { compileMcp, type McpTable } from './mcp.js';
import type { ProfileData, RouteData } from './profile-schema.js';
import { RouteTable } from './route-table.js';
import { compileTree, foldCase, type TreeRules } from './tree-rules.js';

/** A carrier of the path or of the caller's credential. */
export interface NamedCarrier {
  readonly kind: CarrierKind;
  readonly name: string;
  readonly isObeyed: boolean;
}

export interface CompiledRoute {
  readonly data: RouteData;
  /** One object for all requests of the route. */
  readonly facts: RouteFacts;
  readonly method: string;
  /** Null where the route is no endpoint of an MCP server. */
  readonly mcp: McpTable<CompiledRoute> | null;
  /** Those that the route obeys. */
  readonly carriers: readonly Carrier[];
  /** The header or query carrier that the canonical value is written to. */
  readonly writes: Carrier | null;
  /** The server learns the decided space whatever the request holds: it is written, or stands in a credential that is made for it. */
  readonly isTold: boolean;
  readonly fixed: string | null;
  /** How a message on its WebSocket is read: as the body of a request. */
  readonly message: CompiledRoute | null;
  readonly segments: readonly NamedCarrier[];
  readonly claims: readonly NamedCarrier[];
  /** Null where no JSON body is read. */
  readonly tree: TreeRules | null;
  /** Lists in the body are looked into. */
  readonly readsItems: boolean;
  /** Null where no form is read. */
  readonly form: FormRules | null;
  /** What is looked for in the JSON text of query keys, by key. */
  readonly jsonQueries: ReadonlyMap<string, TreeRules>;
  /** The body carrier that a rewritten body states the space in; null where bodies are passed on as they came. */
  readonly rewrites: Carrier | null;
  /** The server's other body carriers, which a rewritten body does not hold. */
  readonly leavesOut: readonly Carrier[];
  /** Null where the request is decided without asking the memory server. */
  readonly lookup: ObjectLookup | null;
  /** Null where the answer is passed on as it comes. */
  readonly answer: AnswerRule | null;
}

/** A profile, checked and ready for look-ups. */
export interface Profile {
  readonly data: ProfileData;
  /** True for a name in canonical form. */
  readonly isCanonical: (name: string) => boolean;
  readonly table: RouteTable<CompiledRoute>;
  /** The header carriers of the whole server, by lower-case name. */
  readonly headerCarriers: readonly Carrier[];
  /** The query carriers of the whole server that are cut out, by key. */
  readonly queryCarriers: ReadonlyMap<string, Carrier>;
  readonly refusedQuery: ReadonlySet<string>;
  /** Lower-case names of headers that never pass. */
  readonly dropHeaders: ReadonlySet<string>;
}

/** Compiles checked data; also used for the routes of our own listeners. */
export function compileProfile(data: ProfileData): Profile {
  const table = new RouteTable<CompiledRoute>();
  const wide = wideCarriers(data);
  const routes = data.routes.map((route) => compileRoute(route, data, wide));
  for (const route of routes) table.add(route.method, templateOf(route.data), route);
  const all = routes.flatMap((route) => [route, ...(route.mcp?.routes ?? [])]);
  const every = [...wide, ...all.flatMap(({ carriers }) => carriers)];
  const byName = (...kinds: CarrierKind[]): Map<string, Carrier> =>
    new Map(every.filter(({ kind }) => kinds.includes(kind)).map((one) => [one.name, one]));
  const headers = byName('header', 'header-tail');
  return {
    data,
    isCanonical: canonicalForm(data.space.pattern),
    table,
    headerCarriers: [...headers.values()],
    queryCarriers: byName('query', 'query-first'),
    refusedQuery: new Set(data.refuse_query),
    dropHeaders: new Set([...headers.keys(), ...data.trust_headers.map((name) => name.toLowerCase())]),
  };
}

/** Dot segments lead elsewhere wherever a name becomes part of a path. */
export const dotSegment = /(?:^|\/)\.{1,2}(?:\/|$)/;

export function canonicalForm(pattern: string): (name: string) => boolean {
  const form = new RegExp(pattern);
  const matchesDots = new RegExp(`^${pattern.slice(1, pattern.lastIndexOf('{'))}$`).test('.');
  return matchesDots ? (name) => form.test(name) && !dotSegment.test(name) : (name) => form.test(name);
}

export const templateOf = (route: RouteData): string => route.match.slice(route.match.indexOf(' ') + 1);

export const methodOf = (route: RouteData): string => route.match.slice(0, route.match.indexOf(' '));

export const obeyedCarriers = ({ space }: RouteData): readonly Carrier[] =>
  Array.isArray(space) ? space.map(parseCarrier) : [];

/** The carriers that every route is looked at for. */
export const wideCarriers = ({ space }: ProfileData): readonly Carrier[] => [
  ...space.carriers.flatMap((one) =>
    Object.entries(one).map(([kind, label]) => parseCarrier(`${kind}:${String(label)}`)),
  ),
  ...space.body_carriers.map((name) => parseCarrier(`body:${name}`)),
];

/** A carrier, and whether this route obeys it. */
interface Looked {
  readonly carrier: Carrier;
  readonly isObeyed: boolean;
}

function compileRoute(data: RouteData, profile: ProfileData, wide: readonly Carrier[]): CompiledRoute {
  const carriers = obeyedCarriers(data);
  const template = templateOf(data);
  const known = new Set(carriers.map(({ text }) => text));
  const looked: readonly Looked[] = [
    ...carriers.map((carrier) => ({ carrier, isObeyed: true })),
    ...wide.filter(({ text }) => !known.has(text)).map((carrier) => ({ carrier, isObeyed: false })),
  ];
  const named = (...kinds: CarrierKind[]): NamedCarrier[] =>
    looked
      .filter(({ carrier }) => kinds.includes(carrier.kind))
      .map(({ carrier: { kind, name }, isObeyed }) => ({ kind, name, isObeyed }));
  const writes = carriers.find(isWritable) ?? null;
  const rewritable = carriers.find((one) => isInBody(one) && one.kind !== 'body-uri') ?? null;
  return {
    data: looksUpItsSpace(data) ? { ...data, space: 'NONE' } : data,
    lookup: compileLookup(data),
    answer: compileAnswerRule(data),
    method: methodOf(data),
    mcp: compileEndpoint(data, profile, wide),
    facts: factsOf(data),
    message: data.websocket === undefined ? null : compileRoute(messageRoute(data, data.websocket), profile, wide),
    carriers,
    writes,
    isTold: writes !== null || carriers.some(({ kind }) => kind === 'claim'),
    fixed: typeof data.space === 'object' && 'fixed' in data.space ? data.space.fixed : null,
    segments: named('path', 'path-head').filter(({ name }) => template.includes(`{${name}}`)),
    claims: named('claim'),
    rewrites: profile.rewrite_body && data.body === 'json' ? rewritable : null,
    leavesOut: wide.filter(
      (one) => isInBody(one) && !carriers.some(({ pointer }) => pointer.join('/') === one.pointer.join('/')),
    ),
    ...compileBody(data, profile, looked),
  };
}

/** The messages of an endpoint are routes of their own, but none of them is an endpoint. */
function compileEndpoint(
  data: RouteData,
  profile: ProfileData,
  wide: readonly Carrier[],
): McpTable<CompiledRoute> | null {
  if (data.protocol !== 'mcp' || profile.mcp === undefined) return null;
  const base: RouteData = { ...data };
  delete base.protocol;
  return compileMcp(profile.mcp, base, {
    compile: (route) => compileRoute(route, profile, wide),
    form: { space: profile.space, isCanonical: canonicalForm(profile.space.pattern) },
  });
}

const factsOf = (data: RouteData): RouteFacts => ({
  id: data.id,
  action: data.action,
  permission: data.permission,
  class: data.class,
  stream: data.stream ?? null,
  ...(data.websocket !== undefined && { websocket: data.websocket }),
});

/** A message as if it came by POST: the same rules for its carriers as for those of a body. */
function messageRoute(data: RouteData, { space, absent }: NonNullable<RouteData['websocket']>): RouteData {
  const absence = absent ?? data.absent;
  const asPost: RouteData = { ...data, match: `POST ${templateOf(data)}`, space: [...space], body: 'json' };
  delete asPost.stream;
  delete asPost.websocket;
  return absence === undefined ? asPost : { ...asPost, absent: absence };
}

function compileBody(
  data: RouteData,
  profile: ProfileData,
  looked: readonly Looked[],
): Pick<CompiledRoute, 'tree' | 'readsItems' | 'form' | 'jsonQueries'> {
  const refusedKeys = [...profile.refuse_body_keys, ...data.refuse_body_keys];
  const shared = { empty: data.empty, refusedKeys, isStrict: data.strict_keys ?? profile.strict_keys };
  const inBody = looked.filter(({ carrier }) => isInBody(carrier));
  const ofBody = { carriers: inBody, topKeys: profile.top_keys, objectKeys: profile.object_body_keys, isPlain: false };
  const tree = data.body === 'json' ? compileTree({ ...shared, ...ofBody, code: 'resolve.body' }) : null;
  const inQuery = looked.filter(({ carrier }) => carrier.kind === 'query-json');
  const keys = new Set([...profile.json_query, ...inQuery.map(({ carrier }) => carrier.name)]);
  const isPlain = new Set(profile.json_query);
  return {
    tree,
    readsItems:
      tree !== null && (tree.isDeep || profile.rewrite_body || inBody.some(({ carrier }) => carrier.kind !== 'body')),
    form: data.body === 'form' ? compileForm(looked, refusedKeys) : null,
    jsonQueries: new Map(
      [...keys].map((key) => [
        key,
        compileTree({
          ...shared,
          topKeys: [],
          refusedKeys: [...refusedKeys, ...profile.top_keys],
          carriers: inQuery.filter(({ carrier }) => carrier.name === key),
          objectKeys: [],
          isPlain: isPlain.has(key),
          code: 'resolve.query',
        }),
      ]),
    ),
  };
}

/** A field of a body is the same field in a form: what the server reads in JSON elsewhere must agree here too. */
function compileForm(looked: readonly Looked[], refusedKeys: readonly string[]): FormRules {
  const carriers = new Map<string, boolean>();
  for (const { carrier, isObeyed } of looked) {
    const name = carrier.kind === 'form' ? carrier.name : isInBody(carrier) ? carrier.pointer[0] : undefined;
    if (name !== undefined && carrier.pointer.length < 2 && !carriers.has(name)) carriers.set(name, isObeyed);
  }
  return {
    carriers,
    folded: new Set([...carriers.keys()].map(foldCase)),
    refused: new Set(refusedKeys.map(foldCase)),
  };
}

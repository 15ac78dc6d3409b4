import { no, ok, type Result } from '../base/result.js';
import { readStrictObject } from '../base/strict-json.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { CleanRequest, QueryPair } from '../model/request.js';
import type { Subject } from '../model/subject.js';
import type { SpaceSet } from '../model/target.js';
import type { Carrier } from './carriers.js';
import type { CompiledRoute, NamedCarrier, Profile } from './compile.js';
import { Statement } from './statement.js';
import { statedInTree, type TreeRules } from './tree-rules.js';

export interface HeadSource {
  readonly request: CleanRequest;
  readonly params: Readonly<Record<string, string>>;
  readonly subject: Subject;
}

/** Collects the space from the head: every header and query carrier of the server, the path carriers of the route, and the caller's claims. */
export function statedInHead(profile: Profile, route: CompiledRoute, source: HeadSource): Result<Statement, Refusal> {
  const stated = new Statement(profile.isCanonical);
  const wrong =
    readHeaders(profile, source.request, stated) ??
    readQuery(profile, source.request, stated) ??
    readSegments(route.segments, source.params, stated) ??
    (route.jsonQueries.size === 0 ? null : readJsonQueries(route.jsonQueries, source.request, stated)) ??
    (route.claims.length === 0 ? null : readClaims(route.claims, source.subject, stated)) ??
    (route.fixed === null ? null : stated.one(route.fixed, false));
  return wrong === null ? ok(stated) : no(wrong);
}

export function readHeaders(profile: Profile, request: CleanRequest, stated: Statement): Refusal | null {
  for (const carrier of profile.headerCarriers) {
    const value = request.header(carrier.name);
    const wrong = value === undefined ? null : stated.one(partOf(carrier, value), false);
    if (wrong !== null) return wrong;
  }
  return null;
}

function readQuery({ queryCarriers }: Profile, { query }: CleanRequest, stated: Statement): Refusal | null {
  let seen: Set<string> | null = null;
  for (const { name, value } of query) {
    const carrier = queryCarriers.get(name);
    if (carrier === undefined) continue;
    seen ??= new Set();
    if (seen.has(name)) return refuse('space.conflict', `query ${name} stands twice`);
    seen.add(name);
    const wrong = stated.one(partOf(carrier, value), false);
    if (wrong !== null) return wrong;
  }
  return null;
}

function readSegments(
  segments: readonly NamedCarrier[],
  params: HeadSource['params'],
  stated: Statement,
): Refusal | null {
  for (const carrier of segments) {
    const value = decodeURIComponent(params[carrier.name] ?? ''); // the gate has refused what does not decode
    const wrong = stated.one(partOf(carrier, value), carrier.isObeyed);
    if (wrong !== null) return wrong;
  }
  return null;
}

function readJsonQueries(
  queries: ReadonlyMap<string, TreeRules>,
  { query }: CleanRequest,
  stated: Statement,
): Refusal | null {
  const seen = new Set<string>();
  for (const { name, value } of query) {
    const rules = queries.get(name);
    if (rules === undefined) continue;
    if (seen.has(name)) return refuse('space.conflict', `query ${name} stands twice`);
    seen.add(name);
    const tree = readStrictObject(Buffer.from(value));
    if (!tree.ok) return refuse('resolve.query', `query ${name}: ${tree.why}`);
    const wrong = statedInTree(tree.value, rules, stated);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** A claim that is there is the caller's space, or a list of its spaces; of another kind it is nothing that could be agreed with. */
function readClaims(claims: readonly NamedCarrier[], { claims: held }: Subject, stated: Statement): Refusal | null {
  for (const { name, isObeyed } of claims) {
    const value = Object.hasOwn(held, name) ? held[name] : undefined;
    if (value === undefined) continue;
    const names: readonly unknown[] = Array.isArray(value) ? value : [value];
    const texts = names.filter((one) => typeof one === 'string');
    if (texts.length === 0 || texts.length < names.length)
      return refuse('space.malformed', `claim ${name} is neither a space nor a list of spaces`);
    const wrong = stated.set(texts, isObeyed);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** What of a value is the space. */
function partOf({ kind }: Pick<Carrier, 'kind'>, value: string): string {
  if (kind === 'header-tail') return value.slice(value.lastIndexOf(':') + 1);
  if (kind === 'path-head') return before(value, ':');
  return kind === 'query-first' ? before(value, '.') : value;
}

function before(value: string, separator: string): string {
  const at = value.indexOf(separator);
  return at < 0 ? value : value.slice(0, at);
}

export interface Rewritten {
  readonly query: readonly string[];
  readonly headers: readonly (readonly [string, string])[];
}

/** Cuts every query carrier out as a raw piece and writes the decided space into the one carrier that the route obeys. */
export function rewriteCarriers(
  profile: Profile,
  route: CompiledRoute,
  { request, spaces }: { readonly request: CleanRequest; readonly spaces: SpaceSet },
): Rewritten {
  const name = spaces.all || spaces.ids.length !== 1 ? undefined : spaces.ids[0];
  const writes = name === undefined ? null : route.writes;
  const isQuery = writes?.kind === 'query' || writes?.kind === 'query-first';
  const query: string[] = [];
  let isWritten = !isQuery;
  for (const pair of request.query) {
    if (!profile.queryCarriers.has(pair.name)) {
      query.push(pair.raw);
    } else if (isQuery && pair.name === writes.name && !isWritten) {
      query.push(piece(writes, writes.kind === 'query' ? (name ?? '') : pair.value));
      isWritten = true;
    }
  }
  if (!isWritten && writes !== null) query.push(piece(writes, name ?? ''));
  return { query, headers: isQuery || writes === null ? [] : [headerLine(writes, request, name ?? '')] };
}

const piece = ({ name }: Carrier, value: QueryPair['value']): string =>
  `${encodeURIComponent(name)}=${encodeURIComponent(value)}`;

/** What stands around the space in a header is the caller's own, and stays. */
const headerLine = (
  { kind, name, label }: Carrier,
  request: CleanRequest,
  space: string,
): readonly [string, string] => [label, kind === 'header-tail' ? (request.header(name) ?? space) : space];

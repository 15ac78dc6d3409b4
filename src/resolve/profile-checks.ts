import { isInBody, isWritable, type Carrier, type CarrierKind } from './carriers.js';
import { canonicalForm, dotSegment, methodOf, obeyedCarriers, templateOf, wideCarriers } from './compile.js';
import { objectProblems } from './object-problems.js';
import { matchedOf, type ProfileData, type RouteData } from './profile-schema.js';
import { mcpProblems } from './mcp-checks.js';
import { grpcProblems } from './grpc-checks.js';
import { isAmbiguous } from './route-overlap.js';
import { templateProblem } from './route-table.js';

/** Takes a problem: where in the document, and what is wanted there. */
export type Tell = (path: readonly (string | number)[], message: string) => void;

interface Placed {
  readonly carrier: Carrier;
  readonly path: readonly (string | number)[];
}

/** What the schema cannot say: names that do not have the form, carriers that cannot be read, and routes that do not fit together. */
export function profileProblems(data: ProfileData, tell: Tell): void {
  const wide = wideCarriers(data).map((carrier, index): Placed => {
    const own = data.space.carriers.length;
    const path = index < own ? ['carriers', index] : ['body_carriers', index - own];
    return { carrier, path: ['space', ...path] };
  });
  const placed = [...wide];
  data.routes.forEach((route, index) => {
    obeyedCarriers(route).forEach((carrier, at) => {
      const path = ['routes', index, 'space', at];
      placed.push({ carrier, path });
      const wrong = carrierProblem(carrier, route);
      if (wrong !== null) tell(path, wrong);
    });
    for (const { path, message } of objectProblems(route, data)) tell(['routes', index, ...path], message);
    routeProblems(route, data, (path, message) => {
      tell(['routes', index, ...path], message);
    });
  });
  for (const { route, path } of mcpProblems(data, tell)) {
    obeyedCarriers(route).forEach((carrier, at) => {
      placed.push({ carrier, path: [...path, 'space', at] });
      const wrong = carrierProblem(carrier, route);
      if (wrong !== null) tell([...path, 'space', at], wrong);
    });
    routeProblems(route, data, (rest, message) => {
      tell([...path, ...rest], message);
    });
    if (typeof route.space === 'object' && 'fixed' in route.space)
      spaceName(data, [...path, 'space', 'fixed'], { name: route.space.fixed, tell });
  }
  spaceNames(data, tell);
  readings(data, placed, tell);
  overlaps(data, tell);
  deniedProblems(data, tell);
  grpcProblems(data, tell);
}

function spaceName(
  { space }: ProfileData,
  path: readonly (string | number)[],
  { name, tell }: { readonly name: string; readonly tell: Tell },
): void {
  if (dotSegment.test(name)) tell(path, `is "${name}", must not be a dot segment`);
  else if (!canonicalForm(space.pattern)(name)) tell(path, `is "${name}", must match space.pattern ${space.pattern}`);
}

function spaceNames(data: ProfileData, tell: Tell): void {
  const { space, routes } = data;
  const check = (path: readonly (string | number)[], name: string): void => {
    spaceName(data, path, { name, tell });
  };
  if (space.default !== undefined) check(['space', 'default'], space.default);
  routes.forEach((route, index) => {
    if (typeof route.space === 'object' && 'fixed' in route.space)
      check(['routes', index, 'space', 'fixed'], route.space.fixed);
  });
}

const formBodies: Readonly<Record<RouteData['body'], string>> = {
  json: 'json',
  form: 'form',
  stream: 'stream, which is passed on unread',
};

/** Why a route cannot obey this carrier, or null. */
function carrierProblem(carrier: Carrier, route: RouteData): string | null {
  const { kind, text, name } = carrier;
  if (kind === 'path' || kind === 'path-head')
    return route.match.includes(`{${name}}`) ? null : `${text} is not a segment of "${route.match}"`;
  const wanted = isInBody(carrier) ? 'json' : kind === 'form' ? 'form' : null;
  if (wanted === null) return null;
  if (methodOf(route) === 'GET') return `${text} stands in a body, and GET has none`;
  return route.body === wanted
    ? null
    : `${text} needs body: ${wanted}; the body of this route is ${formBodies[route.body]}`;
}

const neverAbsent: ReadonlySet<CarrierKind> = new Set(['path', 'path-head', 'claim']);

function routeProblems(route: RouteData, data: ProfileData, tell: Tell): void {
  const wrong = templateProblem(templateOf(route));
  if (wrong !== null) tell(['match'], wrong);
  const carriers = obeyedCarriers(route);
  const absence = route.absent ?? data.space.absent;
  // A segment is never absent; the others are written, or stand in a token that is made.
  const isTold = carriers.some(
    (one) => isWritable(one) || neverAbsent.has(one.kind) || (data.rewrite_body && isInBody(one)),
  );
  if (carriers.length > 0 && absence === 'own' && !isTold)
    tell(['absent'], 'own needs a header, query or claim carrier (or rewrite_body): the server must be told the space');
  if (carriers.length > 0 && absence === 'default' && data.space.default === undefined)
    tell(['absent'], 'default needs space.default');
  if (route.empty === 'ALL' && !carriers.some((one) => isInBody(one) || one.kind === 'query-json'))
    tell(['empty'], 'ALL needs a carrier in a document: body, body-list, body-any, body-first or query-json');
  if (route.body === 'stream' && (route.strict_keys === true || route.refuse_body_keys.length > 0))
    tell(['body'], 'stream is passed on unread: strict_keys and refuse_body_keys need json or form');
  for (const [place, message] of webSocketProblems(route)) tell([place], message);
  if (route.body !== 'json' && route.body_rules.length > 0) tell(['body_rules'], 'needs body: json');
}

/** A tunnel says what it carries, and nothing else does. */
function* webSocketProblems(route: RouteData): Generator<readonly [place: string, message: string]> {
  const { stream, websocket } = route;
  if ((stream === 'websocket') !== (websocket !== undefined))
    yield ['stream', 'websocket and the section websocket belong together: set both or neither'];
  if (websocket === undefined) return;
  const { messages, space, when, compression } = websocket;
  if (methodOf(route) !== 'GET') yield ['match', 'a WebSocket begins with GET'];
  if (messages === 'none' && (space.length > 0 || when !== undefined))
    yield ['websocket', 'messages: none reads no message: leave out space and when, or set first or each'];
  if (messages !== 'none' && space.length === 0) yield ['websocket', `messages: ${messages} needs space`];
  if (messages !== 'none' && compression) yield ['websocket', `compression needs messages: none`];
}

/** What a carrier of this kind is cut at may not stand in a name. */
const separators: Partial<Record<CarrierKind, string>> = {
  'header-tail': ':',
  'path-head': ':',
  'query-first': '.',
  'body-uri': '/',
};
const poisonous: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);

/** One place has one reading, and a reading that gives whole names. */
function readings({ space }: ProfileData, placed: readonly Placed[], tell: Tell): void {
  const known = new Map<string, Carrier>();
  for (const { carrier, path } of placed) {
    const { kind, text, name, pointer } = carrier;
    const cutAt = separators[kind];
    if (cutAt !== undefined && matchedOf(space.pattern, [cutAt]).length > 0)
      tell(path, `${text} is cut at "${cutAt}", which space.pattern must not match then`);
    if (poisonous.has(name) || pointer.some((key) => poisonous.has(key)))
      tell(path, `${text}: such a key is never accepted, choose another`);
    const place = `${kind.startsWith('header') ? 'header' : kind.startsWith('query') ? 'query' : text}:${name}`;
    const other = known.get(place);
    if (other !== undefined && other.kind !== kind)
      tell(path, `${text} and ${other.text} read one place in two ways: choose one`);
    known.set(place, carrier);
  }
}

/** Names that occur twice, and routes of which one request could mean either. */
function overlaps({ routes }: ProfileData, tell: Tell): void {
  const ids = new Set<string>();
  routes.forEach((route, index) => {
    if (ids.has(route.id)) tell(['routes', index, 'id'], `"${route.id}" is the id of another route too`);
    ids.add(route.id);
    const other = routes
      .slice(0, index)
      .find((one) => methodOf(one) === methodOf(route) && isAmbiguous(templateOf(one), templateOf(route)));
    if (other !== undefined)
      tell(
        ['routes', index, 'match'],
        `"${route.match}" matches the same requests as another route, "${other.match}" (${other.id}): one must be narrower segment by segment`,
      );
  });
}

/** A route that is said to be denied, and is none or is allowed all the same. */
function deniedProblems({ routes, denied }: ProfileData, tell: Tell): void {
  const shape = (match: string): string => match.replaceAll(/\{(\*?)[^}]*\}/g, '{$1}');
  const allowed = new Set(routes.flatMap(({ match }) => [shape(match), shape(match.replace(/^[A-Z]+/, '*'))]));
  denied.forEach(({ match }, index) => {
    const wrong = templateProblem(match.slice(match.indexOf(' ') + 1));
    if (wrong !== null) tell(['denied', index, 'match'], wrong);
    if (allowed.has(shape(match))) tell(['denied', index, 'match'], `"${match}" stands among the routes too`);
  });
}

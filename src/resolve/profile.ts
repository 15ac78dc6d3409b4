import { checkDocument, readYamlFile, type Problem, type YamlDocument } from '../base/document.js';
import { no, ok, type Result } from '../base/result.js';
import type { RouteFacts } from '../model/target.js';
import { profileSchema, type ProfileData, type RouteData } from './profile-schema.js';
import { RouteTable, templateProblem } from './route-table.js';

/** A carrier that a route obeys. */
export interface RouteCarrier {
  readonly kind: 'header' | 'query' | 'path' | 'body';
  /** Header names in lower case. */
  readonly name: string;
  /** As the profile spells it. */
  readonly label: string;
}

export interface CompiledRoute {
  readonly data: RouteData;
  /** One object for all requests of the route. */
  readonly facts: RouteFacts;
  readonly method: string;
  readonly carriers: readonly RouteCarrier[];
  /** The header or query carrier that the canonical value is written to. */
  readonly writes: RouteCarrier | null;
  readonly pathCarriers: readonly string[];
  readonly bodyCarriers: readonly string[];
}

/** A profile, checked and ready for look-ups. */
export interface Profile {
  readonly data: ProfileData;
  readonly pattern: RegExp;
  readonly table: RouteTable<CompiledRoute>;
  /** Lower-case names of the header carriers of the whole server. */
  readonly headerCarriers: readonly string[];
  readonly queryCarriers: ReadonlySet<string>;
  readonly refusedQuery: ReadonlySet<string>;
  /** Lower-case names of headers that never pass. */
  readonly dropHeaders: ReadonlySet<string>;
}

/** Reads and checks a profile file. */
export async function loadProfile(file: string): Promise<Result<Profile, readonly Problem[]>> {
  const document = await readYamlFile(file);
  if (!document.ok) return document;
  const data = checkDocument(profileSchema, document.value);
  if (!data.ok) return data;
  const problems = dataProblems(data.value, document.value);
  return problems.length > 0 ? no(problems) : ok(compileProfile(data.value));
}

/** Compiles checked data; also used for the routes of our own listeners. */
export function compileProfile(data: ProfileData): Profile {
  const table = new RouteTable<CompiledRoute>();
  for (const route of data.routes) {
    const compiled = compileRoute(route);
    table.add(compiled.method, templateOf(route), compiled);
  }
  const headers = new Set<string>();
  const queries = new Set<string>();
  for (const carrier of data.space.carriers) {
    if (carrier.header !== undefined) headers.add(carrier.header.toLowerCase());
    if (carrier.query !== undefined) queries.add(carrier.query);
  }
  for (const route of data.routes) {
    for (const { kind, name } of compileRoute(route).carriers) {
      if (kind === 'header') headers.add(name);
      if (kind === 'query') queries.add(name);
    }
  }
  return {
    data,
    pattern: new RegExp(data.space.pattern),
    table,
    headerCarriers: [...headers],
    queryCarriers: queries,
    refusedQuery: new Set(data.refuse_query),
    dropHeaders: new Set([...headers, ...data.trust_headers.map((name) => name.toLowerCase())]),
  };
}

const templateOf = (route: RouteData): string => route.match.slice(route.match.indexOf(' ') + 1);

function compileRoute(data: RouteData): CompiledRoute {
  const carriers = (Array.isArray(data.space) ? data.space : []).map((text): RouteCarrier => {
    const colon = text.indexOf(':');
    const kind = text.slice(0, colon) as RouteCarrier['kind']; // the schema's pattern allows these four words only
    const label = text.slice(colon + 1);
    return { kind, name: kind === 'header' ? label.toLowerCase() : label, label };
  });
  const named = (kind: RouteCarrier['kind']): string[] =>
    carriers.filter((one) => one.kind === kind).map(({ name }) => name);
  return {
    data,
    method: data.match.slice(0, data.match.indexOf(' ')),
    facts: {
      id: data.id,
      action: data.action,
      permission: data.permission,
      class: data.class,
      stream: data.stream ?? null,
    },
    carriers,
    writes: carriers.find(({ kind }) => kind === 'header' || kind === 'query') ?? null,
    pathCarriers: named('path'),
    bodyCarriers: named('body'),
  };
}

type Tell = (path: readonly (string | number)[], message: string) => void;

/** What the schema cannot say: names that do not have the form, and routes that do not fit together. */
function dataProblems(data: ProfileData, document: YamlDocument): Problem[] {
  const problems: Problem[] = [];
  const tell: Tell = (path, message) => {
    problems.push({ file: document.file, ...document.at(path), path: path.join('.'), message });
  };
  const pattern = new RegExp(data.space.pattern);
  const formProblem = (name: string): string => `is "${name}", must match space.pattern ${data.space.pattern}`;
  const usual = data.space.default;
  if (usual !== undefined && !pattern.test(usual)) tell(['space', 'default'], formProblem(usual));
  data.routes.forEach((route, index) => {
    const fixed = typeof route.space === 'object' && !Array.isArray(route.space) ? route.space.fixed : undefined;
    if (fixed !== undefined && !pattern.test(fixed)) tell(['routes', index, 'space', 'fixed'], formProblem(fixed));
  });
  routeProblems(data, tell);
  return problems;
}

/** Templates that are none, names and pairs that occur twice, carriers that the template lacks. */
function routeProblems(data: ProfileData, tell: Tell): void {
  const ids = new Set<string>();
  const matches = new Set<string>();
  data.routes.forEach((route, index) => {
    if (ids.has(route.id)) tell(['routes', index, 'id'], `"${route.id}" is the id of another route too`);
    ids.add(route.id);
    const shape = route.match.replaceAll(/\{(\*?)[^}]*\}/g, '{$1}');
    if (matches.has(shape))
      tell(['routes', index, 'match'], `"${route.match}" matches the same requests as another route`);
    matches.add(shape);
    const wrong = templateProblem(templateOf(route));
    if (wrong !== null) tell(['routes', index, 'match'], wrong);
    for (const name of compileRoute(route).pathCarriers) {
      if (!route.match.includes(`{${name}}`))
        tell(['routes', index, 'space'], `path:${name} is not a segment of "${route.match}"`);
    }
  });
}

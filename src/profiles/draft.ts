import type { Problem } from '../base/document.js';
import { capped, visible } from '../base/encoding.js';
import { fileProblem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import { judge, type DraftRoute, type Judged } from './draft-route.js';
import { folded, fixedWords, isHealth, spaceWords } from './draft-words.js';
import { readOpenApi, type OpenApi } from './openapi.js';

export interface DraftOptions {
  /** OpenAPI document. */
  readonly file: string;
  readonly name: string;
  /** Names of parameters and fields that hold the space; empty: the usual ones. */
  readonly spaceNames: readonly string[];
}

export interface Draft {
  /** The profile, in YAML. It loads as it is. */
  readonly text: string;
  readonly operations: number;
  /** How many of them are routes; the rest stands in comments. */
  readonly allowed: number;
}

/** A first profile for a server of which there is an OpenAPI document. */
export async function draftProfile(options: DraftOptions): Promise<Result<Draft, readonly Problem[]>> {
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(options.name))
    return no([
      fileProblem('--name', `is "${capped(options.name, 64)}", must be 1 to 64 of a-z 0-9 -, a letter first`),
    ]);
  const read = await readOpenApi(options.file);
  if (!read.ok) return read;
  const words = new Set(options.spaceNames.length === 0 ? spaceWords : options.spaceNames.map(folded));
  const judged = withIds(read.value.operations.map((operation) => judge(operation, (word) => words.has(word))));
  return ok({
    text: textOf(options, read.value, judged),
    operations: judged.length,
    allowed: judged.filter(({ why }) => why === null).length,
  });
}

type Named = Judged & { readonly id: string };

/** An id for each, and a second template for the same requests left out. */
function withIds(all: readonly Judged[]): Named[] {
  const ids = new Map<string, number>();
  const shapes = new Set<string>();
  return all.map(({ route, why }) => {
    const words = fixedWords(route.match.slice(route.match.indexOf(' ') + 1)).filter((word) => /^[a-z0-9]/.test(word));
    const base = [...words, route.match.slice(0, route.match.indexOf(' ')).toLowerCase()]
      .join('.')
      .replace(/^[^a-z]+/, '');
    const count = (ids.get(base) ?? 0) + 1;
    ids.set(base, count);
    const shape = route.match.replaceAll(/\{[^}]*\}/g, '{}');
    const again = why === null && shapes.has(shape);
    if (why === null) shapes.add(shape);
    return {
      id: count === 1 ? base : `${base}-${String(count)}`,
      route,
      why: again ? 'another operation above matches the same requests' : why,
    };
  });
}

function textOf({ name }: DraftOptions, { title }: OpenApi, judged: readonly Named[]): string {
  const allowed = judged.filter(({ why }) => why === null);
  const left = judged.filter(({ why }) => why !== null);
  return `${[...head(name, title, allowed), ...routeLines(allowed), ...leftLines(left, allowed.length === 0)].join('\n')}\n`;
}

function head(name: string, title: string, allowed: readonly Named[]): string[] {
  const carriers = (kind: string): string[] => [
    ...new Set(
      allowed.flatMap(({ route }) =>
        [...route.space.matchAll(new RegExp(`'${kind}:([^']+)'`, 'g'))].map(([, of = '']) => of),
      ),
    ),
  ];
  const alive = allowed
    .find(({ route }) => route.space === 'NONE' && isHealth(route.match))
    ?.route.match.slice('GET '.length);
  return [
    `# A draft of a profile, made from an OpenAPI document${title === '' ? '' : ` (${commented(title)})`}. Read every line before you use it: a document`,
    '# tells what a server takes, not which of it the server obeys. Whatever is not listed under routes is denied.',
    `name: ${name}`,
    '',
    'space:',
    '  # As narrow as the names that are in use.',
    "  pattern: '^[A-Za-z0-9._-]{1,64}$'",
    '  # A request without any carrier is refused. `default` with a name if the server has one, and means it.',
    '  absent: refuse',
    '  # refuse: a name that nobody knows costs the server something; free: its names cannot be listed, such as users.',
    '  unknown: refuse',
    ...listLines('  carriers', [
      ...carriers('header').map((one) => `{ header: ${one} }`),
      ...carriers('query').map((one) => `{ query: ${one} }`),
    ]),
    ...listLines('  body_carriers', carriers('body')),
    '# Where a space is named in a body, it is named there and nowhere else.',
    'strict_keys: true',
    '# Headers with which a caller could open or fool the server; they never pass.',
    'trust_headers: [X-Auth-Scheme]',
    '# A credential in a URL ends up in logs; a method in a URL is not the method that was decided on.',
    'refuse_query: [_method, api_key, apikey, auth, token, access_token]',
    ...(alive === undefined ? [] : [`health: { live: "${alive}", ready: "${alive}" }`]),
    '',
  ];
}

const listLines = (name: string, items: readonly string[]): string[] =>
  items.length === 0 ? [`${name}: []`] : [`${name}:`, ...items.map((item) => `    - ${item}`)];

const routeLines = (routes: readonly Named[]): string[] =>
  routes.length === 0
    ? ['# No operation could be told with certainty, so nothing is allowed yet.', 'routes: []']
    : ['routes:', ...routes.flatMap(({ id, route }) => fieldLines(id, route))];

function fieldLines(id: string, route: DraftRoute): string[] {
  return [
    `  - id: ${id}`,
    `    match: "${route.match}"`,
    `    action: ${route.action}`,
    `    permission: ${route.permission}`,
    `    class: ${route.class}`,
    `    space: ${route.space}`,
    ...(route.stream ? ['    stream: sse'] : []),
  ];
}

/** What is denied until somebody has looked at it: the reason, and the lines to begin with. */
const leftLines = (left: readonly Named[], isEmpty: boolean): string[] =>
  left.length === 0
    ? []
    : [
        '',
        `# Not allowed: ${String(left.length)} operations that the document does not say enough about. To allow one, decide what its reason asks,`,
        `# take the # from its lines and put right what stands in them${isEmpty ? '; `routes: []` above becomes `routes:`' : ''}.`,
        ...left.flatMap(({ id, route, why }) => [
          '#',
          `# ${commented(why ?? '')}`,
          ...fieldLines(id, route).map((line) => `#${visible(line.replaceAll(/\s/g, ' '))}`),
        ]),
      ];

/** Text of the document inside a comment: one line, nothing that steers a terminal. */
const commented = (text: string): string => capped(text.replaceAll(/\s+/g, ' '), 300);

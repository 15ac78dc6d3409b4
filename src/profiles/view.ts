import type { ProfileData } from '../resolve/resolve.js';

type RouteData = ProfileData['routes'][number];

/** A route of a profile, in words. */
export interface RouteView {
  readonly id: string;
  readonly match: string;
  readonly action: string;
  readonly permission: string;
  readonly class: string;
  /** Where the space comes from. */
  readonly space: string;
  /** What no carrier at all means; null where the question does not come up. */
  readonly absent: string | null;
  readonly notes: readonly string[];
}

export function viewRoutes(data: ProfileData): readonly RouteView[] {
  return data.routes.map((route) => ({
    id: route.id,
    match: route.match,
    action: route.action,
    permission: route.permission,
    class: route.class,
    space: spaceText(route.space),
    absent: Array.isArray(route.space) ? absentText(route.absent ?? data.space.absent, data) : null,
    notes: notesOf(route),
  }));
}

export function spaceText(space: RouteData['space']): string {
  if (Array.isArray(space)) return space.join(', ');
  return typeof space === 'object' ? `always ${space.fixed}` : space;
}

export function absentText(absent: string, { space }: ProfileData): string {
  return absent === 'default' ? `the space ${space.default ?? ''}` : absent;
}

// Fields that are told elsewhere in the row; every other field of a route is a note, so that a new one is never left out.
const told: ReadonlySet<string> = new Set([
  'id',
  'match',
  'action',
  'permission',
  'class',
  'space',
  'absent',
  'body_rules',
  'body_reason',
  'object',
  'filter',
]);

function notesOf(route: RouteData): string[] {
  const notes = route.body_rules.map(
    ({ field, matches_word: words, action, permission }) =>
      `${words.join(' or ')} in the body's ${field} makes it ${action} (${permission})`,
  );
  for (const [name, value] of Object.entries(route)) {
    if (told.has(name) || value === undefined || isUsual(name, value)) continue;
    notes.push(`${name}: ${textOf(value)}`);
  }
  notes.push(...answerNotes(route));
  if (route.body_reason !== undefined) notes.push(`the body is not read: ${route.body_reason}`);
  return notes;
}

/** What the server is asked first, or what its answer must hold. */
function answerNotes({ object, filter }: RouteData): string[] {
  if (filter !== undefined)
    return [`the answer is reduced to what the caller may see (${filter.list}, ${filter.field})`];
  if (typeof object !== 'object') return [];
  const { lookup, check_response: check } = object;
  if (check !== undefined) return [`the answer is held until ${check.list ?? ''}${check.field} is the decided space`];
  if (lookup === undefined) return [];
  return [
    lookup.field === undefined
      ? `the server is asked first: {${lookup.param}} must be in ${lookup.request}`
      : `the server is asked first: the space is ${lookup.field} of ${lookup.request}`,
  ];
}

/** True for a route that keys of every space may use, and no other. */
export const isWide = ({ space, object }: Pick<RouteData, 'object'> & { readonly space: unknown }): boolean =>
  space === 'ALL' || (space === 'UNSCOPED' && typeof object !== 'object');

/** What a route means that does not say so. */
const isUsual = (name: string, value: unknown): boolean =>
  (Array.isArray(value) && value.length === 0) ||
  (name === 'body' && value === 'json') ||
  (name === 'empty' && value === 'refuse');

const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** What holds for the whole server, as names and values. */
export function viewServer(data: ProfileData): readonly (readonly [name: string, value: string | null])[] {
  const { space, about, health, upstream_credential: credential } = data;
  const side = data.side_doors.map(({ port, what, note }) => `${String(port)} (${what})${note ? `: ${note}` : ''}`);
  return [
    ['profile', data.name],
    ['server', about?.server ?? null],
    ['written after', about?.source ?? null],
    ['usual port', about?.port === undefined ? null : String(about.port)],
    ['spaces', about?.summary ?? null],
    ['form of a space', space.pattern],
    ['no carrier at all', absentText(space.absent, data)],
    ['unknown names', space.unknown === 'refuse' ? 'refused' : 'taken as they are'],
    ['carriers', listed(carrierTexts(data))],
    ['bodies', listed(bodyTexts(data))],
    ['removed headers', listed(data.trust_headers)],
    ['refused query keys', listed(data.refuse_query)],
    ['side doors', listed(side)],
    ['health', health === undefined ? null : `${health.live} (live), ${health.ready} (ready)`],
    ['its credential', credential === undefined ? null : credentialText(credential)],
    ['routes', String(data.routes.length)],
    ['gRPC calls', data.grpc.length === 0 ? null : String(data.grpc.length)],
  ];
}

const listed = (parts: readonly string[]): string | null => (parts.length === 0 ? null : parts.join(', '));

/** Carriers that are collected and compared on every route. */
const carrierTexts = ({ space }: ProfileData): readonly string[] => [
  ...space.carriers.flatMap((one) => Object.entries(one).map(([kind, name]) => `${kind}:${String(name)}`)),
  ...space.body_carriers.map((field) => `body:${field}`),
];

function bodyTexts(data: ProfileData): string[] {
  const texts: string[] = [];
  if (data.strict_keys) texts.push('a key of a carrier may stand at its place only');
  if (data.top_keys.length > 0) texts.push(`at the top only, as strings: ${data.top_keys.join(', ')}`);
  if (data.refuse_body_keys.length > 0) texts.push(`never with ${data.refuse_body_keys.join(', ')}`);
  if (data.object_body_keys.length > 0) texts.push(`only objects under ${data.object_body_keys.join(', ')}`);
  if (data.json_query.length > 0) texts.push(`${data.json_query.join(', ')} in the query read as JSON`);
  if (data.rewrite_body) texts.push('written anew with the decided space');
  return texts;
}

function credentialText({ kind, header, scheme, note }: NonNullable<ProfileData['upstream_credential']>): string {
  const place = header === undefined ? '' : ` in ${header}${scheme === undefined ? '' : ` (${scheme})`}`;
  return `${kind}${place}${note === undefined ? '' : `; ${note}`}`;
}

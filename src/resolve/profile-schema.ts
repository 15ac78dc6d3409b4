import { z } from 'zod';
import { dataClasses, permissions } from '../model/permissions.js';

const headerName = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'must be a header name');
const fieldName = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 _ . -');
const action = z.string().regex(/^[a-z][a-z-]*:[a-z][a-z-]*$/, 'must be AREA:VERB, such as memory:read');
const spaceName = z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be a space name');

const carrier = z
  .strictObject({ header: headerName.optional(), query: fieldName.optional() })
  .refine((one) => (one.header === undefined) !== (one.query === undefined), 'needs exactly one of header and query');

const patternForm = /^\^(\[[^\]\s]+\])\{\d+,\d+\}\$$/;

function compiled(text: string): RegExp | null {
  try {
    return new RegExp(text);
  } catch {
    return null; // a range or a length that runs backwards: the caller says so
  }
}

/** Blanks, controls and other scripts cannot stand in a header; `*` means every space, and `,` separates names. */
function matchesOddCharacter(pattern: string): boolean {
  const one = compiled(`^${patternForm.exec(pattern)?.[1] ?? ''}$`);
  for (let unit = 0; unit <= 0xffff; unit += 1) {
    const character = String.fromCharCode(unit);
    if (!/^[!-)+\--~]$/.test(character) && one?.test(character) === true) return true;
  }
  return false;
}

const routeCarrier = z
  .string()
  .regex(
    /^(?:header:[A-Za-z][A-Za-z0-9_-]{0,63}|(?:query|body|path):[A-Za-z0-9_.-]{1,64})$/,
    'must be header:NAME, query:NAME, path:NAME or body:NAME',
  );

const routeSpace = z.union([
  z.array(routeCarrier).min(1),
  z.strictObject({ fixed: spaceName }),
  z.enum(['ALL', 'UNSCOPED', 'NONE']),
]);

const route = z
  .strictObject({
    id: z
      .string()
      .regex(/^[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)*$/, 'must be lower-case words joined by dots')
      .describe('Name of the route in records, metrics and policy input.'),
    match: z
      .string()
      .regex(
        /^(?:GET|POST|PUT|PATCH|DELETE|OPTIONS) \/\S*$/,
        'must be METHOD /path, with {name} for one segment and {*name} for the rest',
      )
      .describe('Method and path template.'),
    action: action.describe('What the request does.'),
    permission: z.enum(permissions).describe('The right that it needs.'),
    class: z.enum(dataClasses).describe('What the data is.'),
    space: routeSpace.describe(
      "The carriers that this route obeys; or {fixed: NAME}, ALL, UNSCOPED (names an object), NONE (touches no space; one that is named must still be the caller's).",
    ),
    absent: z
      .enum(['default', 'refuse', 'ALL'])
      .optional()
      .describe('What no carrier at all means on this route, where it differs from the server.'),
    stream: z.literal('sse').optional().describe('The answer is a stream of server-sent events.'),
    body: z
      .enum(['json', 'stream'])
      .default('json')
      .describe(
        'json: a body is read whole, strictly, and compared; stream: it is passed on unread, which needs body_reason.',
      ),
    body_reason: z.string().min(1).optional().describe('Why the body names no space.'),
    body_rules: z
      .array(
        z.strictObject({
          field: fieldName,
          matches_word: z.array(z.string().regex(/^[A-Za-z]+$/)).min(1),
          action: action,
          permission: z.enum(permissions),
        }),
      )
      .default([])
      .describe('A word in a body field (any case) that makes the request something else.'),
  })
  .refine((one) => one.body === 'json' || one.body_reason !== undefined, 'body: stream needs body_reason');

export const profileSchema = z.strictObject({
  name: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/),
  space: z
    .strictObject({
      pattern: z
        .string()
        .regex(patternForm, 'must be one anchored character class with a length, such as ^[a-z0-9_-]{3,64}$')
        .refine(
          (text) => compiled(text) !== null,
          'must be a regular expression: a range or the length is out of order',
        )
        .refine(
          (text) => !matchesOddCharacter(text),
          'must match visible ASCII characters only, and neither * nor a comma',
        )
        .describe('Canonical form of a space name.'),
      absent: z.enum(['default', 'refuse']).describe('What a request without any carrier means.'),
      default: spaceName.optional().describe('The space that the server takes then.'),
      unknown: z
        .enum(['refuse', 'free'])
        .describe('refuse: names that nobody knows are refused; free: users cannot be listed.'),
      carriers: z.array(carrier).describe('Headers and query keys that are collected and compared on every route.'),
      body_carriers: z
        .array(fieldName)
        .default([])
        .describe('Top-level body fields that are collected and compared on every route with a JSON body.'),
    })
    .refine((space) => space.absent === 'refuse' || space.default !== undefined, 'absent: default needs default'),
  trust_headers: z.array(headerName).default([]).describe('Headers that open this server; removed.'),
  refuse_query: z.array(fieldName).default([]).describe('Query keys that are never accepted, such as credentials.'),
  side_doors: z
    .array(z.strictObject({ port: z.int().min(1).max(65_535), what: z.string(), note: z.string().optional() }))
    .default([])
    .describe('Other ports of the server.'),
  health: z
    .strictObject({ live: z.string().startsWith('/'), ready: z.string().startsWith('/') })
    .optional()
    .describe("The server's own health routes, asked by our probes."),
  routes: z.array(route).min(1),
});

export type ProfileData = z.output<typeof profileSchema>;
export type RouteData = ProfileData['routes'][number];

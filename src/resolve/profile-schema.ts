import { z } from 'zod';
import { carrierForms, type CarrierKind } from './carriers.js';
import { grpcMethods } from './grpc-schema.js';
import { aboutFields } from './profile-about.js';
import { mcpSchema } from './mcp-schema.js';
import { absences, fieldName, refusedKeys, routeSchema, spaceName } from './route-schema.js';
import { identityHeaderFields } from './profile-identity.js';

const headerName = z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, 'must be a header name');

const kinds = Object.keys(carrierForms) as CarrierKind[];
const wishes: Partial<Record<CarrierKind, string>> = {
  header: 'must be a header name',
  'header-tail': 'must be a header name',
  'query-json': 'must be NAME/POINTER, such as filters/user_id',
};
const wishOf = (kind: CarrierKind): string =>
  wishes[kind] ?? (kind.startsWith('body') ? 'must be a field or a JSON pointer' : 'must be a name');

const carrier = z
  .strictObject(
    Object.fromEntries(
      kinds.map((kind) => [kind, z.string().regex(carrierForms[kind], wishOf(kind)).optional()]),
    ) as Record<CarrierKind, z.ZodOptional<z.ZodString>>,
  )
  .refine((one) => Object.keys(one).length === 1, `needs exactly one of ${kinds.join(', ')}`);

const patternForm = /^\^(\[[^\]\s]+\])\{\d+,\d+\}\$$/;

function compiled(text: string): RegExp | null {
  try {
    return new RegExp(text);
  } catch {
    return null; // a range or a length that runs backwards: the caller says so
  }
}

/** The characters of a pattern's class among these. */
export function matchedOf(pattern: string, characters: Iterable<string>): readonly string[] {
  const one = compiled(`^${patternForm.exec(pattern)?.[1] ?? ''}$`);
  return [...characters].filter((character) => one?.test(character) === true);
}

/** Blanks, controls and other scripts cannot stand in a header; `*` means every space, and `,` separates names. */
const matchesOddCharacter = (pattern: string): boolean => matchedOf(pattern, oddCharacters()).length > 0;

function* oddCharacters(): Generator<string> {
  for (let unit = 0; unit <= 0xffff; unit += 1) {
    const character = String.fromCharCode(unit);
    if (!/^[!-)+\--~]$/.test(character)) yield character;
  }
}

const spaceRules = z
  .strictObject({
    pattern: z
      .string()
      .regex(patternForm, 'must be one anchored character class with a length, such as ^[a-z0-9_-]{3,64}$')
      .refine((text) => compiled(text) !== null, 'must be a regular expression: a range or the length is out of order')
      .refine(
        (text) => !matchesOddCharacter(text),
        'must match visible ASCII characters only, and neither * nor a comma',
      )
      .describe('Canonical form of a space name. Dot segments (`.`, `..`) are none, whatever it says.'),
    absent: z
      .enum(absences)
      .describe(
        "What a request without any carrier means: the server's default space, a refusal, every space, or the only space that the caller's key names literally.",
      ),
    default: spaceName.optional().describe('The space that the server takes then.'),
    unknown: z
      .enum(['refuse', 'free'])
      .describe('refuse: names that nobody knows are refused; free: users cannot be listed.'),
    carriers: z
      .array(carrier)
      .describe('Carriers that are collected and compared on every route that has such a place.'),
    body_carriers: z
      .array(fieldName)
      .default([])
      .describe('Top-level body fields that are collected and compared on every route with a JSON body.'),
  })
  .refine((space) => space.absent !== 'default' || space.default !== undefined, 'absent: default needs default');

export const profileSchema = z.strictObject({
  name: z
    .string()
    .regex(/^[a-z][a-z0-9-]{0,63}$/, 'must be lower-case letters, digits and hyphens')
    .describe('Name of the profile.'),
  ...aboutFields,
  space: spaceRules.describe('What a space is to this server, and where it is named.'),
  strict_keys: z
    .boolean()
    .default(false)
    .describe(
      'A key of a carrier of the body may stand at its place only; in a query language it is refused, in any case and depth.',
    ),
  refuse_body_keys: refusedKeys.default([]).describe('Keys that may stand nowhere in any body, in any case and depth.'),
  top_keys: z
    .array(fieldName)
    .default([])
    .describe(
      'Keys that narrow a request down within its space: in a JSON body they may stand at the top, as strings, and nowhere else.',
    ),
  object_body_keys: refusedKeys
    .default([])
    .describe(
      'Keys of a body that hold an object, or a list of objects, in any case and depth: for servers that also read an object from a list of its values, where refuse_body_keys finds no key.',
    ),
  json_query: z
    .array(fieldName)
    .default([])
    .describe('Query keys that hold a JSON object: read as strictly as a body, with plain keys only.'),
  rewrite_body: z
    .boolean()
    .default(false)
    .describe(
      'A JSON body is written anew from what was read: the decided space stands in the first carrier that the route obeys, other body carriers are left out, numbers keep their text.',
    ),
  trust_headers: z.array(headerName).default([]).describe('Headers that open this server; removed.'),
  identity_headers: identityHeaderFields,
  refuse_query: z.array(fieldName).default([]).describe('Query keys that are never accepted, such as credentials.'),
  side_doors: z
    .array(
      z.strictObject({
        port: z.int().min(1).max(65_535).describe('Where it listens.'),
        what: z.string().describe('What answers there.'),
        note: z.string().optional().describe('How to close it.'),
      }),
    )
    .default([])
    .describe('Other ports of the server.'),
  health: z
    .strictObject({
      live: z.string().startsWith('/').describe('Path that says whether it lives.'),
      ready: z.string().startsWith('/').describe('Path that says whether it can work.'),
    })
    .optional()
    .describe("The server's own health routes, asked by our probes."),
  mcp: mcpSchema.optional().describe('Methods and tools, for routes with protocol: mcp.'),
  grpc: grpcMethods
    .default([])
    .describe(
      'Every gRPC method that may be called, where the configuration opens a listener for gRPC. What is not listed is refused.',
    ),
  routes: z
    .array(routeSchema)
    .describe('Every route that may be reached. What is not listed is refused; with none of them, everything is.'),
});

export type ProfileData = z.output<typeof profileSchema>;
export type RouteData = ProfileData['routes'][number];

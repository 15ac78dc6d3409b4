import { z } from 'zod';
import { dataClasses, permissions } from '../model/permissions.js';
import { carrierText, carrierWish } from './carriers.js';
import { filterRule, objectRule } from './object-schema.js';

export const fieldName = z.string().regex(/^[A-Za-z0-9_.-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 _ . -');
export const spaceName = z.string().regex(/^[!-)+\--~]{1,256}$/, 'must be a space name');
export const routeId = z
  .string()
  .regex(/^[a-z][a-z0-9_-]*(?:\.[a-z0-9_-]+)*$/, 'must be lower-case words joined by dots');
export const refusedKeys = z.array(z.string().regex(/^[A-Za-z0-9_$.-]{1,64}$/, 'must be a key of a JSON object'));
export const action = z.string().regex(/^[a-z][a-z-]*:[a-z][a-z-]*$/, 'must be AREA:VERB, such as memory:read');

const routeSpace = z.union([
  z.array(z.string().regex(carrierText, `must be one of ${carrierWish}`)).min(1),
  z.strictObject({ fixed: spaceName.describe('The space that the route reaches, whatever the request says.') }),
  z.enum(['ALL', 'UNSCOPED', 'NONE']),
]);

const match = z
  .string()
  .regex(
    /^(?:GET|POST|PUT|PATCH|DELETE|OPTIONS) \/\S*$/,
    'must be METHOD /path, with {name} for one segment and {*name} for the rest',
  );

const bodyRule = z.strictObject({
  field: fieldName.describe('A field of the top level; one that is no text counts as a match.'),
  matches_word: z
    .array(z.string().regex(/^[A-Za-z]+$/))
    .min(1)
    .describe('Any of these words, wherever it stands.'),
  action: action.describe('What the request does then.'),
  permission: z.enum(permissions).describe('The right that it needs then.'),
});

export const absences = ['default', 'refuse', 'ALL', 'own'] as const;

const webSocket = z.strictObject({
  messages: z
    .enum(['none', 'first', 'each'])
    .describe(
      'none: the handshake decides; first: the first message does as well, and the later ones pass unread; each: every text message is read, and decided where it names a space.',
    ),
  space: z
    .array(
      z.string().regex(/^body/, 'must be a carrier of a JSON body').regex(carrierText, `must be one of ${carrierWish}`),
    )
    .default([])
    .describe('Where a message names its space.'),
  absent: z.enum(absences).optional().describe('What a deciding message without any carrier means.'),
  when: z
    .strictObject({
      field: fieldName.describe('Top-level field of the message.'),
      equals: z
        .string()
        .regex(/^[!-~]{1,64}$/, 'must be 1 to 64 visible characters')
        .describe('Its text, in any case.'),
    })
    .optional()
    .describe('Messages that decide even where no carrier stands in them; the first one must be of them.'),
  subprotocols: z
    .array(z.string().regex(/^[A-Za-z0-9._-]{1,64}$/, 'must be the name of a subprotocol'))
    .default([])
    .describe('Subprotocols that a client may offer; others are left out.'),
  compression: z.boolean().default(false).describe('permessage-deflate may be agreed on; only with messages: none.'),
});

export const routeSchema = z
  .strictObject({
    id: routeId.describe('Name of the route in records, metrics and policy input.'),
    match: match.describe('Method and path template.'),
    action: action.describe('What the request does.'),
    permission: z.enum(permissions).describe('The right that it needs.'),
    class: z.enum(dataClasses).describe('What the data is.'),
    space: routeSpace.describe(
      "The carriers that this route obeys; or {fixed: NAME}, ALL, UNSCOPED (names an object), NONE (touches no space; one that is named must still be the caller's).",
    ),
    absent: z
      .enum(absences)
      .optional()
      .describe('What no carrier at all means on this route, where it differs from the server.'),
    empty: z
      .enum(['refuse', 'ALL'])
      .default('refuse')
      .describe(
        'What null or an empty list in a carrier of a document means: ALL where the server then reaches every space.',
      ),
    object: objectRule
      .optional()
      .describe(
        'How a route that names an object by its id is decided; deny, which UNSCOPED means, asks for the right to all spaces.',
      ),
    filter: filterRule.optional().describe('The answer is reduced to what the caller may see.'),
    protocol: z
      .literal('mcp')
      .optional()
      .describe('mcp: the endpoint of an MCP server; what a message is, is decided by the section mcp.'),
    stream: z
      .enum(['sse', 'websocket'])
      .optional()
      .describe('The answer is a stream of server-sent events, or the request opens a WebSocket.'),
    websocket: webSocket.optional().describe('What the WebSocket may carry, and which of its messages are decided.'),
    body: z
      .enum(['json', 'form', 'stream'])
      .default('json')
      .describe(
        'json, form: a body is read whole, strictly, and compared; stream: it is passed on unread, which needs body_reason.',
      ),
    body_reason: z.string().min(1).optional().describe('Why the body names no space.'),
    strict_keys: z
      .boolean()
      .optional()
      .describe('A key of a carrier of the body may stand at its place only; where it differs from the server.'),
    refuse_body_keys: refusedKeys
      .default([])
      .describe("Keys that may stand nowhere in the body, in any case; beside the server's."),
    body_rules: z
      .array(bodyRule)
      .default([])
      .describe('A word in a body field (any case) that makes the request something else.'),
  })
  .refine((one) => one.body !== 'stream' || one.body_reason !== undefined, 'body: stream needs body_reason');

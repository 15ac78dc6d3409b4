import { z } from 'zod';
import { dataClasses, permissions } from '../model/permissions.js';
import { carrierText, carrierWish } from './carriers.js';
import { absences, spaceName } from './route-schema.js';

export const mcpVersions = ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'] as const;
export type McpVersion = (typeof mcpVersions)[number];

const name = z.string().regex(/^[A-Za-z0-9_./-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 _ . / -');
const argumentName = z.string().regex(/^[A-Za-z0-9_$.-]{1,64}$/, 'must be 1 to 64 of A-Z a-z 0-9 _ $ . -');
const methodName = z
  .string()
  .regex(/^[a-z]+(?:\/[A-Za-z_]+)*$/, 'must be the name of a method, such as resources/read');
const action = z
  .string()
  .regex(/^[a-z][a-z-]*(?:[:/][A-Za-z0-9_./-]+)+$/, 'must be AREA:VERB, such as memory:read, at most 96 characters')
  .max(96);
const shortForms = /^(argument(?:-list|-any|-first|-uri)?|uri):(.+)$/;

/** Arguments and URIs have a short form of their own: `argument:project` → `body:/params/arguments/project`. */
export function longForm(text: string): string {
  const [, kind, rest = ''] = shortForms.exec(text) ?? [];
  if (kind === undefined) return text;
  return kind === 'uri' ? `body-uri:/params/${rest}` : `${kind.replace('argument', 'body')}:/params/arguments/${rest}`;
}

const carrier = z
  .string()
  .refine(
    (text) => carrierText.test(longForm(text)),
    `must be one of argument:NAME, argument-list:NAME, argument-any:NAME, argument-first:NAME, argument-uri:NAME, uri:NAME, ${carrierWish}`,
  )
  .transform(longForm);

const space = z.union([
  z.array(carrier).min(1),
  z.strictObject({ fixed: spaceName.describe('The space that is reached, whatever the message says.') }),
  z.enum(['ALL', 'UNSCOPED', 'NONE']),
]);

const rule = {
  action: action.optional().describe('What it does; its own name when absent: tools/call:NAME, resources/read.'),
  permission: z.enum(permissions).optional().describe('The right that it needs; that of the route when absent.'),
  class: z.enum(dataClasses).optional().describe('What the data is.'),
  space: space
    .optional()
    .describe('Where it names its space, or which spaces it reaches; that of the route when absent.'),
  absent: z.enum(absences).optional().describe('What no carrier at all means, where it differs from the server.'),
  empty: z
    .enum(['refuse', 'ALL'])
    .optional()
    .describe('What null or an empty list in a carrier means: ALL where the server then reaches every space.'),
  stream: z.literal('sse').optional().describe('The answer stays open for as long as the client likes.'),
};

const argument = z
  .strictObject({
    required: z.literal(true).optional().describe('It must be there.'),
    forbidden: z.literal(true).optional().describe('It must not be there.'),
    values: z
      .array(z.union([z.string(), z.number(), z.boolean()]))
      .min(1)
      .optional()
      .describe('It must be one of these.'),
    max_characters: z.int().min(1).optional().describe('It must be a string of at most so many characters.'),
    shown: z
      .literal(true)
      .optional()
      .describe('It must be a string; the policy sees it, as request.params["argument:NAME"], and so does the record.'),
  })
  .refine((one) => one.forbidden === undefined || Object.keys(one).length === 1, 'forbidden stands alone');

const tool = z.strictObject({
  ...rule,
  arguments: z.record(argumentName, argument).default({}).describe('What its arguments must be.'),
  other_arguments: z
    .enum(['allow', 'refuse'])
    .default('allow')
    .describe('What becomes of a call with arguments that are not listed.'),
  headers: z
    .record(z.string().regex(/^[A-Za-z0-9-]{1,48}$/, 'must be the part behind Mcp-Param-'), argumentName)
    .default({})
    .describe('Arguments that clients mirror into Mcp-Param-… headers, by the name of the header.'),
});

const named = z.strictObject({
  ...rule,
  names: z.array(z.string().min(1).max(256)).min(1).optional().describe('Only these; all when absent.'),
});

/** How a route with `protocol: mcp` is decided. */
export const mcpSchema = z.strictObject({
  versions: z
    .array(z.enum(mcpVersions))
    .min(1)
    .default([...mcpVersions])
    .describe('Revisions of the protocol that are accepted.'),
  resumable: z
    .boolean()
    .default(false)
    .describe(
      'Last-Event-ID is passed on. Only for a server that gives the events of a session to that session alone.',
    ),
  methods: z
    .record(methodName, z.union([z.literal('deny'), z.strictObject(rule)]))
    .default({})
    .describe('Methods beside those of tools, resources and prompts; deny takes away what is accepted by default.'),
  tools: z
    .record(name, tool)
    .default({})
    .describe('Tools that may be called. What is not listed is refused, and not shown.'),
  resources: named.optional().describe('Resources, by URI: listing, reading and following them. Refused when absent.'),
  prompts: named.optional().describe('Prompts, by name: listing and getting them. Refused when absent.'),
  completion: z.strictObject(rule).optional().describe('Completion of arguments. Refused when absent.'),
});

export type McpData = z.output<typeof mcpSchema>;
export type McpRule = z.output<z.ZodObject<typeof rule>>;
export type McpTool = McpData['tools'][string];
export type McpArgument = McpTool['arguments'][string];

import { z } from 'zod';

const pointer = z
  .string()
  .max(256)
  .regex(
    /^(?:\/(?:[^/~\s"\\]|~[01])+)*$/,
    "must be a JSON pointer of keys, such as /metadata/user_id, or '' for the whole",
  );
const parameter = z.string().regex(/^[a-z][a-z0-9_]*$/, 'must be the name of a path parameter');

const uuid = '^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$';
// Classes of plain characters with a bounded length, and plain characters between them: nothing that a server decodes, nothing that backtracks.
const idForm = /^\^(?:\[[A-Za-z0-9_~-]+\]\{\d{1,3}(?:,\d{1,3})?\}|[A-Za-z0-9_~-])+\$$/;

function compiles(text: string): boolean {
  try {
    return new RegExp(text).source !== '';
  } catch {
    return false;
  }
}

const lookup = z
  .strictObject({
    param: parameter.describe('The path parameter that names the object.'),
    form: z
      .string()
      .transform((text) => (text === 'uuid' ? uuid : text))
      .refine(
        (text) => idForm.test(text) && compiles(text),
        'must be uuid, or anchored classes with a length and plain characters, such as ^mem_[a-z0-9]{16}$',
      )
      .describe('The one spelling of an id that is accepted: uuid (lower case, with dashes), or a pattern.'),
    request: z
      .string()
      .regex(
        /^GET \/[A-Za-z0-9\-._~!$&'()*+,=:@/{}]*(?:\?[A-Za-z0-9\-._~=&]*)?$/,
        'must be GET /path with {name} for path parameters of the route',
      )
      .describe('What is asked, with the credential of the gateway.'),
    field: pointer.optional().describe("Where the answer holds the object's space."),
    list: pointer.optional().describe('Where the answer holds the list of objects of the stated space; with item.'),
    item: pointer.optional().describe('Where each item of that list holds its id.'),
    cache_ms: z
      .int()
      .min(0)
      .max(60_000)
      .default(0)
      .describe('How long an answer is used again. 0: never. That an object is unknown is kept for a second at most.'),
    moved_by: z
      .array(z.string())
      .optional()
      .describe('Ids of the routes that may move an object; without it, every route whose right is not to read.'),
  })
  .refine((one) => (one.field === undefined) !== (one.item === undefined), 'needs exactly one of field and item')
  .refine((one) => one.list === undefined || one.item !== undefined, 'list goes with item');

const check = z.strictObject({
  list: pointer.optional().describe('Where the answer holds a list; without it, the answer is one object.'),
  field: pointer.describe('Where the object, or each item of the list, holds its space.'),
  reads: z.literal(true).optional().describe('A POST that changes nothing.'),
});

/** How a route that names an object is decided. */
export const objectRule = z.union([
  z.literal('deny'),
  z
    .strictObject({
      lookup: lookup.optional().describe('The memory server is asked first which space the object has.'),
      check_response: check.optional().describe('The answer is held until its space is seen to be the decided one.'),
    })
    .refine(
      (one) => (one.lookup === undefined) !== (one.check_response === undefined),
      'needs exactly one of lookup and check_response',
    ),
]);

/** How the answer of a list is reduced. */
export const filterRule = z.strictObject({
  list: pointer.default('').describe('Where the answer holds the list.'),
  field: pointer.describe("Where each item holds its space; '' where the item is its name."),
  keep: z
    .array(z.string().min(1).max(64))
    .default([])
    .describe('Members beside the list that pass as they are; all others are left out.'),
  reads: z.literal(true).optional().describe('A POST that changes nothing.'),
});

export type LookupData = z.output<typeof lookup>;

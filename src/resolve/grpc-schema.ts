import { z } from 'zod';
import { fieldTree, type FieldTree } from '../base/protobuf.js';
import { dataClasses, permissions } from '../model/permissions.js';
import { action, routeId, spaceName } from './route-schema.js';

const fieldPath = z
  .string()
  .regex(
    /^[1-9]\d{0,8}(?:\.[1-9]\d{0,8}){0,7}$/,
    'must be field numbers from the outside in, in quotes, such as "1" or "2.1"',
  );

const callSpace = z.union([
  z.array(fieldPath).min(1),
  z.strictObject({ fixed: spaceName }),
  z.enum(['ALL', 'UNSCOPED', 'NONE']),
]);

const fieldRule = z
  .strictObject({
    field: fieldPath,
    matches_word: z
      .array(z.string().regex(/^[A-Za-z]+$/))
      .min(1)
      .optional(),
    is_present: z.literal(true).optional(),
    action,
    permission: z.enum(permissions),
  })
  .refine(
    (rule) => (rule.matches_word === undefined) !== (rule.is_present === undefined),
    'needs exactly one of matches_word and is_present',
  );

const grpcMethod = z
  .strictObject({
    id: routeId.describe('Name of the method in records, metrics and policy input; no route has it.'),
    method: z
      .string()
      .regex(/^[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*\/[A-Za-z_]\w*$/, 'must be package.Service/Method')
      .describe('Service and method.'),
    action: action.describe('What the call does.'),
    permission: z.enum(permissions).describe('The right that it needs.'),
    class: z.enum(dataClasses).describe('What the data is.'),
    streaming: z
      .enum(['unary', 'client', 'server', 'bidi'])
      .default('unary')
      .describe('Who sends several messages. Of client and bidi each message is decided by itself before it goes on.'),
    space: callSpace.describe(
      'Strings in the request message: the first is the one that the server obeys, the others must agree where they stand; or {fixed: NAME}, ALL, UNSCOPED, NONE.',
    ),
    absent: z
      .enum(['default', 'refuse', 'ALL', 'call'])
      .optional()
      .describe(
        'What an empty field means, where it differs from the server. call: the space of the first message, which must name one; a later message may name no other.',
      ),
    field_rules: z
      .array(fieldRule)
      .default([])
      .describe(
        'What makes the call something else: a word in a string of the message (any case), or a message within it that is present. Of those messages one may stand.',
      ),
    refuse_fields: z.array(fieldPath).default([]).describe('Strings that must be empty.'),
  })
  .refine((one) => one.absent !== 'call' || one.streaming === 'client' || one.streaming === 'bidi', {
    message: 'call needs streaming: client or bidi',
    path: ['absent'],
  })
  .refine((one) => isTree(one), { message: 'a field is a string or a message, not both', path: ['space'] });

export const grpcMethods = z.array(grpcMethod);

export type GrpcMethodData = z.output<typeof grpcMethod>;

interface WithFields {
  readonly space: readonly string[] | object | string;
  readonly refuse_fields: readonly string[];
  readonly field_rules: readonly { readonly field: string; readonly is_present?: true | undefined }[];
}

/**
 * Everything of the message that is read.
 *
 * @throws Error where a field would be a string and a message
 */
export function readTree({ space, field_rules: rules, refuse_fields: refused }: WithFields): FieldTree {
  const isMessage = (rule: WithFields['field_rules'][number]): boolean => rule.is_present === true;
  const words = rules.filter((rule) => !isMessage(rule)).map(({ field }) => field);
  const own = Array.isArray(space) ? (space as readonly string[]) : [];
  return fieldTree(
    [...own, ...words, ...refused],
    rules.filter(isMessage).map(({ field }) => field),
  );
}

function isTree(data: WithFields): boolean {
  try {
    readTree(data);
    return true;
  } catch {
    return false; // the caller says so
  }
}

import { z } from 'zod';
import type { Result } from '../base/result.js';
import { no, ok } from '../base/result.js';
import type { KeyProblem } from '../manage/manage.js';

/** The control socket cannot be served, or does not answer as it should. */
export class ControlError extends Error {}

/** Longest path of a socket on Linux: Node cuts a longer one and listens somewhere else. */
export const pathBytesMax = 107;
export const requestBytesMax = 65_536;
/** A list of 100,000 keys is about 50 MB. */
export const responseBytesMax = 268_435_456;

const names = z.array(z.string().max(256)).max(1_000);
const wish = z.strictObject({
  name: z.string().max(1_024),
  owner: z.string().max(1_024).nullish(),
  spaces: names,
  permissions: names,
  roles: names.optional(),
  tier: z.string().max(256).nullish(),
  expiresInMs: z.int().optional(),
  expiresAtMs: z.int().optional(),
});
const id = z.string().max(256);
const filePath = z.string().max(4_096).startsWith('/');
const hashStart = z.string().regex(/^[0-9a-f]{6,32}$/, 'must be 6 to 32 hexadecimal digits, the beginning of a hash');

/** What may be asked, as the body of `POST /v1`. */
export const callSchema = z.discriminatedUnion('do', [
  z.strictObject({ do: z.literal('create-key'), wish }),
  z.strictObject({
    do: z.literal('list-keys'),
    filter: z.strictObject({ includeExpired: z.boolean().optional(), includeRevoked: z.boolean().optional() }),
  }),
  z.strictObject({
    do: z.literal('rotate-key'),
    id,
    wish: z.union([z.strictObject({ graceMs: z.int() }), z.strictObject({ force: z.literal(true) })]),
  }),
  z.strictObject({ do: z.literal('revoke-key'), id, reason: z.string().max(4_096) }),
  z.strictObject({ do: z.literal('check-key'), key: z.string().max(4_096) }),
  z.strictObject({ do: z.literal('explain'), id }),
  z.strictObject({
    do: z.literal('candidate-begin'),
    wish: z.strictObject({ bundle: filePath, data: filePath.nullable(), share: z.number().gt(0).max(1) }),
  }),
  z.strictObject({ do: z.literal('candidate-report') }),
  z.strictObject({ do: z.literal('candidate-promote'), revision: z.string().max(256).nullable() }),
  z.strictObject({ do: z.literal('candidate-drop') }),
  z.strictObject({ do: z.literal('inventory') }),
  z.strictObject({
    do: z.literal('reload'),
    dryRun: z.boolean().optional(),
    keysOnly: z.boolean().optional(),
    allowRollback: z.boolean().optional(),
    backTo: hashStart.nullable().optional(),
  }),
  z.strictObject({ do: z.literal('status') }),
]);
export type Call = z.output<typeof callSchema>;

/** `broken`: something failed that the caller cannot put right; everything else is a KeyProblem. */
export type ControlAnswer<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly why: KeyProblem }
  | { readonly ok: false; readonly broken: string };

const decoder = new TextDecoder('utf-8', { fatal: true });

/** One JSON text in UTF-8, or null. */
export function jsonOf(bytes: Buffer): { readonly value: unknown } | null {
  try {
    return { value: JSON.parse(decoder.decode(bytes)) };
  } catch {
    return null;
  }
}

/** Reads a call strictly; the problem names its field. */
export function callOf(bytes: Buffer): Result<Call, string> {
  const json = jsonOf(bytes);
  if (json === null) return no('the body is not one JSON text');
  const parsed = callSchema.safeParse(json.value);
  if (parsed.success) return ok(parsed.data);
  const [issue] = parsed.error.issues;
  return no(`${issue?.path.map(String).join('.') ?? ''}: ${issue?.message ?? 'is not in the wanted form'}`);
}

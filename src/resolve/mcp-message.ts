import { isJsonObject, type JsonObject, type JsonTree } from '../base/json-tree.js';
import { no, ok, type Result } from '../base/result.js';
import { readStrictObject } from '../base/strict-json.js';
import { refuse, type Refusal, type RefusalCode } from '../model/codes.js';
import type { RpcId, RpcRefusal } from '../model/rpc.js';

/** One JSON-RPC request or notification, with one reading. */
export interface Message {
  /** What may be sent back; null for a notification, and for an id that is more than a plain text or a number. */
  readonly id: RpcId;
  readonly isNotification: boolean;
  readonly method: string;
  readonly params: JsonObject | null;
  /** The whole message. */
  readonly fields: JsonObject;
}

const topKeys: ReadonlySet<string> = new Set(['jsonrpc', 'id', 'method', 'params']);
/** Keys of the parameters by which something is decided: no other spelling of them is let through. */
const decidingKeys: ReadonlySet<string> = new Set(['name', 'arguments', 'uri', 'ref', '_meta']);
const idBytesMax = 128;
const methodForm = /^[a-z]+(?:\/[A-Za-z_]+)*$/;
const notification = 'notifications/';
const blanks = new Set([0x20, 0x09, 0x0a, 0x0d]);

export const foldCase = (key: string): string => key.toUpperCase().toLowerCase();

/** A refusal in the form that the caller's message asks for. */
export const refuseRpc = (code: RefusalCode, detail: string, rpc: RpcRefusal): Refusal => refuse(code, detail, { rpc });

/**
 * Reads a body as one JSON-RPC message: no batch, no key twice, no other spelling of a key, nothing beside what the protocol knows.
 * Servers read the loose forms each in its own way (the last of two keys, keys in any case), so that only the strict one has a meaning.
 */
export function readMessage(body: Buffer): Result<Message, Refusal> {
  if (body[body.findIndex((byte) => !blanks.has(byte))] === 0x5b)
    return no(refuseRpc('mcp.batch', 'an array of messages', { id: null }));
  const tree = readStrictObject(body);
  if (!tree.ok) return no(refuseRpc('resolve.body', tree.why, { id: null }));
  const id = idOf(tree.value.get('id'));
  const wrong = topProblem(tree.value);
  if (wrong !== null) return no(refuseRpc('mcp.message', wrong, { id }));
  const method = tree.value.get('method');
  if (typeof method !== 'string' || !methodForm.test(method))
    return no(refuseRpc('mcp.message', 'a method that is not a name', { id }));
  const params = tree.value.get('params');
  if (params !== undefined && !isJsonObject(params))
    return no(refuseRpc('mcp.params', 'params that are no object', { id }));
  const isNotification = !tree.value.has('id');
  // A call without an id asks for no answer, and some servers do what it says all the same.
  if (isNotification !== method.startsWith(notification))
    return no(refuseRpc('mcp.message', 'an id where none belongs, or none where one does', { id }));
  if (params !== undefined && !keysAreSpelled(params))
    return no(refuseRpc('mcp.params', 'a key that differs from one of the protocol only by case', { id }));
  if (params !== undefined && !metaIsKnown(params.get('_meta')))
    return no(refuseRpc('mcp.params', '_meta in another form', { id }));
  return ok({ id, isNotification, method, params: params ?? null, fields: tree.value });
}

function topProblem(fields: JsonObject): string | null {
  for (const key of fields.keys()) if (!topKeys.has(key)) return 'a key that is not of JSON-RPC 2.0';
  if (fields.get('jsonrpc') !== '2.0') return 'not jsonrpc 2.0';
  const id = fields.get('id');
  return !fields.has('id') || typeof id === 'string' || integerOf(id) !== null
    ? null
    : 'an id that is no text and no integer';
}

function integerOf(value: JsonTree | undefined): number | null {
  if (value === undefined || typeof value !== 'object' || value === null || !('number' in value)) return null;
  const number = /^-?\d{1,16}$/.test(value.number) ? Number(value.number) : NaN;
  return Number.isSafeInteger(number) ? number : null;
}

/** A text of controls, or of any length, is not sent back. */
const idOf = (value: JsonTree | undefined): RpcId =>
  typeof value === 'string' && value.length <= idBytesMax && /^[ -~]*$/.test(value) ? value : integerOf(value);

/** Servers refuse a message whose `_meta` the protocol does not know: so do we, before its decision. */
function metaIsKnown(meta: JsonTree | undefined): boolean {
  if (meta === undefined) return true;
  const token = isJsonObject(meta) ? meta.get('progressToken') : null;
  return token === undefined || typeof token === 'string' || integerOf(token) !== null;
}

function keysAreSpelled(params: JsonObject): boolean {
  for (const key of params.keys()) if (!decidingKeys.has(key) && decidingKeys.has(foldCase(key))) return false;
  return true;
}

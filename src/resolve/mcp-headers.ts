import { isUtf8 } from 'node:buffer';
import { isJsonObject, type JsonObject, type JsonTree } from '../base/json-tree.js';
import type { Refusal } from '../model/codes.js';
import type { CleanRequest } from '../model/request.js';
import { refuseRpc, type Message } from './mcp-message.js';

export const modernVersion = '2026-07-28';
const metaVersion = 'io.modelcontextprotocol/protocolVersion';
const paramPrefix = 'mcp-param-';
const wrapped = /^=\?base64\?([A-Za-z0-9+/]*={0,2})\?=$/;

/** Headers that stand for parts of the body, or that a decision looks at. */
export const mcpHeaders: readonly string[] = [
  'mcp-method',
  'mcp-name',
  'mcp-protocol-version',
  'mcp-session-id',
  'last-event-id',
  'origin',
];

/** Methods whose `Mcp-Name` stands for a parameter. */
const nameSources: ReadonlyMap<string, string> = new Map([
  ['tools/call', 'name'],
  ['prompts/get', 'name'],
  ['resources/read', 'uri'],
]);

/**
 * Compares the headers with the body, which alone is what the server acts on. From 2026-07-28 on they must be there; before, whatever is
 * there must agree.
 *
 * @param params argument by the name of its `Mcp-Param-…` header, in lower case
 */
export function headerProblem(
  request: CleanRequest,
  message: Message,
  { versions, params }: { readonly versions: ReadonlySet<string>; readonly params: ReadonlyMap<string, string> },
): Refusal | null {
  const version = versionProblem(request, message, versions);
  if (version !== null) return version;
  const isModern = request.header('mcp-protocol-version') === modernVersion;
  return (
    differs(request, message, { header: 'Mcp-Method', body: '/method', wanted: message.method, isNeeded: isModern }) ??
    nameProblem(request, message, isModern) ??
    paramProblem(request, message, { params, isNeeded: isModern })
  );
}

function versionProblem(request: CleanRequest, message: Message, versions: ReadonlySet<string>): Refusal | null {
  const stated = request.header('mcp-protocol-version');
  const meta = message.params?.get('_meta');
  const inner = isJsonObject(meta) ? meta.get(metaVersion) : undefined;
  if (inner !== undefined && typeof inner !== 'string')
    return refuseRpc('mcp.params', 'a protocol version that is no text', { id: message.id });
  const opening = message.method === 'initialize' ? message.params?.get('protocolVersion') : undefined;
  for (const one of [stated, inner, opening])
    if (one !== undefined && (typeof one !== 'string' || !versions.has(one)))
      return refuseRpc('mcp.version', 'a revision that the profile does not list', {
        id: message.id,
        supported: [...versions],
      });
  if (stated === undefined && inner === undefined && opening === undefined && !versions.has(withoutHeader))
    return mismatch(message, 'MCP-Protocol-Version', metaPath);
  if (inner !== undefined && stated !== inner) return mismatch(message, 'MCP-Protocol-Version', metaPath);
  // A revision that carries its version in each message has it in both places; a notification carries none.
  return stated === modernVersion && inner === undefined && !message.isNotification
    ? refuseRpc('mcp.params', 'a header of 2026-07-28 without its _meta', { id: message.id })
    : null;
}

/** What a server takes a request for that names no revision. */
const withoutHeader = '2025-03-26';
const metaPath = `/params/_meta/${metaVersion.replace('/', '~1')}`;

function nameProblem(request: CleanRequest, message: Message, isNeeded: boolean): Refusal | null {
  const source = nameSources.get(message.method);
  const value = source === undefined ? undefined : message.params?.get(source);
  if (source === undefined || typeof value !== 'string')
    return request.header('mcp-name') === undefined ? null : mismatch(message, 'Mcp-Name', '/params');
  return differs(request, message, { header: 'Mcp-Name', body: `/params/${source}`, wanted: value, isNeeded });
}

interface Mirror {
  readonly header: string;
  readonly body: string;
  readonly wanted: string;
  readonly isNeeded: boolean;
}

function differs(request: CleanRequest, message: Message, { header, body, wanted, isNeeded }: Mirror): Refusal | null {
  const sent = request.header(header.toLowerCase());
  const isWrong = sent === undefined ? isNeeded : decoded(sent) !== wanted;
  return isWrong ? mismatch(message, header, body) : null;
}

/** Each header stands for the argument that the profile says; where it says none, for one of the arguments there are. */
function paramProblem(
  request: CleanRequest,
  message: Message,
  { params, isNeeded }: { readonly params: ReadonlyMap<string, string>; readonly isNeeded: boolean },
): Refusal | null {
  const held = message.method === 'tools/call' ? message.params?.get('arguments') : undefined;
  const given: JsonObject = isJsonObject(held) ? held : new Map();
  const seen = new Set<string>();
  for (const { key, value } of request.headers) {
    if (!key.startsWith(paramPrefix)) continue;
    const suffix = key.slice(paramPrefix.length);
    const argument = params.get(suffix);
    const body = argument === undefined ? '/params/arguments' : `/params/arguments/${argument}`;
    const candidates =
      argument === undefined ? scalarsOf(given) : scalarsOf(new Map([['', given.get(argument) ?? null]]));
    if (seen.has(suffix) || !candidates.includes(decoded(value) ?? unreadable))
      return mismatch(message, argument === undefined ? 'Mcp-Param-*' : `Mcp-Param-${suffix}`, body);
    seen.add(suffix);
  }
  for (const [suffix, argument] of params) {
    const isThere = given.has(argument) && given.get(argument) !== null;
    if (isNeeded && isThere && !seen.has(suffix))
      return mismatch(message, `Mcp-Param-${suffix}`, `/params/arguments/${argument}`);
  }
  return null;
}

/** The texts that a header may mirror, nested objects included; lists are never mirrored. */
function scalarsOf(object: JsonObject): string[] {
  return [...object.values()].flatMap((value) => {
    const text = scalarText(value);
    if (text !== null) return [text];
    return isJsonObject(value) ? scalarsOf(value) : [];
  });
}

export function scalarText(value: JsonTree): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'boolean') return String(value);
  return typeof value === 'object' && value !== null && 'number' in value ? value.number : null;
}

/** No header can say this. */
const unreadable = '\u0000';

/** @returns what a header says; null for one that cannot be read */
function decoded(value: string): string | null {
  if (!value.startsWith('=?base64?')) return /^[\x20-\x7e]*$/.test(value) ? value : null;
  const inner = wrapped.exec(value)?.[1];
  if (inner === undefined) return null;
  const bytes = Buffer.from(inner, 'base64');
  // One spelling: others would be read by some and refused by others.
  return bytes.toString('base64') === inner && isUtf8(bytes) ? bytes.toString('utf8') : null;
}

const mismatch = (message: Message, header: string, body: string): Refusal =>
  refuseRpc('mcp.header-mismatch', `${header} and ${body} differ`, { id: message.id, mismatch: { header, body } });

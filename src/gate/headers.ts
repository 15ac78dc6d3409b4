import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { HeaderField } from '../model/request.js';
import { hopByHop } from '../model/hop-by-hop.js';
import { canonicalName, singleFields } from './names.js';

const linesMax = 100;
const bytesMax = 16_384;
/** `: ` and the line end. */
const lineOverhead = 4;
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
const valueCharacters = /^[\t\x20-\x7e\x80-\xff]*$/;
const plainAscii = /^[\t\x20-\x7e]*$/;
/** Connection options that are about the connection itself. */
const connectionOptions: ReadonlySet<string> = new Set([
  'close',
  'keep-alive',
  'upgrade',
  'te',
  'trailer',
  'http2-settings',
  'proxy-connection',
  'proxy-authorization',
]);

/** Names that have one meaning to us: exact lower-case names, and the same as lenient servers see them. */
export interface ProtectedNames {
  readonly exact: ReadonlySet<string>;
  readonly canonical: ReadonlySet<string>;
}

export const protectNames = (names: Iterable<string>): ProtectedNames => {
  const exact = new Set([...names].map((name) => name.toLowerCase()));
  return { exact, canonical: new Set([...exact].map(canonicalName)) };
};

export interface CleanHeaders {
  /** Every field that was sent. */
  readonly all: ReadonlyMap<string, string>;
  /** Fields that may travel on: no hop-by-hop, framing, Host or Expect. */
  readonly endToEnd: readonly HeaderField[];
}

const bad = (detail: string): Result<never, Refusal> => no(refuse('gate.header', detail));
const notForwarded: ReadonlySet<string> = new Set([...hopByHop, 'host', 'expect', 'content-length']);

/**
 * Reads raw header lines: count, size, form, duplicates, aliases and nominations.
 *
 * @param raw names and values alternating, Latin-1, as they were sent
 */
export function readHeaders(raw: readonly string[], names: ProtectedNames): Result<CleanHeaders, Refusal> {
  if (raw.length > linesMax * 2) return no(refuse('gate.headers-too-large', `over ${String(linesMax)} header lines`));
  const all = new Map<string, string>();
  const fields: HeaderField[] = [];
  let bytes = 0;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    bytes += name.length + value.length + lineOverhead;
    if (bytes > bytesMax) return no(refuse('gate.headers-too-large', `over ${String(bytesMax)} bytes of headers`));
    const key = name.toLowerCase();
    const wrong = fieldProblem({ name, key, value }, names, all);
    if (wrong !== null) return bad(wrong);
    all.set(key, value);
    if (!notForwarded.has(key)) fields.push({ name, key, value });
  }
  const connection = all.get('connection');
  if (connection === undefined) return ok({ all, endToEnd: fields });
  const nominated = readConnection(connection, names);
  if (!nominated.ok) return nominated;
  return ok({
    all,
    endToEnd: nominated.value.size === 0 ? fields : fields.filter(({ key }) => !nominated.value.has(key)),
  });
}

function fieldProblem(field: HeaderField, names: ProtectedNames, seen: ReadonlyMap<string, string>): string | null {
  const { name, key, value } = field;
  if (!token.test(name)) return 'a header name that is not a token';
  if (!valueCharacters.test(value)) return `a control character in ${key}`;
  if (names.exact.has(key)) {
    if (seen.has(key)) return `more than one ${key}`;
    if (!plainAscii.test(value)) return `a byte outside ASCII in ${key}`;
    return null;
  }
  if (singleFields.has(key) && seen.has(key)) return `more than one ${key}`;
  return names.canonical.has(canonicalName(key)) ? `${key} looks like a protected header` : null;
}

/** @returns the nominated header names, without the options that concern the connection alone */
function readConnection(value: string, names: ProtectedNames): Result<ReadonlySet<string>, Refusal> {
  const nominated = new Set<string>();
  for (const part of value.split(',')) {
    const option = part.trim().toLowerCase();
    if (option === '') continue;
    if (!token.test(option)) return bad('a connection option that is not a token');
    if (connectionOptions.has(option)) continue;
    if (names.canonical.has(canonicalName(option))) return bad(`connection nominates ${option}`);
    nominated.add(option);
  }
  return ok(nominated);
}

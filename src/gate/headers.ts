import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { HeaderField } from '../model/request.js';
import type { HeaderNames, NameFacts } from './header-names.js';

const linesMax = 100;
const bytesMax = 16_384;
/** `: ` and the line end. */
const lineOverhead = 4;
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

export interface CleanHeaders {
  /** Every field that was sent. */
  readonly all: ReadonlyMap<string, string>;
  /** Fields that may travel on: no hop-by-hop, framing, Host or Expect. */
  readonly endToEnd: readonly HeaderField[];
}

const bad = (detail: string): Result<never, Refusal> => no(refuse('gate.header', detail));

/**
 * Reads raw header lines: count, size, form, duplicates, aliases and nominations.
 *
 * @param raw names and values alternating, Latin-1, as they were sent
 */
export function readHeaders(raw: readonly string[], names: HeaderNames): Result<CleanHeaders, Refusal> {
  if (raw.length > linesMax * 2) return no(refuse('gate.headers-too-large', `over ${String(linesMax)} header lines`));
  const all = new Map<string, string>();
  const fields: HeaderField[] = [];
  let bytes = 0;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    bytes += name.length + value.length + lineOverhead;
    if (bytes > bytesMax) return no(refuse('gate.headers-too-large', `over ${String(bytesMax)} bytes of headers`));
    const facts = names.of(name);
    const wrong = fieldProblem(facts, value, all);
    if (wrong !== null) return bad(wrong);
    const { key } = facts;
    all.set(key, value);
    if (facts.isForwarded) fields.push({ name, key, value });
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

function fieldProblem({ key, kind }: NameFacts, value: string, seen: ReadonlyMap<string, string>): string | null {
  if (kind === 'malformed') return 'a header name that is not a token, or over 255 bytes';
  if (!plainAscii.test(value)) {
    if (!valueCharacters.test(value)) return `a control character in ${key}`;
    if (kind === 'protected') return `a byte outside ASCII in ${key}`;
  }
  if (kind === 'alias') return `${key} looks like a protected header`;
  return kind !== 'other' && seen.has(key) ? `more than one ${key}` : null;
}

/** @returns the nominated header names, without the options that concern the connection alone */
function readConnection(value: string, names: HeaderNames): Result<ReadonlySet<string>, Refusal> {
  const nominated = new Set<string>();
  for (const part of value.split(',')) {
    const option = part.trim().toLowerCase();
    if (option === '') continue;
    const { kind, isProtected } = names.of(option);
    if (kind === 'malformed') return bad('a connection option that is not a token');
    if (connectionOptions.has(option)) continue;
    if (isProtected) return bad(`connection nominates ${option}`);
    nominated.add(option);
  }
  return ok(nominated);
}

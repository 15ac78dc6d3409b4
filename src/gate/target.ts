import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { QueryPair } from '../model/request.js';

/** Bytes; above it a target is refused. Node counts it within the head's 16 KiB too. */
const targetBytesMax = 8_192;
const queryPairsMax = 256;

// unreserved, sub-delims but ';' (some servers cut path parameters there), ':', '@'; '%' is looked at below.
const pathCharacters = /^[A-Za-z0-9\-._~!$&'()*+,=:@%/]+$/;
// Visible ASCII but '#', '\', '"', '<', '>' and ';' (some servers split pairs there).
const queryCharacters = /^[!$-:=?-[\]-~]*$/;
const percentTriplet = /%([0-9A-Fa-f]{2})/g;
const stray = /%(?![0-9A-Fa-f]{2})/;
const dotSegment = /(?:^|\/)\.{1,2}(?:\/|$)/;
// Unreserved characters have one spelling: the plain one. '/', '\', '.', '%' and controls have none at all in a path.
const forbiddenInPath =
  /^(?:[0-1][0-9A-Fa-f]|7[Ff]|2[DdEeFf5]|5[CcFf]|3[0-9Bb]|4[1-9A-Fa-f]|5[0-9Aa]|6[1-9A-Fa-f]|7[0-9AaEe])$/;

export interface CleanTarget {
  readonly path: string;
  readonly query: readonly QueryPair[];
}

const bad = (detail: string): Result<never, Refusal> => no(refuse('gate.target', detail));

/**
 * Reads a request target by hand: origin-form, or absolute-form whose authority equals Host (then its origin-form).
 * Nothing is decoded and encoded again; what is returned is what goes upstream.
 *
 * @param host normal form of the Host header
 * @see RFC 9112 §3.2
 */
export function readTarget(target: string, host: string): Result<CleanTarget, Refusal> {
  if (target.length > targetBytesMax) return bad(`target over ${String(targetBytesMax)} bytes`);
  const origin = originForm(target, host);
  if (origin === null) return bad('not origin-form, nor absolute-form for this host');
  const mark = origin.indexOf('?');
  const path = mark < 0 ? origin : origin.slice(0, mark);
  const wrong = pathProblem(path);
  if (wrong !== null) return bad(wrong);
  if (mark < 0) return ok({ path, query: [] });
  const query = readQuery(origin.slice(mark + 1));
  return query.ok ? ok({ path, query: query.value }) : query;
}

function originForm(target: string, host: string): string | null {
  if (target.startsWith('/')) return target;
  const absolute = /^http:\/\/([^/?#]+)(\/.*)$/i.exec(target);
  return absolute?.[1]?.toLowerCase() === host && absolute[2] !== undefined ? absolute[2] : null;
}

function pathProblem(path: string): string | null {
  if (!pathCharacters.test(path)) return 'a character that is not allowed in a path';
  if (path.includes('//')) return 'an empty path segment';
  if (dotSegment.test(path)) return 'a dot segment';
  if (!path.includes('%')) return null;
  if (stray.test(path)) return 'broken percent-encoding in the path';
  for (const [, hex = ''] of path.matchAll(percentTriplet)) {
    if (forbiddenInPath.test(hex)) return `%${hex.toUpperCase()} in the path`;
  }
  return decoded(path) === null ? 'the path is not UTF-8' : null;
}

function readQuery(text: string): Result<readonly QueryPair[], Refusal> {
  if (!queryCharacters.test(text)) return bad('a character that is not allowed in a query');
  if (stray.test(text)) return bad('broken percent-encoding in the query');
  const pieces = text.split('&');
  if (pieces.length > queryPairsMax) return bad(`over ${String(queryPairsMax)} query parameters`);
  const pairs: QueryPair[] = [];
  for (const raw of pieces) {
    const equals = raw.indexOf('=');
    const name = decoded((equals < 0 ? raw : raw.slice(0, equals)).replaceAll('+', ' '));
    const value = equals < 0 ? '' : decoded(raw.slice(equals + 1).replaceAll('+', ' '));
    if (name === null || value === null) return bad('the query is not UTF-8');
    if (name.includes('\0') || value.includes('\0')) return bad('NUL in the query');
    pairs.push({ raw, name, value });
  }
  return ok(pairs);
}

/** Percent-decoding, once; null when the bytes are not UTF-8. */
function decoded(text: string): string | null {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return null; // not UTF-8: the caller names the place
  }
}

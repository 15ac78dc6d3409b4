import { isAscii } from 'node:buffer';
import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { Statement } from './statement.js';
import { foldCase, mentions } from './tree-rules.js';

const pairsMax = 1_000;
// Visible ASCII without `;`, which some servers split at; blanks are written as `+`.
const plainText = /^[!-:<-~]*$/;
const stray = /%(?![0-9A-Fa-f]{2})/;

/** Fields of a form that carry a space, and names that it may not hold; made once per route. */
export interface FormRules {
  /** Name → whether the route obeys it. */
  readonly carriers: ReadonlyMap<string, boolean>;
  readonly folded: ReadonlySet<string>;
  readonly refused: ReadonlySet<string>;
}

/**
 * Reads an `application/x-www-form-urlencoded` body strictly: ASCII, whole escapes of UTF-8, no NUL, a bounded number of fields.
 *
 * @see https://url.spec.whatwg.org/#urlencoded-parsing
 */
export function readForm(bytes: Buffer): Result<readonly (readonly [name: string, value: string])[], string> {
  const text = isAscii(bytes) ? bytes.toString('latin1') : '\0';
  if (!plainText.test(text)) return no('a character that must be escaped in a form');
  if (stray.test(text)) return no('broken percent-encoding in a form');
  const pieces = text === '' ? [] : text.split('&');
  if (pieces.length > pairsMax) return no(`over ${String(pairsMax)} fields`);
  const pairs: (readonly [string, string])[] = [];
  for (const piece of pieces) {
    const equals = piece.indexOf('=');
    const name = decoded(equals < 0 ? piece : piece.slice(0, equals));
    const value = equals < 0 ? '' : decoded(piece.slice(equals + 1));
    if (name === null || value === null) return no('a form that is not UTF-8, or holds a NUL');
    pairs.push([name, value]);
  }
  return ok(pairs);
}

function decoded(text: string): string | null {
  try {
    const plain = decodeURIComponent(text.replaceAll('+', ' '));
    return plain.includes('\0') ? null : plain;
  } catch {
    return null; // not UTF-8: the caller says so
  }
}

/** Adds what the fields of a form state: each once, in one spelling. */
export function statedInForm(
  pairs: readonly (readonly [name: string, value: string])[],
  rules: FormRules,
  stated: Statement,
): Refusal | null {
  const seen = new Set<string>();
  for (const [name, value] of pairs) {
    const folded = foldCase(name);
    if (mentions(folded, rules.refused)) return refuse('resolve.body', 'a field that is not accepted');
    if (!mentions(folded, rules.folded)) continue;
    const isObeyed = rules.carriers.get(name);
    // `user_id[]` and `User_Id` are the same field to some servers.
    if (isObeyed === undefined) return refuse('space.malformed', 'a field that differs from a space carrier');
    if (seen.has(name)) return refuse('space.conflict', 'a field that stands twice');
    seen.add(name);
    const wrong = stated.one(value, isObeyed);
    if (wrong !== null) return wrong;
  }
  return null;
}

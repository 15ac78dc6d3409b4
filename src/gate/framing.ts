import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';

const plainLength = /^(?:0|[1-9]\d{0,14})$/;
/** Methods whose content has no meaning, so that servers disagree about reading it. @see RFC 9110 §9.3.1 */
const bodiless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS']);

export type Framing =
  { readonly kind: 'none' } | { readonly kind: 'length'; readonly length: number } | { readonly kind: 'chunked' };

const bad = (detail: string): Result<never, Refusal> => no(refuse('gate.framing', detail));

/**
 * Exactly one plain Content-Length, or exactly one `Transfer-Encoding: chunked` in HTTP/1.1, or neither.
 *
 * @see RFC 9112 §6
 */
export function readFraming(
  method: string,
  httpVersion: string,
  headers: ReadonlyMap<string, string>,
): Result<Framing, Refusal> {
  const length = headers.get('content-length');
  const encoding = headers.get('transfer-encoding');
  if (encoding !== undefined) {
    if (length !== undefined) return bad('both content-length and transfer-encoding');
    if (httpVersion !== '1.1') return bad('transfer-encoding outside HTTP/1.1');
    if (encoding.toLowerCase() !== 'chunked') return bad('a transfer-encoding other than chunked');
    return bodiless.has(method) ? bad(`a body on ${method}`) : ok({ kind: 'chunked' });
  }
  if (length === undefined) return ok({ kind: 'none' });
  if (!plainLength.test(length)) return bad('a content-length that is not a plain number');
  const bytes = Number(length);
  if (bytes === 0) return ok({ kind: 'length', length: 0 });
  if (bodiless.has(method)) return bad(`a body on ${method}`);
  return httpVersion === '1.1' ? ok({ kind: 'length', length: bytes }) : bad('a body outside HTTP/1.1');
}

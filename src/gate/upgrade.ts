import { refuse, type Refusal } from '../model/codes.js';
import type { RawRequest } from '../model/request.js';
import type { Framing } from './framing.js';

const key = /^[A-Za-z0-9+/]{21}[AQgw]==$/;
const connections: ReadonlySet<string> = new Set(['upgrade', 'keep-alive, upgrade', 'upgrade, keep-alive']);

const bad = (detail: string): Refusal => refuse('gate.upgrade', detail);

/**
 * A wish for a WebSocket in the one form that has one reading. Nobody in front of us may have taken the bytes behind it for a
 * request, and nobody behind us for one that was already agreed to.
 *
 * @see RFC 6455 §4.1, RFC 9931
 */
export function upgradeProblem(
  { method, httpVersion, upgrade }: RawRequest,
  headers: ReadonlyMap<string, string>,
  framing: Framing,
): Refusal | null {
  if (headers.get('upgrade')?.toLowerCase() !== 'websocket') return null; // never passed on, so that it means nothing
  if (upgrade === undefined || upgrade === null) return bad('an upgrade that the connection header does not name');
  if (method !== 'GET' || httpVersion !== '1.1') return bad('a WebSocket other than by GET in HTTP/1.1');
  if (framing.kind !== 'none') return bad('a WebSocket with a body');
  if (headers.get('expect') !== undefined) return bad('a WebSocket with an expectation');
  if (!connections.has(headers.get('connection')?.toLowerCase() ?? ''))
    return bad('a connection that is not just upgrade');
  if (headers.get('sec-websocket-version') !== '13') return bad('a version of WebSocket other than 13');
  if (!key.test(headers.get('sec-websocket-key') ?? '')) return bad('a key that is not 16 bytes in Base64');
  return upgrade.surplusBytes === 0 ? null : bad('bytes behind the head, before the answer');
}

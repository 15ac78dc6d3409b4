import { normalAddress } from '../base/address.js';
import type { Clock } from '../base/clock.js';
import { newDecisionId } from '../base/ids.js';
import type { RawRequest } from '../model/request.js';

/** The head of a stream, as HTTP/2 gave it: names and values alternating, pseudo-headers first. */
export interface StreamHead {
  readonly raw: readonly string[];
  readonly address: string | undefined;
}

/**
 * A call as the HTTP/1.1 request that it would be: so it goes through the gate that there is, and no rule about headers has a second version.
 *
 * @see RFC 9113 §8.3.1
 */
export function toRaw(
  { raw, address }: StreamHead,
  { body, place }: Pick<RawRequest, 'body' | 'place'>,
  clock: Clock,
): RawRequest {
  const receivedAtMs = clock.nowMs();
  const rawHeaders: string[] = [];
  let method = '';
  let target = '';
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    if (name === ':method') method = value;
    else if (name === ':path') target = value;
    else if (name === ':authority') rawHeaders.push('Host', value);
    else if (!name.startsWith(':')) rawHeaders.push(name, value);
  }
  return {
    id: newDecisionId(receivedAtMs),
    receivedAtMs,
    startedMs: clock.monotonicMs(),
    method,
    target,
    httpVersion: '1.1',
    rawHeaders,
    peerAddress: normalAddress(address),
    body,
    place,
  };
}

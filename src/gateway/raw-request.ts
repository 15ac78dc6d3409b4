import type { IncomingMessage } from 'node:http';
import { normalAddress } from '../base/address.js';
import type { Clock } from '../base/clock.js';
import { newDecisionId } from '../base/ids.js';
import type { RawRequest } from '../model/request.js';

/** What the parser read, nothing merged and nothing decoded. */
export const toRaw = (
  request: IncomingMessage,
  { body, place, upgrade }: Pick<RawRequest, 'body' | 'place' | 'upgrade'>,
  clock: Clock,
): RawRequest => {
  const receivedAtMs = clock.nowMs();
  return {
    id: newDecisionId(receivedAtMs),
    receivedAtMs,
    startedMs: clock.monotonicMs(),
    method: request.method ?? '',
    target: request.url ?? '',
    httpVersion: request.httpVersion,
    rawHeaders: request.rawHeaders,
    peerAddress: normalAddress(request.socket.remoteAddress),
    body,
    place,
    upgrade: upgrade ?? null,
  };
};

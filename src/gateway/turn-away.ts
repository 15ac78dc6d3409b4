import { refuse, type RefusalCode } from '../model/codes.js';
import type { RequestBody } from '../model/request.js';
import { problemText, retryAfterFaultS, statusOf } from './respond.js';
import type { RequestTurn } from './turn.js';

/**
 * Answers a request of which nothing was read, and closes its connection: nobody has judged where it ends. The client may well
 * come back on another one, elsewhere if there is an elsewhere.
 */
export async function turnAway(
  { request, response, id }: RequestTurn,
  code: RefusalCode,
  body: RequestBody,
): Promise<void> {
  const text = problemText(refuse(code, ''), id);
  response.writeHead(statusOf(code), [
    'Content-Type',
    'application/problem+json',
    'Content-Length',
    String(Buffer.byteLength(text)),
    'Cache-Control',
    'no-store',
    'X-Request-Id',
    id,
    'Retry-After',
    String(retryAfterFaultS),
    'Connection',
    'close',
  ]);
  if (body.isComplete) {
    response.end(request.method === 'HEAD' ? undefined : text);
    return;
  }
  response.write(request.method === 'HEAD' ? '' : text);
  await body.discard();
  response.end();
}

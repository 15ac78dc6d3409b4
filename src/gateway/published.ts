import type { ServerResponse } from 'node:http';
import type { Meter } from '../model/meter.js';
import type { RawRequest } from '../model/request.js';

/** What the gateway tells everybody about itself, by request target. There is nothing else that needs no credential. */
export type Published = ReadonlyMap<string, Buffer>;

/**
 * Answers a request for something published, before any stage: it holds nothing but configuration, and whoever asks has no credential yet.
 *
 * @returns false where it is a request like all others
 */
export function answerPublished(
  published: Published | null,
  { method, target, body, id }: RawRequest,
  { response, meter }: { readonly response: ServerResponse; readonly meter: Meter },
): boolean {
  if (published === null) return false;
  const isRead = (method === 'GET' || method === 'HEAD') && (body.framing === 'none' || body.length === 0);
  const text = isRead ? published.get(target) : undefined;
  if (text === undefined) return false;
  response.writeHead(200, [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(text.length),
    'Cache-Control',
    'public, max-age=300',
    'X-Content-Type-Options',
    'nosniff',
    'X-Request-Id',
    id,
  ]);
  response.end(method === 'HEAD' ? '' : text);
  meter.request({ method, route: 'published', status: 200, durationS: 0, code: null });
  return true;
}

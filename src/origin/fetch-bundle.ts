import { request as plainRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import { request as tlsRequest } from 'node:https';
import { no, ok, type Result } from '../base/result.js';

export interface FetchOptions {
  readonly url: string;
  /** Of the whole exchange; a long poll has its wait on top. */
  readonly timeoutMs: number;
  readonly maxBytes: number;
  /** How long the server may hold the question; 0 asks for an answer at once. */
  readonly waitMs: number;
  /** Of the bundle that is known. */
  readonly etag: string | null;
  readonly token: string | null;
}

export interface Fetched {
  /** Null when the server says that what is known is the latest. */
  readonly bundle: { readonly bytes: Buffer; readonly etag: string | null } | null;
  /** True when the server says that it takes questions that wait. */
  readonly takesLongPolls: boolean;
}

const etagMax = 1_024;
const longPollType = 'application/vnd.openpolicyagent.bundles';

/**
 * Asks a bundle server once. Redirects are not followed, and nothing of the answer's body is in any message.
 *
 * @see https://www.openpolicyagent.org/docs/management-bundles for the protocol
 */
export function fetchBundle(options: FetchOptions, signal: AbortSignal): Promise<Result<Fetched, string>> {
  const { url, timeoutMs, waitMs } = options;
  return new Promise((resolve) => {
    const request = url.startsWith('https:') ? tlsRequest : plainRequest;
    const call: ClientRequest = request(url, { method: 'GET', headers: headersOf(options), agent: false, signal });
    const settle = (answer: Result<Fetched, string>): void => {
      clearTimeout(late);
      resolve(answer);
      call.destroy();
    };
    // Nothing is left to an event of the connection: an exchange that ended in a way nobody expected must end here.
    const late = setTimeout(() => {
      settle(no('no whole answer in time'));
    }, timeoutMs + waitMs);
    call.on('error', (fault) => {
      settle(no(fault.message));
    });
    call.on('upgrade', (_response, socket) => {
      socket.destroy();
      settle(no('answered 101, and nobody asked for another protocol'));
    });
    call.on('response', (response) => {
      answerOf(response, options).then(settle, (thrown: unknown) => {
        settle(no(thrown instanceof Error ? thrown.message : 'the answer broke off'));
      });
    });
    call.end();
  });
}

const headersOf = ({ etag, token, waitMs }: FetchOptions): Record<string, string> => ({
  Accept: 'application/gzip, application/octet-stream, */*;q=0.1',
  'Accept-Encoding': 'identity',
  Prefer: waitMs > 0 ? `modes=snapshot;wait=${String(Math.ceil(waitMs / 1_000))}` : 'modes=snapshot',
  'User-Agent': 'memgate',
  ...(etag !== null && { 'If-None-Match': etag }),
  ...(token !== null && { Authorization: `Bearer ${token}` }),
});

async function answerOf(response: IncomingMessage, options: FetchOptions): Promise<Result<Fetched, string>> {
  const { statusCode = 0, headers } = response;
  const takesLongPolls = (headers['content-type'] ?? '').split(';')[0]?.trim() === longPollType;
  if (statusCode === 304 && options.etag !== null) {
    response.resume();
    return ok({ bundle: null, takesLongPolls });
  }
  if (statusCode !== 200) {
    response.resume();
    const redirected = statusCode >= 300 && statusCode < 400 && statusCode !== 304;
    return no(`answered ${String(statusCode)}${redirected ? '; redirects are not followed' : ''}`);
  }
  const encoding = headers['content-encoding'] ?? 'identity';
  if (encoding !== 'identity') return no(`answered with a content encoding; a bundle is sent as it is`);
  const bytes = await bodyOf(response, options.maxBytes);
  if (bytes === null) return no(`sent over ${String(options.maxBytes)} bytes`);
  const etag = headers.etag ?? null;
  return ok({ bundle: { bytes, etag: etag !== null && etag.length <= etagMax ? etag : null }, takesLongPolls });
}

async function bodyOf(response: IncomingMessage, max: number): Promise<Buffer | null> {
  if (Number(response.headers['content-length'] ?? 0) > max) return null;
  const parts: Buffer[] = [];
  let length = 0;
  for await (const part of response as AsyncIterable<Buffer>) {
    length += part.length;
    if (length > max) return null;
    parts.push(part);
  }
  if (!response.complete) throw new Error('the answer broke off');
  return Buffer.concat(parts);
}

import type { Duplex } from 'node:stream';
import type { RefusalCode } from '../model/codes.js';

export const statusLines: Partial<Record<RefusalCode, string>> = {
  'gate.headers-too-large': '431 Request Header Fields Too Large',
  'gate.timeout': '408 Request Timeout',
  'gate.body-too-large': '413 Content Too Large',
  'gate.malformed': '400 Bad Request',
};

/** Null for a connection that simply went away. */
export function clientErrorCode(code: string | undefined): RefusalCode | null {
  if (code === 'HPE_HEADER_OVERFLOW') return 'gate.headers-too-large';
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return 'gate.body-too-large';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'gate.timeout';
  return code?.startsWith('HPE_') === true ? 'gate.malformed' : null;
}

/** Fixed bytes, never anything of the request. */
export function endWith(socket: Duplex, status: string): void {
  const code = Number(status.slice(0, 3));
  const body = JSON.stringify({
    type: 'about:blank',
    title: status.slice(4),
    status: code,
    error: { code, message: status.slice(4), type: 'invalid_request_error' },
  });
  socket.on('error', () => undefined); // the peer may be gone already
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/problem+json\r\nContent-Length: ${String(body.length)}\r\nConnection: close\r\n\r\n${body}`,
  );
  setTimeout(() => socket.destroy(), 500).unref();
}

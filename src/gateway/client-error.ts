import type { Duplex } from 'node:stream';
import { refuse, type RefusalCode } from '../model/codes.js';
import { problemText, statusLine } from './respond.js';

/** How long a refused connection may take to read its answer, in ms. */
const lingerMs = 500;

/** Null for a connection that simply went away. */
export function clientErrorCode(code: string | undefined): RefusalCode | null {
  if (code === 'HPE_HEADER_OVERFLOW') return 'gate.headers-too-large';
  if (code === 'HPE_CHUNK_EXTENSIONS_OVERFLOW') return 'gate.body-too-large';
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') return 'gate.timeout';
  return code?.startsWith('HPE_') === true ? 'gate.malformed' : null;
}

/** Answers bytes that are no request, on the bare socket, and closes it. Nothing of them is repeated. */
export function endWith(socket: Duplex, code: RefusalCode, id: string): void {
  const body = problemText(refuse(code, 'not a request'), id);
  const head = [
    `HTTP/1.1 ${statusLine(code)}`,
    'Content-Type: application/problem+json',
    `Content-Length: ${String(Buffer.byteLength(body))}`,
    `X-Request-Id: ${id}`,
    'Connection: close',
  ];
  socket.on('error', () => undefined); // the peer may be gone already
  socket.end(`${head.join('\r\n')}\r\n\r\n${body}`);
  setTimeout(() => socket.destroy(), lingerMs).unref();
}

import type { Socket } from 'node:net';
import { Fault } from '../model/codes.js';

/**
 * undici's parser takes `HTTP/2.0 200` and `HTTP/0.9` as answers. Its request heads are written as text and its bodies as bytes,
 * so the first chunk read after a head must begin an HTTP/1 answer.
 */
export function guardVersion(socket: Socket): void {
  let awaitsHead = false;
  let begun = '';
  const write = socket.write.bind(socket) as (...args: unknown[]) => boolean;
  const read = socket.read.bind(socket);
  socket.write = (...args: unknown[]): boolean => {
    if (typeof args[0] === 'string' && args[0].includes(' HTTP/1.1\r\n')) {
      awaitsHead = true;
      begun = '';
    }
    return write(...args);
  };
  socket.read = (size?: number): unknown => {
    const chunk: unknown = read(size);
    if (!awaitsHead || !Buffer.isBuffer(chunk)) return chunk;
    begun += chunk.toString('latin1', 0, wanted.length - begun.length);
    awaitsHead = begun.length < wanted.length; // it may come in pieces
    if (isHttp1(begun)) return chunk;
    socket.destroy(new Fault('upstream.invalid', 'an answer that is not HTTP/1'));
    return null;
  };
}

const wanted = 'HTTP/1.1 ';

/** Whether text begins an HTTP/1.0 or HTTP/1.1 status line, as far as it goes. */
const isHttp1 = (begun: string): boolean => wanted.startsWith(begun) || 'HTTP/1.0 '.startsWith(begun);

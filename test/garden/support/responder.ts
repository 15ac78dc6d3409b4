import { createServer as createHttpServer, type Server as HttpServer } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { StrictReader } from '../../wire/support/strict-reader.js';
import type { Reading } from './reading.js';

/** Answers name the reading by this header. */
export const readingHeader = 'x-garden';

/** Readings by number, until somebody asks for them. */
export class Readings {
  readonly #kept = new Map<number, Reading>();
  #last = 0;

  keep(reading: Reading): number {
    this.#last += 1;
    this.#kept.set(this.#last, reading);
    return this.#last;
  }

  take(number: number): Reading | undefined {
    const reading = this.#kept.get(number);
    this.#kept.delete(number);
    return reading;
  }

  /** Readings whose answers reached nobody; asked once. */
  drained(): readonly Reading[] {
    const left = [...this.#kept.values()];
    this.#kept.clear();
    return left;
  }
}

export interface Responder {
  readonly server: Server | HttpServer;
  readonly readings: Readings;
  close(): Promise<void>;
}

const answerTo = (number: number): string => `HTTP/1.1 200 OK\r\nX-Garden: ${number}\r\nContent-Length: 0\r\n\r\n`;

/**
 * Stands behind a server that passes its reading on as HTTP/1.1. That keeps more of it than CGI's variables would: spelling
 * of names, and lines that stand twice.
 */
export function passedOn(): Responder {
  const readings = new Readings();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    const reader = new StrictReader({
      done: ({ method, target, headers, body }) =>
        void socket.write(answerTo(readings.keep({ method, target, headers, body }))),
      broken: (why) => {
        const unreadable = { method: 'unreadable', target: why, headers: [], body: Buffer.alloc(0) };
        socket.end(answerTo(readings.keep(unreadable)));
      },
    });
    socket
      .on('data', (bytes) => reader.push(bytes))
      .on('error', () => undefined) // the server may leave as it likes
      .on('close', () => sockets.delete(socket));
  });
  const close = async (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  };
  return { server, readings, close };
}

/** Node's own server tells its reading without a detour. */
export function readByNode(): Responder {
  const readings = new Readings();
  const server = createHttpServer(
    { maxHeaderSize: 65_536, keepAliveTimeout: 0, requestTimeout: 0, headersTimeout: 0 },
    (request, response) => {
      const { method = '', url: target = '', rawHeaders } = request;
      const headers: [string, string][] = [];
      for (let i = 0; i + 1 < rawHeaders.length; i += 2) headers.push([rawHeaders[i] ?? '', rawHeaders[i + 1] ?? '']);
      const parts: Buffer[] = [];
      request.on('data', (part: Buffer) => parts.push(part));
      request.on('error', () => undefined); // cut: it is no reading
      request.on('end', () => {
        const number = readings.keep({ method, target, headers, body: Buffer.concat(parts) });
        response.writeHead(200, { [readingHeader]: number, 'Content-Length': 0 }).end();
      });
    },
  );
  server.maxHeadersCount = 0;
  const close = async (): Promise<void> => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { server, readings, close };
}

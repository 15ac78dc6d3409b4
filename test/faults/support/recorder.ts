import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** One request head as it came in. */
export interface Arrival {
  /** Our id of the request; empty when there was none. */
  readonly id: string;
  readonly atMs: number;
  readonly head: string;
}

/** What the recorder does with a request. */
export type Behaviour = 'answer' | 'silent' | 'reset' | 'cut' | 'garbage';

/** A memory server that keeps what it was sent, and answers `{"ok":true}` unless told otherwise. */
export interface Recorder {
  readonly url: string;
  readonly arrivals: readonly Arrival[];
  /** Bytes of all connections in sum. */
  readonly bytes: number;
  behaviour: Behaviour;
  onArrival: ((arrival: Arrival) => void) | null;
  close(): Promise<void>;
}

const headEnd = Buffer.from('\r\n\r\n');
const streamForm = /^GET \/api\/v1\/monitoring\/events[? ]/;
const streamHead = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const eventChunk = 'b\r\ndata: 001\n\n\r\n';
const eventEveryMs = 500;
const answerText = 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"ok":true}';

interface RecorderOptions {
  /** False where so many requests come that nobody could keep them all: then only `onArrival` is told. */
  readonly keeps?: boolean;
}

class TcpRecorder implements Recorder {
  readonly arrivals: Arrival[] = [];
  readonly #keeps: boolean;
  behaviour: Behaviour = 'answer';
  onArrival: ((arrival: Arrival) => void) | null = null;
  bytes = 0;
  url = '';
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((socket) => {
    this.#take(socket);
  });

  constructor({ keeps = true }: RecorderOptions) {
    this.#keeps = keeps;
  }

  async open(): Promise<this> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening');
    this.url = `http://127.0.0.1:${String((this.#server.address() as AddressInfo).port)}`;
    return this;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #take(socket: Socket): void {
    this.#sockets.add(socket);
    socket.setNoDelay(true).on('error', () => socket.destroy());
    socket.on('close', () => this.#sockets.delete(socket));
    let rest: Buffer = Buffer.alloc(0);
    let owed = 0; // bytes of the body that are still to come
    socket.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
      rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      for (;;) {
        const skipped = Math.min(owed, rest.length);
        rest = rest.subarray(skipped);
        owed -= skipped;
        const end = owed > 0 ? -1 : rest.indexOf(headEnd);
        if (end < 0) return;
        const head = rest.toString('latin1', 0, end);
        rest = rest.subarray(end + headEnd.length);
        owed = Number(/^content-length: (\d+)$/im.exec(head)?.[1] ?? 0);
        this.#arrived(head, socket);
      }
    });
  }

  /** Events until the reader leaves. */
  #stream(socket: Socket): void {
    if (socket.destroyed) return; // what came late; nothing would end the events
    socket.write(streamHead);
    const timer = setInterval(() => socket.write(eventChunk), eventEveryMs);
    socket.once('close', () => {
      clearInterval(timer);
    });
  }

  #arrived(head: string, socket: Socket): void {
    const id = /^x-request-id: (\S+)$/im.exec(head)?.[1] ?? '';
    const arrival = { id, atMs: Date.now(), head };
    // The probes of the gateway ask for the server's health; those are no requests of a caller.
    if (!head.startsWith('GET /health/alive ')) {
      if (this.#keeps) this.arrivals.push(arrival);
      this.onArrival?.(arrival);
    }
    if (this.behaviour === 'answer' && streamForm.test(head)) this.#stream(socket);
    else if (this.behaviour === 'answer') socket.write(answerText);
    else if (this.behaviour === 'reset') socket.resetAndDestroy();
    else if (this.behaviour === 'cut') socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"half":');
    else if (this.behaviour === 'garbage') socket.end('HTTP/2.0 200 OK\r\nContent-Length: 2\r\n\r\nno');
  }
}

/** Opens a recorder on a free port of loopback. */
export const openRecorder = (options: RecorderOptions = {}): Promise<Recorder> => new TcpRecorder(options).open();

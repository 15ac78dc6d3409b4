import { createServer, type Server, type Socket } from 'node:net';
import { StrictReader, type ReadRequest } from './strict-reader.js';

/** A request that reached the upstream. */
export interface RecordedRequest extends ReadRequest {
  readonly connection: number;
  /** Value of the only `X-Request-Id`; empty when there is none. */
  readonly id: string;
  /** Whether the log on disk already held the decision when the head arrived; null when nobody was asked. */
  readonly wasRecorded: boolean | null;
  readonly atMs: number;
}

/** What a script may do with the connection of a request. */
export interface Reply {
  readonly socket: Socket;
  write(bytes: string | Buffer): void;
  end(bytes?: string | Buffer): void;
  /** RST instead of FIN. */
  reset(): void;
  /** From now on the bytes of this connection are no requests: it speaks another protocol. */
  takeOver(take: (bytes: Buffer) => void): void;
  /** Resolves when the connection is closed. */
  readonly gone: Promise<void>;
}

type Turn = (request: RecordedRequest, reply: Reply) => unknown;

export interface Script {
  connection?(reply: Reply): unknown;
  /** The head is here; the body may still be coming. */
  head?: Turn;
  /** The request is whole. Without it the usual answer is given. */
  request?: Turn;
}

/** Where the recorder stood. */
export interface RecorderMark {
  readonly requests: number;
  readonly chunks: number;
  readonly broken: number;
}

export const usualAnswer = 'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}';

/** Ready-made turns. */
export const answers = {
  usual: (_: RecordedRequest, reply: Reply) => reply.write(usualAnswer),
  never: () => undefined,
  /** These bytes, and the connection stays open. */
  raw:
    (bytes: string | Buffer): Turn =>
    (_, reply) =>
      reply.write(bytes),
  /** These bytes, then FIN. */
  rawThenEnd:
    (bytes: string | Buffer): Turn =>
    (_, reply) =>
      reply.end(bytes),
  /** These bytes, then RST a moment later, so that they are not lost with it. */
  rawThenReset:
    (bytes: string | Buffer, afterMs = 50): Turn =>
    (_, reply) => {
      reply.write(bytes);
      setTimeout(() => reply.reset(), afterMs);
    },
  reset: (_: RecordedRequest, reply: Reply) => reply.reset(),
  delayed:
    (ms: number): Turn =>
    (_, reply) => {
      setTimeout(() => reply.write(usualAnswer), ms);
    },
} as const;

const bytesKeptMax = 64 * 1_048_576;

/** U: an upstream of raw TCP that stores every byte and answers what a script says. */
export class Recorder {
  readonly requests: RecordedRequest[] = [];
  /** Ids of all requests whose head has arrived, whether or not the rest came. */
  readonly begun = new Set<string>();
  /** Connections that said something which is not HTTP/1.1 to the letter. */
  readonly broken: { readonly connection: number; readonly why: string }[] = [];
  readonly #chunks: { readonly connection: number; readonly bytes: Buffer }[] = [];
  readonly #sockets = new Set<Socket>();
  readonly #waiting = new Set<() => void>();
  #script: Script = {};
  #server: Server | null = null;
  #connections = 0;
  #kept = 0;
  port = 0;
  /** Bytes that have arrived in all, kept or not. */
  received = 0;
  /** Asked at each head: is the decision of this id on disk? */
  isRecorded: ((id: string) => boolean) | null = null;

  static async start(): Promise<Recorder> {
    const recorder = new Recorder();
    await recorder.resume();
    return recorder;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  get openConnections(): number {
    return this.#sockets.size;
  }

  /** Connections since the start. */
  get connections(): number {
    return this.#connections;
  }

  /** Replaces the script; `{}` is the usual answer to everything. */
  script(script: Script): void {
    this.#script = script;
  }

  mark(): RecorderMark {
    return { requests: this.requests.length, chunks: this.#chunks.length, broken: this.broken.length };
  }

  requestsSince(mark: RecorderMark): readonly RecordedRequest[] {
    return this.requests.slice(mark.requests);
  }

  bytesSince(mark: RecorderMark): Buffer {
    return Buffer.concat(this.#chunks.slice(mark.chunks).map(({ bytes }) => bytes));
  }

  /** The same, connection by connection. */
  streamsSince(mark: RecorderMark): ReadonlyMap<number, Buffer> {
    const lists = new Map<number, Buffer[]>();
    for (const { connection, bytes } of this.#chunks.slice(mark.chunks)) {
      lists.set(connection, [...(lists.get(connection) ?? []), bytes]);
    }
    return new Map([...lists].map(([connection, list]) => [connection, Buffer.concat(list)]));
  }

  /** Waits until `test` holds, looking again whenever something arrives or a connection ends. */
  async until(test: () => boolean, timeoutMs = 3_000): Promise<void> {
    if (test()) return;
    await new Promise<void>((resolve, reject) => {
      const look = (): void => {
        if (!test()) return;
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(look);
        reject(new Error(`the recorder waited ${timeoutMs} ms in vain`));
      }, timeoutMs);
      this.#waiting.add(look);
    });
  }

  /** From now on connections are refused, and open ones are cut. */
  async pause(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    for (const socket of this.#sockets) socket.destroy();
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  /** Takes connections, on the same port as before. */
  async resume(): Promise<void> {
    const server = createServer((socket) => this.#opened(socket));
    this.#server = server;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ host: '127.0.0.1', port: this.port }, resolve);
    });
    const address = server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  #opened(socket: Socket): void {
    const connection = (this.#connections += 1);
    this.#sockets.add(socket);
    const gone = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    let taker: ((bytes: Buffer) => void) | null = null;
    const reply: Reply = {
      socket,
      gone,
      takeOver: (take) => (taker = take),
      write: (bytes) => void socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
      end: (bytes = '') => void socket.end(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes),
      reset: () => void socket.resetAndDestroy(),
    };
    const known = new Map<ReadRequest['headers'], boolean | null>();
    const recorded = (request: ReadRequest): RecordedRequest => {
      const ids = request.values('x-request-id');
      const id = ids.length === 1 ? (ids[0] ?? '') : '';
      if (!known.has(request.headers))
        known.set(request.headers, this.isRecorded === null ? null : this.isRecorded(id));
      return { ...request, connection, id, wasRecorded: known.get(request.headers) ?? null, atMs: performance.now() };
    };
    const reader = new StrictReader({
      head: (request) => {
        const head = recorded(request);
        this.begun.add(head.id);
        this.#script.head?.(head, reply);
      },
      done: (request) => {
        const whole = recorded(request);
        this.requests.push(whole);
        (this.#script.request ?? answers.usual)(whole, reply);
      },
      broken: (why) => {
        this.broken.push({ connection, why });
        socket.destroy();
      },
    });
    this.#script.connection?.(reply);
    socket.on('data', (bytes) => {
      this.received += bytes.length;
      this.#kept += bytes.length;
      if (this.#kept <= bytesKeptMax) this.#chunks.push({ connection, bytes });
      if (taker === null) reader.push(bytes);
      else taker(bytes);
      this.#look();
    });
    socket.on('error', () => undefined); // the other side may leave as it likes
    socket.on('close', () => {
      this.#sockets.delete(socket);
      this.#look();
    });
  }

  #look(): void {
    for (const look of this.#waiting) look();
  }
}

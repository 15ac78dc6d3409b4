import { connect, type Socket } from 'node:net';
import type { Reading } from './reading.js';
import { readingHeader } from './responder.js';
import type { ReferenceServer } from './servers.js';

/** A reading, or why there is none. */
export type Heard = Reading | string;

/** One connection to one reference server, and what that has read on it, in order. */
export class Asked {
  readonly server: ReferenceServer;
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #heard: Reading[] = [];
  readonly #waiting = new Set<() => void>();
  #rest = Buffer.alloc(0);
  #over: string | null = null;

  constructor(server: ReferenceServer) {
    this.server = server;
    this.#socket = connect(server.at);
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (bytes) => this.#read(bytes)).on('error', () => undefined); // its close says it
    this.closed = new Promise((resolve) => {
      this.#socket.on('close', () => {
        this.#end('it closed the connection');
        resolve();
      });
    });
  }

  get heard(): readonly Reading[] {
    return this.#heard;
  }

  /** Why nothing more will be read on this connection; null while more may come. */
  get over(): string | null {
    return this.#over;
  }

  write(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes);
  }

  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }

  /** What it has read as the request of this number on the connection. */
  async reading(at: number, timeoutMs: number): Promise<Heard> {
    if (!(await this.#until(() => this.#heard.length > at || this.#over !== null, timeoutMs)))
      return `no answer within ${timeoutMs} ms`;
    return this.#heard[at] ?? this.#over ?? 'nothing';
  }

  #until(test: () => boolean, timeoutMs: number): Promise<boolean> {
    if (test()) return Promise.resolve(true);
    return new Promise((resolve) => {
      const settle = (held: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(held);
      };
      const look = (): void => {
        if (test()) settle(true);
      };
      const timer = setTimeout(() => settle(false), timeoutMs);
      this.#waiting.add(look);
    });
  }

  #end(why: string): void {
    this.#over ??= why;
    for (const look of [...this.#waiting]) look();
  }

  #read(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? Buffer.from(bytes) : Buffer.concat([this.#rest, bytes]);
    for (
      let end = this.#rest.indexOf('\r\n\r\n');
      end >= 0 && this.#over === null;
      end = this.#rest.indexOf('\r\n\r\n')
    ) {
      this.#take(this.#rest.toString('latin1', 0, end));
      this.#rest = this.#rest.subarray(end + 4);
    }
    for (const look of [...this.#waiting]) look();
  }

  /** Answers of ours have no body; an answer that is not ours is the server's own refusal, and its last word. */
  #take(head: string): void {
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(head)?.[1] ?? 0);
    if (status >= 100 && status < 200) return;
    const number = new RegExp(`^${readingHeader}: (\\d+)`, 'im').exec(head)?.[1];
    const reading = number === undefined ? undefined : this.server.readings.take(Number(number));
    if (reading !== undefined) this.#heard.push(reading);
    else this.#end(`it answered ${status} by itself`);
  }
}

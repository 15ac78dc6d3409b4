import { once, setMaxListeners } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { Flow, noFaults, type Faults } from './fault-flow.js';

/** A TCP proxy that does to every connection what networks and peers do at their worst. */
export interface FaultProxy {
  readonly host: string;
  readonly port: number;
  readonly url: string;
  /** Connections that are open now. */
  readonly open: number;
  /** From now on, for connections that are open as well. What is not named stays. */
  set(faults: Partial<Faults>): void;
  /** No faults any more: what was held back goes on its way. */
  heal(): void;
  /** Resets every open connection on both sides. @returns how many */
  resetAll(): number;
  /** Refuses connections, and resets the open ones, until `up` is called. */
  down(): Promise<void>;
  up(): Promise<void>;
  close(): Promise<void>;
}

interface Pair {
  readonly client: Socket;
  readonly server: Socket;
}

class Proxy implements FaultProxy {
  readonly host = '127.0.0.1';
  port = 0;
  readonly #target: { host: string; port: number };
  readonly #pairs = new Set<Pair>();
  #faults: Faults = noFaults;
  #server: Server | null = null;
  #changed = new AbortController();

  constructor(target: URL) {
    this.#target = { host: target.hostname, port: Number(target.port) };
  }

  get url(): string {
    return `http://${this.host}:${this.port}`;
  }

  get open(): number {
    return this.#pairs.size;
  }

  set(faults: Partial<Faults>): void {
    this.#faults = { ...this.#faults, ...faults };
    this.#changed.abort();
    this.#changed = new AbortController();
    setMaxListeners(0, this.#changed.signal); // both ways of every connection listen
  }

  heal(): void {
    this.set(noFaults);
  }

  resetAll(): number {
    const count = this.#pairs.size;
    for (const pair of this.#pairs) this.#reset(pair);
    return count;
  }

  async up(): Promise<void> {
    if (this.#server !== null) return;
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      this.#take(client);
    });
    await once(server.listen(this.port, this.host, 4_096), 'listening');
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  async down(): Promise<void> {
    const server = this.#server;
    this.#server = null;
    const closed = server === null ? null : new Promise((resolve) => server.close(resolve));
    this.resetAll();
    await closed;
  }

  close(): Promise<void> {
    return this.down();
  }

  #take(client: Socket): void {
    const server = connect({ ...this.#target, allowHalfOpen: true, noDelay: true });
    const pair = { client, server };
    this.#pairs.add(pair);
    const rules = {
      faults: () => this.#faults,
      changed: () => this.#changed.signal,
      reset: () => {
        this.#reset(pair);
      },
    };
    for (const [from, to, direction] of [
      [client, server, 'toServer'],
      [server, client, 'toClient'],
    ] as const) {
      from.on('error', () => {
        this.#reset(pair);
      });
      from.on('close', () => {
        if (client.destroyed && server.destroyed) this.#pairs.delete(pair);
      });
      new Flow({ from, to, direction }, rules).run();
    }
  }

  #reset({ client, server }: Pair): void {
    for (const socket of [client, server]) {
      // Node cannot reset a socket that is being closed for writing: its handle stays, and the process never ends.
      if (socket.connecting || socket.writableEnded) socket.destroy();
      else socket.resetAndDestroy();
    }
  }
}

/** Opens a fault proxy in front of `target` on a free port of loopback. It passes everything on until told otherwise. */
export async function openFaultProxy(target: URL | string): Promise<FaultProxy> {
  const proxy = new Proxy(new URL(target));
  await proxy.up();
  return proxy;
}

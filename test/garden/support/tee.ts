import { createServer, type Server, type Socket } from 'node:net';
import type { Finding, Forwarded } from './finding.js';
import type { ReferenceServer } from './servers.js';
import { TeeConnection } from './tee-connection.js';

/**
 * The upstream of the gateway under test. Passes every byte on to all reference servers, connection by connection, and answers
 * a request when all of them have told what they read. One gateway and four readers of the same bytes: four gateways would
 * have written four different requests, by ids and times.
 */
export class Tee {
  readonly findings: Finding[] = [];
  readonly #servers: readonly ReferenceServer[];
  readonly #sockets = new Set<Socket>();
  readonly #unfinished = new Set<Promise<void>>();
  readonly #onForwarded: (forwarded: Forwarded) => void;
  #server: Server | null = null;
  readonly #bad = new Set<number>();
  #numbers = 0;
  port = 0;
  /** Requests that arrived whole. */
  requests = 0;

  constructor(servers: readonly ReferenceServer[], onForwarded: (forwarded: Forwarded) => void) {
    this.#servers = servers;
    this.#onForwarded = onForwarded;
  }

  async start(): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, (socket) => this.#opened(socket));
    this.#server = server;
    await new Promise<void>((resolve) => server.listen({ host: '127.0.0.1', port: 0 }, resolve));
    const address = server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  isBad(number: number): boolean {
    return this.#bad.has(number);
  }

  /** Waits for the last word of every connection that has ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#unfinished);
  }

  async close(): Promise<void> {
    const server = this.#server;
    for (const socket of this.#sockets) socket.destroy();
    await this.settled();
    if (server !== null) await new Promise((resolve) => server.close(resolve));
  }

  #opened(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    const connection = new TeeConnection(socket, this.#servers, {
      nextNumber: () => (this.#numbers += 1),
      forwarded: (forwarded) => {
        this.requests += 1;
        this.#onForwarded(forwarded);
      },
      found: (finding) => {
        this.findings.push(finding);
        if (finding.number !== null) this.#bad.add(finding.number);
      },
    });
    const finished = connection.finished.finally(() => this.#unfinished.delete(finished));
    this.#unfinished.add(finished);
  }
}

import { connect, createServer, type Server, type Socket } from 'node:net';

/** A gateway that decides nothing and passes every byte on: what the garden says of it shows that the garden can say something. */
export class Pipe {
  readonly #sockets = new Set<Socket>();
  readonly #server: Server;
  port = 0;

  constructor(upstreamPort: number) {
    this.#server = createServer((socket) => {
      const upstream = connect({ host: '127.0.0.1', port: upstreamPort });
      for (const one of [socket, upstream]) {
        this.#sockets.add(one);
        one.on('error', () => undefined).on('close', () => this.#sockets.delete(one)); // either side may leave as it likes
      }
      socket.pipe(upstream);
      upstream.pipe(socket);
      socket.on('close', () => upstream.destroy());
    });
  }

  async start(): Promise<void> {
    await new Promise<void>((resolve) => this.#server.listen({ host: '127.0.0.1', port: 0 }, resolve));
    const address = this.#server.address();
    this.port = typeof address === 'object' && address !== null ? address.port : 0;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}

import type { Socket } from 'node:net';

interface Standing {
  readonly written: number;
  readonly queued: number;
  readonly sinceMs: number;
}

/** What Node's own socket timeout looks at as well: it shrinks with every byte that the kernel takes, `writableLength` only with whole writes. */
interface Handle {
  readonly writeQueueSize?: number;
}

const queuedOf = (socket: Socket): number =>
  (socket as Socket & { readonly _handle?: Handle | null })._handle?.writeQueueSize ?? socket.writableLength;

/**
 * Clients that take nothing of their answer. Each holds a connection to the memory server until its answer is out, so a few
 * hundred of them would stop everybody else until the deadline of their requests.
 */
export class StalledReaders {
  readonly #timeoutMs: number;
  readonly #known = new WeakMap<Socket, Standing>();

  constructor(timeoutMs: number) {
    this.#timeoutMs = timeoutMs;
  }

  /** Cuts those on which nothing has moved for too long. Called now and then, so that no answer pays for a timer of its own. */
  look(sockets: Iterable<Socket>, nowMs: number): void {
    for (const socket of sockets) if (socket.writableLength > 0) this.#lookAt(socket, nowMs);
  }

  #lookAt(socket: Socket, nowMs: number): void {
    const known = this.#known.get(socket);
    const { bytesWritten: written } = socket;
    const queued = queuedOf(socket);
    if (known === undefined || known.written !== written || known.queued !== queued)
      this.#known.set(socket, { written, queued, sinceMs: nowMs });
    else if (nowMs - known.sinceMs >= this.#timeoutMs) socket.destroy();
  }
}

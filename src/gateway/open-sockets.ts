import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { addressGroup, normalAddress } from '../base/address.js';
import type { Meter } from '../model/meter.js';

/** What happens on a connection when it is its turn: a request, or bytes that are none. */
export interface Turn {
  /** Null for bytes that are no request. */
  readonly request: IncomingMessage | null;
  begin(): void;
}

interface Line {
  current: Turn | null;
  waiting: Turn[];
}

/** Requests that a client may send before the first is answered; nobody needs to. */
const waitingMax = 64;

/**
 * Open connections by address, and the line of requests on each. The next one is not looked at before the one in front is answered,
 * and never when its answer closed the connection: what was refused may have meant the bytes behind it otherwise than we read them.
 */
export class OpenSockets {
  readonly #perAddressMax: number;
  readonly #meter: Meter;
  readonly #byAddress = new Map<string, number>();
  readonly #lines = new Map<Socket, Line>();

  constructor(perAddressMax: number, meter: Meter) {
    this.#perAddressMax = perAddressMax;
    this.#meter = meter;
  }

  get size(): number {
    return this.#lines.size;
  }

  all(): Iterable<Socket> {
    return this.#lines.keys();
  }

  opened(socket: Socket): void {
    const group = addressGroup(normalAddress(socket.remoteAddress));
    const open = this.#byAddress.get(group) ?? 0;
    if (open >= this.#perAddressMax) {
      this.#meter.connectionRefused('address');
      socket.destroy();
      return;
    }
    this.#byAddress.set(group, open + 1);
    this.#lines.set(socket, { current: null, waiting: [] });
    socket.on('close', () => {
      this.#lines.delete(socket);
      const left = (this.#byAddress.get(group) ?? 1) - 1;
      if (left === 0) this.#byAddress.delete(group);
      else this.#byAddress.set(group, left);
    });
  }

  /** Begins at once where nothing is under way, else when everything in front is answered. */
  queue(socket: Socket, turn: Turn): void {
    const line = this.#lines.get(socket);
    if (line === undefined) return; // refused or gone
    if (line.current === null) {
      line.current = turn;
      turn.begin();
    } else if (line.waiting.length < waitingMax) {
      line.waiting.push(turn);
    } else {
      socket.destroy();
    }
  }

  /** The same for bytes that are no request; a waiting request whose body they were is given up for them. */
  queueBroken(socket: Socket, turn: Turn): void {
    const waiting = this.#lines.get(socket)?.waiting;
    if (waiting?.at(-1)?.request?.complete === false) waiting.pop();
    this.queue(socket, turn);
  }

  /** The turn that is under way. */
  current(socket: Socket): Turn | null {
    return this.#lines.get(socket)?.current ?? null;
  }

  /** Nothing is under way, so that closing it cuts no answer. */
  isQuiet(socket: Socket): boolean {
    return this.#lines.get(socket)?.current === null;
  }

  isWaiting(socket: Socket): boolean {
    return (this.#lines.get(socket)?.waiting.length ?? 0) > 0;
  }

  ended(socket: Socket): void {
    const line = this.#lines.get(socket);
    if (line === undefined) return;
    line.current = socket.writable ? (line.waiting.shift() ?? null) : null;
    line.current?.begin();
  }
}

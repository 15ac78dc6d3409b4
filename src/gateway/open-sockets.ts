import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { addressGroup, normalAddress } from '../base/address.js';
import type { Meter } from '../model/meter.js';
import type { Share } from '../model/place.js';

/** What happens on a connection when it is its turn: a request, or bytes that are none. */
export interface Turn {
  /** Null for bytes that are no request. */
  readonly request: IncomingMessage | null;
  /** @param share of the address that the connection comes from */
  begin(share: Share): void;
}

export interface SocketLimits {
  readonly maxConnectionsPerAddress: number;
  /** Requests that a client may send before the first is answered; nobody needs to. */
  readonly maxPipelinedPerConnection: number;
  /** The same for all connections together. */
  readonly maxPipelined: number;
}

/** What is open from one address. */
interface Group extends Share {
  open: number;
}

interface Line {
  readonly group: Group;
  current: Turn | null;
  waiting: Turn[];
}

/**
 * Open connections by address, and the line of requests on each. The next one is not looked at before the one in front is answered,
 * and never when its answer closed the connection: what was refused may have meant the bytes behind it otherwise than we read them.
 */
export class OpenSockets {
  readonly #limits: SocketLimits;
  readonly #meter: Meter;
  readonly #byAddress = new Map<string, Group>();
  readonly #lines = new Map<Socket, Line>();
  #waiting = 0;

  constructor(limits: SocketLimits, meter: Meter) {
    this.#limits = limits;
    this.#meter = meter;
  }

  get size(): number {
    return this.#lines.size;
  }

  all(): Iterable<Socket> {
    return this.#lines.keys();
  }

  opened(socket: Socket): void {
    const address = addressGroup(normalAddress(socket.remoteAddress));
    const group = this.#byAddress.get(address) ?? { open: 0, held: 0 };
    if (group.open >= this.#limits.maxConnectionsPerAddress) {
      this.#meter.connectionRefused('address');
      socket.destroy();
      return;
    }
    group.open += 1;
    this.#byAddress.set(address, group);
    const line: Line = { group, current: null, waiting: [] };
    this.#lines.set(socket, line);
    socket.on('close', () => {
      this.#lines.delete(socket);
      this.#waiting -= line.waiting.length;
      group.open -= 1;
      if (group.open === 0) this.#byAddress.delete(address);
    });
  }

  /** Begins at once where nothing is under way, else when everything in front is answered. */
  queue(socket: Socket, turn: Turn): void {
    const line = this.#lines.get(socket);
    if (line === undefined) return; // refused or gone
    if (line.current === null) {
      line.current = turn;
      turn.begin(line.group);
    } else if (this.#hasRoom(line)) {
      line.waiting.push(turn);
      this.#waiting += 1;
    } else {
      this.#meter.connectionRefused('pipelined');
      socket.destroy();
    }
  }

  /** The same for bytes that are no request; a waiting request whose body they were is given up for them. */
  queueBroken(socket: Socket, turn: Turn): void {
    const waiting = this.#lines.get(socket)?.waiting;
    if (waiting?.at(-1)?.request?.complete === false) {
      waiting.pop();
      this.#waiting -= 1;
    }
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
    if (line.current === null) return;
    this.#waiting -= 1;
    line.current.begin(line.group);
  }

  #hasRoom({ waiting }: Line): boolean {
    const { maxPipelinedPerConnection, maxPipelined } = this.#limits;
    return waiting.length < maxPipelinedPerConnection && this.#waiting < maxPipelined;
  }
}

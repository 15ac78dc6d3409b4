import type { Fault } from '../model/codes.js';
import type { Call } from './call.js';
import { Connection, type ConnectionOwner } from './connection.js';
import { originOf } from './origin.js';
import type { Pieces } from './pieces.js';
import type { UpstreamOptions } from './port.js';
import type { Ticks } from './ticks.js';

export type PoolOptions = Pick<UpstreamOptions, 'origin' | 'connections' | 'connectTimeoutMs' | 'headersTimeoutMs'>;

/** What all pools of one client have in common. */
export interface PoolPorts {
  readonly ticks: Ticks;
  /** Where all connections read. */
  readonly readBuffer: Buffer;
  readonly pieces: Pieces;
}

export interface PoolStats {
  readonly connected: number;
  readonly pending: number;
  readonly running: number;
}

/** Connections to one upstream and the calls that wait until theirs is made or read to its end. The connection that rested last is used first. */
export class Pool implements ConnectionOwner {
  readonly #options: PoolOptions;
  readonly #ports: PoolPorts;
  readonly #address: { readonly host: string; readonly port: number };
  /** No Set: while one shrinks and grows, V8 chains its former tables to the new one, and with them every call they held. */
  readonly #waiting: Call[] = [];
  readonly #all = new Set<Connection>();
  readonly #free: Connection[] = [];
  readonly #connecting = new Set<Connection>();
  #isDue = false;
  /** So many of those who wait were there before the event loop polled. */
  #ripe = 0;

  constructor(options: PoolOptions, ports: PoolPorts) {
    const { host, port } = originOf(options.origin);
    this.#options = options;
    this.#ports = ports;
    this.#address = { host, port };
  }

  /** As many calls as there may be connections, at most. */
  take(call: Call): void {
    this.#waiting.push(call);
    this.#assignSoon();
  }

  get isEmpty(): boolean {
    return this.#all.size === 0 && this.#waiting.length === 0;
  }

  stats(): PoolStats {
    const connected = this.#all.size - this.#connecting.size;
    return { connected, pending: this.#waiting.length, running: connected - this.#free.length };
  }

  /** Looks whether times are over. */
  look(): void {
    for (const connection of this.#all) connection.look();
  }

  /** Gives the connections back that carry nothing. */
  rest(): void {
    for (const connection of [...this.#free]) connection.close();
  }

  /** @param why a fault for each: who is told notes on it how far its request had come */
  close(why: () => Fault): void {
    for (const call of [...this.#waiting]) call.fail(why());
    for (const connection of [...this.#all]) connection.end(why());
  }

  drop(call: Call): void {
    const at = this.#waiting.indexOf(call);
    if (at < 0) return;
    this.#waiting.splice(at, 1);
    if (at < this.#ripe) this.#ripe -= 1;
  }

  free(connection: Connection): void {
    this.#connecting.delete(connection);
    this.#free.push(connection);
    if (this.#waiting.length > 0) this.#assignSoon();
  }

  gone(connection: Connection): void {
    this.#all.delete(connection);
    this.#connecting.delete(connection);
    const at = this.#free.indexOf(connection);
    if (at >= 0) this.#free.splice(at, 1);
    if (this.#waiting.length > 0) this.#assignSoon();
  }

  /** Each vain attempt is told to one of those who wait: the rest may have more luck, or be served by a connection that there is. */
  unconnected(fault: Fault): void {
    this.#waiting[0]?.fail(fault);
  }

  /**
   * Two turns later, so that the event loop has polled once after the request was there: whatever had come over a resting connection until then was read,
   * and has closed it. Nothing that was there before a request is taken for its answer, and few requests meet a server that has just hung up.
   */
  #assignSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    setImmediate(this.#assignNext);
  }

  /** Who comes between the two turns waits for the poll of its own. */
  readonly #assignNext = (): void => {
    this.#ripe = this.#waiting.length;
    setImmediate(this.#assign);
  };

  readonly #assign = (): void => {
    while (this.#ripe > 0) {
      const connection = this.#free.pop();
      if (connection === undefined) break;
      this.#ripe -= 1;
      const call = this.#waiting.shift();
      if (call !== undefined) connection.carry(call);
    }
    const { connections } = this.#options;
    while (this.#connecting.size < this.#waiting.length - this.#free.length && this.#all.size < connections)
      this.#open();
    this.#isDue = this.#waiting.length > 0 && this.#free.length > 0;
    if (this.#isDue) this.#assignNext();
  };

  #open(): void {
    const { connectTimeoutMs, headersTimeoutMs } = this.#options;
    const connection = new Connection({
      ...this.#address,
      connectTimeoutMs,
      headersTimeoutMs,
      ...this.#ports,
      owner: this,
    });
    this.#all.add(connection);
    this.#connecting.add(connection);
  }
}

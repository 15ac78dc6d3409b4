import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { addressGroup, normalAddress } from '../base/address.js';
import type { Meter } from '../model/meter.js';

export interface Running {
  readonly id: string;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Open connections by address, and the requests that run on each. */
export class OpenSockets {
  readonly #perAddressMax: number;
  readonly #meter: Meter;
  readonly #byAddress = new Map<string, number>();
  readonly #running = new Map<Socket, Set<Running>>();

  constructor(perAddressMax: number, meter: Meter) {
    this.#perAddressMax = perAddressMax;
    this.#meter = meter;
  }

  get size(): number {
    return this.#running.size;
  }

  running(socket: Socket): readonly Running[] {
    return [...(this.#running.get(socket) ?? [])];
  }

  all(): Iterable<Socket> {
    return this.#running.keys();
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
    this.#running.set(socket, new Set());
    socket.on('close', () => {
      this.#running.delete(socket);
      const left = (this.#byAddress.get(group) ?? 1) - 1;
      if (left === 0) this.#byAddress.delete(group);
      else this.#byAddress.set(group, left);
    });
  }

  began(one: Running): void {
    this.#running.get(one.request.socket)?.add(one);
  }

  ended(one: Running): void {
    this.#running.get(one.request.socket)?.delete(one);
  }
}

import type { Socket } from 'node:net';
import { addressGroup, normalAddress } from '../base/address.js';
import type { Meter } from '../model/meter.js';

/** Open connections by address, and how many requests run on each. */
export class OpenSockets {
  readonly #perAddressMax: number;
  readonly #meter: Meter;
  readonly #byAddress = new Map<string, number>();
  readonly #running = new Map<Socket, number>();

  constructor(perAddressMax: number, meter: Meter) {
    this.#perAddressMax = perAddressMax;
    this.#meter = meter;
  }

  get size(): number {
    return this.#running.size;
  }

  running(socket: Socket): number {
    return this.#running.get(socket) ?? 0;
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
    this.#running.set(socket, 0);
    socket.on('close', () => {
      this.#running.delete(socket);
      const left = (this.#byAddress.get(group) ?? 1) - 1;
      if (left === 0) this.#byAddress.delete(group);
      else this.#byAddress.set(group, left);
    });
  }

  began(socket: Socket): void {
    const running = this.#running.get(socket);
    if (running !== undefined) this.#running.set(socket, running + 1);
  }

  ended(socket: Socket): void {
    const running = this.#running.get(socket);
    if (running !== undefined) this.#running.set(socket, running - 1);
  }
}

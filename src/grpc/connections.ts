import type { ServerHttp2Session } from 'node:http2';
import { addressGroup, normalAddress } from '../base/address.js';
import type { Meter } from '../model/meter.js';
import type { Share } from '../model/place.js';

export interface ConnectionLimits {
  readonly maxConnectionsPerAddress: number;
  readonly maxResetsPerMinute: number;
}

/** What is open from one address. */
interface Group extends Share {
  open: number;
}

interface Connection {
  readonly group: Group;
  resetsLeft: number;
  refilledMs: number;
}

const minuteMs = 60_000;
/** Of the resets of a minute so many may come at once. */
const burstPart = 1 / 3;

/** Open connections by address, and how often the client of each has broken off what it began. */
export class Connections {
  readonly #limits: ConnectionLimits;
  readonly #meter: Meter;
  readonly #burst: number;
  readonly #byAddress = new Map<string, Group>();
  readonly #open = new Map<ServerHttp2Session, Connection>();

  constructor(limits: ConnectionLimits, meter: Meter) {
    this.#limits = limits;
    this.#meter = meter;
    this.#burst = Math.max(1, Math.floor(limits.maxResetsPerMinute * burstPart));
  }

  get size(): number {
    return this.#open.size;
  }

  all(): Iterable<ServerHttp2Session> {
    return this.#open.keys();
  }

  opened(session: ServerHttp2Session, nowMs: number): void {
    const address = addressGroup(normalAddress(session.socket.remoteAddress));
    const group = this.#byAddress.get(address) ?? { open: 0, held: 0 };
    if (group.open >= this.#limits.maxConnectionsPerAddress) {
      this.#meter.connectionRefused('address');
      session.destroy();
      return;
    }
    group.open += 1;
    this.#byAddress.set(address, group);
    this.#open.set(session, { group, resetsLeft: this.#burst, refilledMs: nowMs });
    session.on('close', () => {
      this.#open.delete(session);
      group.open -= 1;
      if (group.open === 0) this.#byAddress.delete(address);
    });
  }

  /** Null for a connection that was refused. */
  shareOf(session: ServerHttp2Session): Share | null {
    return this.#open.get(session)?.group ?? null;
  }

  /** A client has broken a call off. @returns false where it does so too often */
  mayReset(session: ServerHttp2Session, nowMs: number): boolean {
    const one = this.#open.get(session);
    if (one === undefined) return true;
    const refill = ((nowMs - one.refilledMs) * this.#limits.maxResetsPerMinute) / minuteMs;
    one.resetsLeft = Math.min(this.#burst, one.resetsLeft + refill) - 1;
    one.refilledMs = nowMs;
    return one.resetsLeft >= 0;
  }
}

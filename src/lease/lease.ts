import type { Clock } from '../base/clock.js';
import { messageOf, type Logger } from '../base/log.js';
import { no } from '../base/result.js';
import { Fault, refuse, type Refusal } from '../model/codes.js';
import type { Lease, Leases, MessageVerdict, TunnelMessage } from '../model/lease.js';
import type { Meter } from '../model/meter.js';
import type { Identity } from '../model/proofs.js';

/** Asks again, under the generation in force. One object for each generation. */
export interface Judge {
  /** @param identity as it stands now; null where nobody was permitted. @returns why the lease is lost, or null */
  review(lease: Lease, identity: Identity | null): Refusal | Fault | null;
  /** Decides on a message of a tunnel, records it, and says no where the policy does. */
  message(lease: Lease, identity: Identity, message: TunnelMessage): Promise<MessageVerdict>;
}

export interface LeaseOptions {
  /** From one sweep to the next. */
  readonly sweepMs: number;
  /** Longest time that a sweep keeps the event loop, before others have their turn. */
  readonly sliceMs: number;
  /** A policy may look at the clock: it is asked again after this time, whatever else has changed. */
  readonly reviewMs: number;
}

export interface LeasePorts {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly log: Logger;
}

/** All leases of the process. They outlive generations. */
export interface LeaseBook extends Leases {
  /** Begins to look at them. @param judge of the generation in force; read at every look. @param options read at every sweep */
  start(judge: () => Judge, options: () => LeaseOptions): void;
  /** Ends every lease. */
  endAll(why: Refusal): void;
  stop(): void;
}

interface Held {
  readonly lease: Lease;
  /** Under which generation, for whom, and when it was reviewed last; null before the first time. */
  judge: Judge | null;
  identity: Identity | null;
  reviewedMs: number;
}

/** Where credential and rights of what lasts are looked at again: one sweep for all, in slices, and never a timer for each. */
export const createLeases = (ports: LeasePorts): LeaseBook => new Book(ports);

class Book implements LeaseBook {
  readonly #ports: LeasePorts;
  readonly #held = new Set<Held>();
  #judge: (() => Judge) | null = null;
  #options: (() => LeaseOptions) | null = null;
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(ports: LeasePorts) {
    this.#ports = ports;
    ports.meter.gauge('leases_open', () => this.#held.size);
  }

  take(lease: Lease): () => void {
    const held: Held = { lease, judge: null, identity: null, reviewedMs: this.#ports.clock.monotonicMs() };
    this.#held.add(held);
    return () => this.#held.delete(held);
  }

  message(lease: Lease, message: TunnelMessage): Promise<MessageVerdict> {
    const renewed = lease.permit?.identity.renewed();
    const judge = this.#judge?.();
    if (renewed === undefined || judge === undefined)
      return Promise.reject(new Fault('self.bug', 'a message without a permit'));
    return renewed.ok ? judge.message(lease, renewed.value, message) : Promise.resolve(no(lapsed(renewed.why)));
  }

  start(judge: () => Judge, options: () => LeaseOptions): void {
    this.#judge = judge;
    this.#options = options;
    this.#wait();
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  endAll(why: Refusal): void {
    for (const held of [...this.#held]) this.#end(held, why);
  }

  #wait(): void {
    if (this.#isStopped) return;
    this.#timer = setTimeout(() => {
      this.#sweep(this.#held.values());
    }, this.#options?.().sweepMs).unref();
  }

  /** A slice of it; the rest when everybody else has had a turn. The iterator bears it that leases come and go. */
  #sweep(rest: Iterator<Held>): void {
    const { clock } = this.#ports;
    const untilMs = clock.monotonicMs() + (this.#options?.().sliceMs ?? 0);
    for (let next = rest.next(); next.done !== true; next = rest.next()) {
      this.#look(next.value);
      if (clock.monotonicMs() < untilMs) continue;
      setImmediate(() => {
        this.#sweep(rest);
      });
      return;
    }
    this.#wait();
  }

  #look(held: Held): void {
    const { clock, log } = this.#ports;
    const judge = this.#judge?.();
    if (judge === undefined) return;
    try {
      const why = this.#review(held, judge, clock.monotonicMs());
      if (why !== null) this.#end(held, why);
    } catch (thrown) {
      log.error('lease.undecided', { message: messageOf(thrown) });
      this.#end(held, thrown instanceof Fault ? thrown : new Fault('self.bug', 'a review failed', { cause: thrown }));
    }
  }

  /** The credential is asked every time; the policy when the generation or the caller's rights are others than before, or it is time. */
  #review(held: Held, judge: Judge, nowMs: number): Refusal | Fault | null {
    const { permit } = held.lease;
    const renewed = permit === null ? null : permit.identity.renewed();
    if (renewed?.ok === false) return lapsed(renewed.why);
    const identity = renewed?.value ?? null;
    const isDue = nowMs - held.reviewedMs >= (this.#options?.().reviewMs ?? 0);
    if (held.judge === judge && held.identity === identity && !isDue) return null;
    const why = judge.review(held.lease, identity);
    held.judge = judge;
    held.identity = identity;
    held.reviewedMs = nowMs;
    return why;
  }

  #end(held: Held, why: Refusal | Fault): void {
    if (!this.#held.delete(held)) return;
    this.#ports.meter.leaseEnded(why.code);
    held.lease.lost(why);
  }
}

/** A credential that does not hold any more, as the reason why a lease is lost. */
export function lapsed({ detail, reasons }: Refusal): Refusal {
  return refuse(reasons?.includes('expired') === true ? 'lease.expired' : 'lease.revoked', detail);
}

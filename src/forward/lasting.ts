import type { Fault, Refusal } from '../model/codes.js';
import type { Lease, Leases } from '../model/lease.js';
import type { Permit } from '../model/proofs.js';
import type { CleanRequest } from '../model/request.js';

/** From then on an exchange that is no stream holds a lease, in ms; most are over long before, and pay nothing for it. */
const leaseAfterMs = 1_000;

/** Something that has a deadline, or lasts for as long as its lease. A base and no part of its own: one object less for every request. */
export abstract class Lasting implements Lease {
  #timer: NodeJS.Timeout | undefined;
  #giveBack: (() => void) | null = null;

  abstract readonly request: CleanRequest;
  abstract readonly permit: Permit | null;
  abstract lost(why: Refusal | Fault): void;

  /** @param deadlineMs null for a stream, which holds its lease from the first moment on */
  protected lasts(leases: Leases, deadlineMs: number | null): void {
    if (deadlineMs === null) {
      this.#giveBack = leases.take(this);
      return;
    }
    const firstMs = Math.min(leaseAfterMs, deadlineMs);
    this.#timer = setTimeout(() => {
      this.#lastsOn(leases, deadlineMs - firstMs);
    }, firstMs);
  }

  protected isOver(): void {
    clearTimeout(this.#timer);
    this.#giveBack?.();
  }

  /** The deadline is over; a stream has none. */
  protected overdue(): void {
    throw new Error('a stream has no deadline');
  }

  #lastsOn(leases: Leases, leftMs: number): void {
    if (leftMs <= 0) {
      this.overdue();
      return;
    }
    this.#giveBack = leases.take(this);
    this.#timer = setTimeout(() => {
      this.overdue();
    }, leftMs);
  }
}

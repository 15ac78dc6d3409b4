import type { Clock } from '../base/clock.js';
import { injectiveKey } from '../base/encoding.js';
import { GcraTable } from './gcra.js';

/**
 * Failed attempts, counted per address group and per address group and key id, never per key id alone:
 * ids are not secret, and an owner must not be locked out by a stranger.
 */
export interface FailureBuckets {
  /** Whole seconds until this address may try another credential; 0 when it may now. Without a key id only the address counts. */
  exhausted(addressGroup: string, keyId: string | null): number;
  /** Counts one failure. */
  charge(addressGroup: string, keyId: string | null): void;
  /**
   * Sets one failure aside for an attempt, so that an address has no more attempts under way than it may fail. An attempt
   * beyond that waits here until another one of its address has ended.
   *
   * @returns null when the failures are used up, or too many attempts of this address wait
   */
  claim(addressGroup: string, keyId: string): Promise<Claim | null>;
  /** Buckets that are kept now. */
  size(): number;
}

/** A failure that was set aside. */
export interface Claim {
  /** Ends the attempt: a failure is charged, and what was set aside for any other end is given back. */
  end(isFailure: boolean): void;
}

/** Attempts of one address group. */
interface Line {
  readonly heldByKey: Map<string, number>;
  held: number;
  waiting: (() => void)[];
}

/** 100,000 buckets are about 15 MB; beyond that, new addresses share one. */
const bucketsMax = 100_000;
class Failures implements FailureBuckets {
  readonly #addresses: GcraTable;
  readonly #pairs: GcraTable;
  readonly #lines = new Map<string, Line>();
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #waitingMax: number;

  constructor(limits: FailureLimits, clock: Pick<Clock, 'monotonicMs'>) {
    const max = limits.bucketsMax ?? bucketsMax;
    this.#addresses = new GcraTable(limits.perMinute, max);
    this.#pairs = new GcraTable(limits.perMinutePerKey, max);
    this.#waitingMax = limits.waitingPerAddress;
    this.#clock = clock;
  }

  exhausted(group: string, keyId: string | null): number {
    const nowMs = this.#clock.monotonicMs();
    const pairMs = keyId === null ? 0 : this.#pairs.waitMs(injectiveKey([group, keyId]), nowMs, 1);
    return Math.ceil(Math.max(this.#addresses.waitMs(group, nowMs, 1), pairMs) / 1_000);
  }

  charge(group: string, keyId: string | null): void {
    const nowMs = this.#clock.monotonicMs();
    this.#addresses.charge(group, nowMs);
    if (keyId !== null) this.#pairs.charge(injectiveKey([group, keyId]), nowMs);
  }

  async claim(group: string, keyId: string): Promise<Claim | null> {
    while (this.exhausted(group, keyId) === 0) {
      const line = this.#lineOf(group);
      if (this.#hasRoom(group, keyId, line)) return this.#hold(group, keyId, line);
      // Not used up and yet no room: another attempt holds it, and wakes this one when it ends.
      if (line.waiting.length >= this.#waitingMax) return null;
      await new Promise<void>((resolve) => line.waiting.push(resolve));
    }
    return null;
  }

  size(): number {
    return this.#addresses.size + this.#pairs.size;
  }

  #lineOf(group: string): Line {
    return this.#lines.get(group) ?? { heldByKey: new Map<string, number>(), held: 0, waiting: [] };
  }

  #hasRoom(group: string, keyId: string, { held, heldByKey }: Line): boolean {
    const nowMs = this.#clock.monotonicMs();
    const heldByPair = heldByKey.get(keyId) ?? 0;
    return (
      this.#addresses.waitMs(group, nowMs, held + 1) === 0 &&
      this.#pairs.waitMs(injectiveKey([group, keyId]), nowMs, heldByPair + 1) === 0
    );
  }

  #hold(group: string, keyId: string, line: Line): Claim {
    this.#lines.set(group, line);
    line.held += 1;
    line.heldByKey.set(keyId, (line.heldByKey.get(keyId) ?? 0) + 1);
    return {
      end: (isFailure) => {
        line.held -= 1;
        const left = (line.heldByKey.get(keyId) ?? 0) - 1;
        if (left > 0) line.heldByKey.set(keyId, left);
        else line.heldByKey.delete(keyId);
        if (line.held === 0) this.#lines.delete(group);
        if (isFailure) this.charge(group, keyId);
        for (const wake of line.waiting.splice(0)) wake();
      },
    };
  }
}

export interface FailureLimits {
  /** Failures per minute; each is also what may be used up at once. */
  readonly perMinute: number;
  readonly perMinutePerKey: number;
  /** First uses of keys that one address may have waiting for its own other ones. */
  readonly waitingPerAddress: number;
  readonly bucketsMax?: number;
}

export const createFailureBuckets = (limits: FailureLimits, clock: Pick<Clock, 'monotonicMs'>): FailureBuckets =>
  new Failures(limits, clock);

import type { Clock } from '../base/clock.js';
import { injectiveKey } from '../base/encoding.js';

/**
 * Failed attempts, counted per address group and per address group and key id, never per key id alone:
 * ids are not secret, and an owner must not be locked out by a stranger.
 */
export interface FailureBuckets {
  /** Whole seconds until this address may have another credential hashed; 0 when it may now. */
  exhausted(addressGroup: string, keyId: string): number;
  /** Counts one failed computation. */
  charge(addressGroup: string, keyId: string): void;
  /** Buckets that are kept now. */
  size(): number;
}

const windowMs = 60_000;
/** 100,000 buckets are about 15 MB; beyond that, new addresses share one. */
const bucketsMax = 100_000;
const sweepPauseMs = 1_000;
const overflow = 'overflow';

/** Token buckets as one number each: the moment at which the bucket is full again (GCRA). */
class Buckets {
  readonly #fullAt = new Map<string, number>();
  readonly #intervalMs: number;
  readonly #max: number;
  #sweptMs = -Infinity;

  constructor(perMinute: number, max: number) {
    this.#intervalMs = windowMs / perMinute;
    this.#max = max;
  }

  get size(): number {
    return this.#fullAt.size;
  }

  waitMs(key: string, nowMs: number): number {
    const fullAt = this.#fullAt.get(this.#place(key, nowMs)) ?? nowMs;
    return Math.max(0, fullAt + this.#intervalMs - nowMs - windowMs);
  }

  charge(key: string, nowMs: number): void {
    const place = this.#place(key, nowMs);
    this.#fullAt.set(place, Math.max(this.#fullAt.get(place) ?? nowMs, nowMs) + this.#intervalMs);
  }

  /** Only a full, idle bucket may be forgotten: evicting another would give an attacker his budget back. */
  #place(key: string, nowMs: number): string {
    if (this.#fullAt.has(key) || this.#fullAt.size < this.#max) return key;
    if (nowMs - this.#sweptMs >= sweepPauseMs) {
      this.#sweptMs = nowMs;
      for (const [known, fullAt] of this.#fullAt) if (fullAt <= nowMs) this.#fullAt.delete(known);
    }
    return this.#fullAt.size < this.#max ? key : overflow;
  }
}

/** @param limits failures per minute; each is also what may be used up at once */
export function createFailureBuckets(
  limits: { readonly perMinute: number; readonly perMinutePerKey: number; readonly bucketsMax?: number },
  clock: Pick<Clock, 'monotonicMs'>,
): FailureBuckets {
  const max = limits.bucketsMax ?? bucketsMax;
  const addresses = new Buckets(limits.perMinute, max);
  const pairs = new Buckets(limits.perMinutePerKey, max);
  return {
    exhausted(addressGroup, keyId) {
      const nowMs = clock.monotonicMs();
      const waitMs = Math.max(
        addresses.waitMs(addressGroup, nowMs),
        pairs.waitMs(injectiveKey([addressGroup, keyId]), nowMs),
      );
      return Math.ceil(waitMs / 1_000);
    },
    charge(addressGroup, keyId) {
      const nowMs = clock.monotonicMs();
      addresses.charge(addressGroup, nowMs);
      pairs.charge(injectiveKey([addressGroup, keyId]), nowMs);
    },
    size: () => addresses.size + pairs.size,
  };
}

import type { LimitSpec } from '../model/decision.js';

const microsPerSecond = 1_000_000;
/** Parts that a window is cut into; the sub-window that is going on comes on top. */
const subWindows = 10;
const slotCount = subWindows + 1;

/** The memory of one limit for one key. Times are whole microseconds of the monotonic clock. */
export interface Bucket {
  /** What tests of the same request have already laid claim to, before anything is taken. */
  pending: number;
  /** Units that may be taken now, without what is pending; may be a fraction. */
  free(nowUs: number): number;
  /** Microseconds until `units` can be taken; Infinity when they never fit. */
  wait(units: number, nowUs: number): number;
  take(units: number, nowUs: number): void;
  /** Microseconds until nothing is remembered any more. */
  untilFull(nowUs: number): number;
  /** A bucket with the same past. */
  copy(): Bucket;
}

/** Units that a limit can ever hold; 0, so that nothing fits, where the definition makes no sense. */
export function capacityOf({ algorithm, rate, per, burst }: LimitSpec): number {
  if (!(rate > 0 && per > 0)) return 0;
  return algorithm === 'token_bucket' ? (burst ?? rate) : rate;
}

export const createBucket = (limit: LimitSpec): Bucket =>
  limit.algorithm === 'token_bucket' ? new TokenBucket(limit) : new SlidingWindow(limit);

/**
 * GCRA, kept as a debt that time pays off: `rate` × microseconds are paid, `per` seconds × units are owed. Both sides
 * are whole numbers where the limit's are, so nothing is rounded and no sum of roundings admits one too many.
 */
class TokenBucket implements Bucket {
  pending = 0;
  readonly #limit: LimitSpec;
  readonly #rate: number;
  /** Debt of one unit. */
  readonly #unit: number;
  readonly #capacity: number;
  #debt = 0;
  #asOfUs = 0;

  constructor(limit: LimitSpec) {
    this.#limit = limit;
    this.#rate = limit.rate;
    this.#unit = limit.per * microsPerSecond;
    this.#capacity = capacityOf(limit);
  }

  #owed(nowUs: number): number {
    return Math.max(0, this.#debt - this.#rate * Math.max(0, nowUs - this.#asOfUs));
  }

  free(nowUs: number): number {
    return (this.#capacity * this.#unit - this.#owed(nowUs)) / this.#unit;
  }

  wait(units: number, nowUs: number): number {
    if (!(units <= this.#capacity)) return Infinity;
    return Math.max(0, this.#owed(nowUs) + units * this.#unit - this.#capacity * this.#unit) / this.#rate;
  }

  take(units: number, nowUs: number): void {
    this.#debt = this.#owed(nowUs) + units * this.#unit;
    this.#asOfUs = Math.max(nowUs, this.#asOfUs);
  }

  untilFull(nowUs: number): number {
    const owed = this.#owed(nowUs);
    return owed === 0 ? 0 : owed / this.#rate; // without the test a rate of 0 is never full
  }

  copy(): Bucket {
    const other = new TokenBucket(this.#limit);
    other.#debt = this.#debt;
    other.#asOfUs = this.#asOfUs;
    return other;
  }
}

/**
 * Ten sub-windows and the one going on. The oldest is counted whole although a part of it is already outside, so that
 * no stretch of `per` seconds, wherever it starts, holds more than `rate`.
 */
class SlidingWindow implements Bucket {
  pending = 0;
  readonly #limit: LimitSpec;
  readonly #widthUs: number;
  readonly #capacity: number;
  readonly #slots = new Array<number>(slotCount).fill(0);
  #sum = 0;
  /** Number of the sub-window going on, since the clock's start. */
  #head = 0;

  constructor(limit: LimitSpec) {
    this.#limit = limit;
    this.#widthUs = (limit.per * microsPerSecond) / subWindows;
    this.#capacity = capacityOf(limit);
  }

  #advance(nowUs: number): void {
    const head = Math.floor(nowUs / this.#widthUs);
    if (!(head > this.#head)) return;
    if (head - this.#head >= slotCount) {
      this.#slots.fill(0);
    } else {
      for (let index = this.#head + 1; index <= head; index += 1) this.#slots[index % slotCount] = 0;
    }
    this.#head = head;
    this.#sum = this.#slots.reduce((sum, count) => sum + count, 0);
  }

  free(nowUs: number): number {
    this.#advance(nowUs);
    return this.#capacity - this.#sum;
  }

  wait(units: number, nowUs: number): number {
    if (!(units <= this.#capacity)) return Infinity;
    let over = units - this.free(nowUs);
    if (over <= 0) return 0;
    // Sub-windows leave one by one, the oldest first; the i-th leaves when the i-th next one begins.
    for (let next = 1; next <= slotCount; next += 1) {
      over -= this.#slots[(this.#head + next) % slotCount] ?? 0;
      if (over <= 0) return (this.#head + next) * this.#widthUs - nowUs;
    }
    return slotCount * this.#widthUs;
  }

  take(units: number, nowUs: number): void {
    this.#advance(nowUs);
    const at = this.#head % slotCount;
    this.#slots[at] = (this.#slots[at] ?? 0) + units;
    this.#sum += units;
  }

  untilFull(nowUs: number): number {
    this.#advance(nowUs);
    if (this.#sum === 0) return 0;
    for (let age = 0; age < slotCount; age += 1) {
      if ((this.#slots[(this.#head + slotCount - age) % slotCount] ?? 0) > 0) {
        return (this.#head - age + slotCount) * this.#widthUs - nowUs;
      }
    }
    return 0;
  }

  copy(): Bucket {
    const other = new SlidingWindow(this.#limit);
    this.#slots.forEach((count, index) => {
      other.#slots[index] = count;
    });
    other.#sum = this.#sum;
    other.#head = this.#head;
    return other;
  }
}

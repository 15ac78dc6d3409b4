/** One coarse clock for the time limits of all connections: a number compared now and then instead of a timer for each request. */
export class Ticks {
  readonly #intervalMs: number;
  #now = 0;

  constructor(intervalMs: number) {
    this.#intervalMs = intervalMs;
  }

  get now(): number {
    return this.#now;
  }

  advance(): void {
    this.#now += 1;
  }

  /** The tick at which so much time is surely over; it may be up to two intervals more. */
  after(ms: number): number {
    return this.#now + Math.ceil(ms / this.#intervalMs) + 1;
  }

  /** The last tick before so much time is over; now, where that is at once. */
  within(ms: number): number {
    return this.#now + Math.floor(ms / this.#intervalMs);
  }
}

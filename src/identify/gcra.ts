const windowMs = 60_000;
const sweepPauseMs = 1_000;
const overflow = 'overflow';
/** Sums of intervals such as 60000 / 7 are not exact. */
const slackMs = 1e-3;

/** Token buckets as one number each: the moment at which the bucket is full again (GCRA). */
export class GcraTable {
  readonly #fullAt = new Map<string, number>();
  readonly #intervalMs: number;
  readonly #max: number;
  #sweptMs = -Infinity;

  /** @param perMinute units that come back in a minute; a full bucket holds as many */
  constructor(perMinute: number, max: number) {
    this.#intervalMs = windowMs / perMinute;
    this.#max = max;
  }

  get size(): number {
    return this.#fullAt.size;
  }

  /** Milliseconds until the bucket holds that many units. */
  waitMs(key: string, nowMs: number, units: number): number {
    const fullAt = Math.max(this.#fullAt.get(this.#place(key, nowMs)) ?? nowMs, nowMs);
    const overdrawnMs = fullAt - nowMs + units * this.#intervalMs - windowMs;
    return overdrawnMs > slackMs ? overdrawnMs : 0;
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

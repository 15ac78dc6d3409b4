/** How often the event loop is looked at, in ms. */
export const tickMs = 50;
/** A loop that is late for shorter than this is left alone: a collection of garbage, a reload, a process that was stopped and goes on. */
const sustainedMs = 500;
/** By how many of a hundred the part that is turned away grows with each late look, and shrinks with each look in time. */
const growth = 10;
const decay = 5;
const all = 100;

/**
 * Turns a part of the new requests away while the event loop is late again and again. It is the least lateness of a while that counts,
 * not the largest: one look in time shows that the loop has caught up.
 *
 * @see RFC 8289 for the idea: a standing queue is one whose shortest delay stays high
 */
export class LoopDelay {
  maxMs: number;
  #lookedMs: number;
  #lateSinceMs: number | null = null;
  /** Of a hundred. */
  #part = 0;
  #owed = 0;

  constructor(maxMs: number, nowMs: number) {
    this.maxMs = maxMs;
    this.#lookedMs = nowMs;
  }

  /** Part of the new requests that is turned away, 0 to 1. */
  get ratio(): number {
    return this.#part / all;
  }

  /** To be called every `tickMs`, as far as the loop can. */
  look(nowMs: number): void {
    const lateMs = nowMs - this.#lookedMs - tickMs;
    this.#lookedMs = nowMs;
    if (lateMs < this.maxMs) {
      this.#lateSinceMs = null;
      this.#part = Math.max(0, this.#part - decay);
      return;
    }
    this.#lateSinceMs ??= nowMs;
    if (this.#part > 0 || nowMs - this.#lateSinceMs >= sustainedMs) this.#part = Math.min(all, this.#part + growth);
  }

  /** Whether this request is one of those. Evenly spread: at a half it is every second one. */
  sheds(): boolean {
    if (this.#part === 0) return false;
    this.#owed += this.#part;
    if (this.#owed < all) return false;
    this.#owed -= all;
    return true;
  }
}

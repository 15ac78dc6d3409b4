/** What the process uses, in bytes. */
export interface MemoryUse {
  readonly rss: number;
  readonly heapUsed: number;
  /** At which V8 gives up. */
  readonly heapLimit: number;
}

/** Memory counts as enough again below this part of a ceiling. */
const enough = 0.9;
/** Part of V8's own limit at which the heap is short: what is left is for requests under way, and for collecting garbage in time. */
const heapPart = 0.85;

/** Whether memory is short, with a step between the going and the coming, so that it does not flicker. */
export class Memory {
  /** Resident bytes at which it is short; null for no ceiling. */
  ceiling: number | null;
  #isShort = false;

  constructor(ceiling: number | null) {
    this.ceiling = ceiling;
  }

  get isShort(): boolean {
    return this.#isShort;
  }

  /** @returns true when it changed */
  look({ rss, heapUsed, heapLimit }: MemoryUse): boolean {
    const was = this.#isShort;
    const part = was ? enough : 1;
    this.#isShort = rss >= part * (this.ceiling ?? Infinity) || heapUsed >= part * heapPart * heapLimit;
    return this.#isShort !== was;
  }
}

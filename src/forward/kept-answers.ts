interface KeptAnswer {
  readonly found: string | null;
  /** How many moves had ended when it was asked. */
  readonly from: number;
  readonly untilMs: number;
}

/** The last answers, each for its time; the one that was used longest ago makes room. */
export class KeptAnswers {
  readonly #max: number;
  readonly #byKey = new Map<string, KeptAnswer>();

  constructor(max: number) {
    this.#max = max;
  }

  get(key: string, now: { readonly from: number; readonly nowMs: number }): KeptAnswer | undefined {
    const found = this.#byKey.get(key);
    if (found === undefined) return undefined;
    this.#byKey.delete(key);
    if (found.from !== now.from || found.untilMs <= now.nowMs) return undefined;
    this.#byKey.set(key, found); // last in the order
    return found;
  }

  keep(key: string, answer: KeptAnswer): void {
    this.#byKey.delete(key);
    if (this.#byKey.size >= this.#max) for (const [oldest] of this.#byKey) if (this.#drop(oldest)) break;
    if (this.#max > 0) this.#byKey.set(key, answer);
  }

  #drop(key: string): boolean {
    return this.#byKey.delete(key);
  }
}

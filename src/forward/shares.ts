/** Where nobody is known. */
export const nobody = '';

/**
 * Who holds the connections. A caller may hold as many as are left: alone half of them, two a third each, and there is always
 * one for somebody new, whatever became of the answers of the others.
 */
export class Shares {
  readonly #places: number;
  // Who holds none stays in it for a while: a table that is emptied at every answer would be laid out anew as often.
  readonly #held = new Map<string, number>();
  #taken = 0;

  constructor(places: number) {
    this.#places = places;
  }

  /** @param subject where it is nobody, only the sum counts */
  mayTake(subject: string): boolean {
    const left = this.#places - this.#taken;
    return left > 0 && (subject === nobody || (this.#held.get(subject) ?? 0) < left);
  }

  take(subject: string): void {
    this.#taken += 1;
    if (this.#held.size > 2 * this.#places + 64) this.#forget();
    this.#held.set(subject, (this.#held.get(subject) ?? 0) + 1);
  }

  leave(subject: string): void {
    this.#taken -= 1;
    this.#held.set(subject, (this.#held.get(subject) ?? 1) - 1);
  }

  /** How many subjects are known by name; a few times the places at most, however many come. */
  get known(): number {
    return this.#held.size;
  }

  #forget(): void {
    for (const [subject, held] of this.#held) if (held === 0) this.#held.delete(subject);
  }
}

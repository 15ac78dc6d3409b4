/** Shared by all operators: changes happen one after the other, so that what was checked still holds when it is done. */
export class Ledger {
  /** Revocations that are in force here but could not be written to the store, or to the record. */
  readonly unsaved = new Set<string>();
  #last: Promise<unknown> = Promise.resolve();

  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#last.then(work, work);
    this.#last = turn.catch(() => undefined);
    return turn;
  }
}

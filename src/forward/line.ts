import { Fault } from '../model/codes.js';

/** Whatever waits; two of them are never equal. */
export interface Waiter {
  /** Whose it is. */
  readonly subject: string;
}

/**
 * A bounded line before the connections. Who waits is served subject by subject, so that a subject with a thousand requests delays
 * another's first one by a single turn; and no subject has more of them waiting than there are places left for all others.
 */
export class Line<W extends Waiter> {
  readonly #max: number;
  /** The subject whose turn it is stands first. */
  readonly #bySubject = new Map<string, Set<W>>();
  readonly #name: string;
  #size = 0;

  /** @param name of the option that sets `max` */
  constructor(max: number, name = 'upstream.queue') {
    this.#max = max;
    this.#name = name;
  }

  get size(): number {
    return this.#size;
  }

  /** @throws Fault `upstream.busy` where there is no room, or none for this subject */
  join(waiter: W): void {
    const free = this.#max - this.#size;
    if (free <= 0) throw new Fault('upstream.busy', `${this.#name} of ${String(this.#max)} is full`);
    const own = this.#bySubject.get(waiter.subject);
    if (own === undefined) this.#bySubject.set(waiter.subject, new Set([waiter]));
    else if (own.size < free) own.add(waiter);
    else
      throw new Fault('upstream.busy', `has as many in ${this.#name} (${String(own.size)}) as are left for all others`);
    this.#size += 1;
  }

  /** The next in turn of those that may; null where there is none. */
  next(may: (subject: string) => boolean = () => true): W | null {
    for (const [subject, waiters] of this.#bySubject) {
      if (!may(subject)) continue;
      for (const waiter of waiters) {
        this.leave(waiter);
        if (waiters.size > 0) {
          this.#bySubject.delete(subject); // to the end: now it is the others' turn
          this.#bySubject.set(subject, waiters);
        }
        return waiter;
      }
    }
    return null;
  }

  /** @returns false for one that does not wait */
  leave(waiter: W): boolean {
    const own = this.#bySubject.get(waiter.subject);
    if (own?.delete(waiter) !== true) return false;
    if (own.size === 0) this.#bySubject.delete(waiter.subject);
    this.#size -= 1;
    return true;
  }
}

import { refuse, type Refusal, type RefusalCode } from '../model/codes.js';
import type { Place, Share } from '../model/place.js';
import type { Subject } from '../model/subject.js';

/** Why a request is turned away before anything of it was read. */
export type ShedCode = Extract<RefusalCode, `pressure.${string}`>;

/** Seconds after which a caller beyond its share may try again. */
const retryAfterS = 1;

/**
 * Requests in progress. Nobody has more places than are left for all others: who is alone gets half of them, two get a third each, and
 * there is always one for somebody new. Counting two numbers is all it takes.
 */
export class Places {
  max: number;
  /** Freed with the subject: a key that is gone, or one of a former generation. */
  readonly #bySubject = new WeakMap<Subject, Share>();
  #held = 0;

  constructor(max: number) {
    this.max = max;
  }

  get held(): number {
    return this.#held;
  }

  /** @param share of the address: it counts until the caller is known */
  enter(share: Share): Place | ShedCode {
    const free = this.max - this.#held;
    if (free <= 0) return 'pressure.full';
    if (share.held >= free) return 'pressure.share';
    this.#held += 1;
    share.held += 1;
    return new HeldPlace(this, share);
  }

  shareOf(subject: Subject): Share {
    let share = this.#bySubject.get(subject);
    if (share === undefined) this.#bySubject.set(subject, (share = { held: 0 }));
    return share;
  }

  left(): void {
    this.#held -= 1;
  }
}

class HeldPlace implements Place {
  readonly #places: Places;
  #share: Share | null;

  constructor(places: Places, share: Share) {
    this.#places = places;
    this.#share = share;
  }

  claim(subject: Subject): Refusal | null {
    const former = this.#share;
    if (former === null || subject.kind === 'anonymous') return null;
    const share = this.#places.shareOf(subject);
    const freeWithoutIt = this.#places.max - this.#places.held + 1;
    if (share.held >= freeWithoutIt) {
      const detail = `${subject.kind} ${subject.id} has ${String(share.held)} requests in progress, as many as are left for all others`;
      return refuse('pressure.share', detail, { retryAfterS });
    }
    former.held -= 1;
    share.held += 1;
    this.#share = share;
    return null;
  }

  leave(): void {
    const share = this.#share;
    if (share === null) return;
    this.#share = null;
    share.held -= 1;
    this.#places.left();
  }
}

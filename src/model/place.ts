import type { Refusal } from './codes.js';
import type { Subject } from './subject.js';

/** How many places somebody has: a caller, or an address whose callers are not known yet. */
export interface Share {
  held: number;
}

/** A request's place among those in progress. */
export interface Place {
  /** The caller is known: from now on the place counts for it, and for its address no more. @returns why it may not go on */
  claim(subject: Subject): Refusal | null;
  /** Gives the place back, once however often it is called. */
  leave(): void;
}

/** Where places are not counted. */
export const freePlace: Place = { claim: () => null, leave: () => undefined };

import type { Refusal } from './codes.js';
import type { AnswerFinding } from './trail.js';

/** A refusal of a request that had begun to go upstream: its outcome must not say otherwise. */
export interface LateRefusal extends Refusal {
  readonly wasForwarded: boolean;
  /** Why the memory server's own answer did not go out. */
  readonly answer?: AnswerFinding;
}

/** A body that was being passed on will never be whole, and that is the client's doing: nobody else is to blame. */
export class BodyFailure extends Error {
  /** What to answer; null when the client is not there any more. */
  readonly why: Refusal | null;

  constructor(why: Refusal | null) {
    super(why?.detail ?? 'the client left before the end of its body');
    this.name = 'BodyFailure';
    this.why = why;
  }
}

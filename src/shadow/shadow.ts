import type { Clock } from '../base/clock.js';
import { messageOf, type Logger } from '../base/log.js';
import type { Decision } from '../model/decision.js';
import type { Meter } from '../model/meter.js';
import type { Trail } from '../model/trail.js';
import { questionOf, type Question } from './question.js';
import { Tally, type Counts, type Row, type Sample } from './tally.js';

/** A policy that is asked beside the live one. Its evaluations end by themselves. */
export interface Candidate {
  readonly revision: string;
  readonly digest: string;
  /** Part of the requests that it is asked about, 0 to 1. */
  readonly share: number;
  /** @throws Fault `policy.failed`; its message begins with `timeout` where the evaluation was cut short */
  evaluate(inputText: string): Decision;
}

/** A candidate, and the digest of the policy that it is compared with. */
export interface Match {
  readonly candidate: Candidate;
  readonly live: string;
}

export interface ShadowPorts {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly log: Logger;
}

export interface ShadowReport {
  readonly revision: string;
  readonly digest: string;
  readonly share: number;
  readonly sinceMs: number;
  /** Why it is asked no more; null while it is. */
  readonly stopped: string | null;
  readonly compared: number;
  readonly sum: Counts;
  /** Not asked, for want of time or room. */
  readonly dropped: number;
  readonly waiting: number;
  /** By route and space, those with differences first. */
  readonly rows: readonly Row[];
  readonly samples: readonly Sample[];
}

/** Time per second that the candidate may take from the event loop, in ms. */
const budgetMs = 50;
const windowMs = 1_000;
const waitingMax = 1_024;
/** Of UTF-16 units in all questions that wait. */
const waitingUnitsMax = 2 * 1_048_576;
/** Evaluations that were cut short, until no more are begun: each has kept everybody else waiting. */
const timeoutsMax = 3;

/** Asks a candidate what the live policy was asked, when nobody waits for it. One for the process. */
export class Shadow {
  readonly #ports: ShadowPorts;
  #trial: Trial | null = null;

  constructor(ports: ShadowPorts) {
    this.#ports = ports;
  }

  /** From now on this candidate is asked; where neither it nor the policy in force is another one, its counts go on. Null ends it. */
  use(match: Match | null): void {
    if (match !== null && this.#trial?.isOf(match) === true) {
      this.#trial.match = match;
      return;
    }
    this.#trial?.end();
    this.#trial = match === null ? null : new Trial(match, this.#ports);
  }

  /** Takes note of a request that is over; costs it nothing but a place in the queue. */
  offer(trail: Trail): void {
    this.#trial?.offer(trail);
  }

  report(): ShadowReport | null {
    return this.#trial?.report() ?? null;
  }
}

class Trial {
  match: Match;
  readonly #ports: ShadowPorts;
  readonly #sinceMs: number;
  readonly #tally = new Tally();
  #waiting: Question[] = [];
  #waitingUnits = 0;
  #taken = 0;
  #dropped = 0;
  #timeouts = 0;
  #stopped: string | null = null;
  #isBusy = false;
  #timer: NodeJS.Timeout | undefined;
  #windowEndMs = 0;
  #spentMs = 0;

  constructor(match: Match, ports: ShadowPorts) {
    this.match = match;
    this.#ports = ports;
    this.#sinceMs = ports.clock.nowMs();
  }

  isOf({ candidate, live }: Match): boolean {
    const { digest, share } = this.match.candidate;
    return digest === candidate.digest && share === candidate.share && live === this.match.live;
  }

  offer(trail: Trail): void {
    const question = this.#isTurn(trail) ? questionOf(trail) : null;
    if (question === null) return;
    const isFull = this.#waiting.length >= waitingMax || this.#waitingUnits + question.input.length > waitingUnitsMax;
    if (isFull || this.#stopped !== null) {
      this.#drop(1);
      return;
    }
    this.#waiting.push(question);
    this.#waitingUnits += question.input.length;
    this.#wake();
  }

  end(): void {
    this.#stopped = 'it was dropped';
    this.#clear();
  }

  report(): ShadowReport {
    const { revision, digest, share } = this.match.candidate;
    const { sum, rows, samples } = this.#tally;
    return {
      revision,
      digest,
      share,
      sinceMs: this.#sinceMs,
      stopped: this.#stopped,
      compared: sum.agree + sum.wouldAllow + sum.wouldDeny + sum.failed,
      sum,
      dropped: this.#dropped,
      waiting: this.#waiting.length,
      rows,
      samples,
    };
  }

  #wake(): void {
    if (this.#isBusy) return;
    this.#isBusy = true;
    setImmediate(() => {
      this.#next();
    }).unref();
  }

  // One in a turn of the event loop, behind everything that came in; when the time of this second is used up, in the next one.
  #next(): void {
    const nowMs = this.#ports.clock.monotonicMs();
    this.#isBusy = false;
    if (nowMs >= this.#windowEndMs) {
      this.#windowEndMs = nowMs + windowMs;
      this.#spentMs = 0;
    }
    if (this.#spentMs >= budgetMs) {
      this.#isBusy = true;
      this.#timer = setTimeout(() => {
        this.#next();
      }, this.#windowEndMs - nowMs).unref();
      return;
    }
    const question = this.#waiting.shift();
    if (question === undefined) return;
    this.#waitingUnits -= question.input.length;
    this.#ask(question);
    this.#spentMs += this.#ports.clock.monotonicMs() - nowMs;
    if (this.#waiting.length > 0) this.#wake();
  }

  #ask(question: Question): void {
    const { meter } = this.#ports;
    try {
      const decision = this.match.candidate.evaluate(question.input);
      meter.shadowDecision(question.route, this.#tally.answered(question, decision));
    } catch (thrown) {
      const why = messageOf(thrown);
      meter.shadowDecision(question.route, this.#tally.failed(question, why));
      if (why.startsWith('timeout') && ++this.#timeouts >= timeoutsMax)
        this.#stop(`${String(timeoutsMax)} of its evaluations had to be cut short`);
    }
  }

  #stop(why: string): void {
    this.#stopped = why;
    const { revision } = this.match.candidate;
    this.#ports.log.error('policy.candidate-stopped', { revision, reason: why });
    this.#drop(this.#waiting.length);
    this.#clear();
  }

  /** Of the requests that a policy was asked about, every so many. */
  #isTurn({ input, decision }: Trail): boolean {
    if (input === null || decision === null) return false;
    this.#taken += this.match.candidate.share;
    if (this.#taken < 1) return false;
    this.#taken -= 1;
    return true;
  }

  #drop(count: number): void {
    this.#dropped += count;
    this.#ports.meter.shadowDropped(count);
  }

  #clear(): void {
    clearTimeout(this.#timer);
    this.#waiting = [];
    this.#waitingUnits = 0;
  }
}

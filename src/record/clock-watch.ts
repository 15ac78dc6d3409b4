import type { Clock } from '../base/clock.js';

/** Less than this is how the two clocks are read, or corrected without a step. */
const stepMsMin = 500;

/** A step of the wall clock. */
export interface ClockStep {
  /** Negative for a step back. */
  readonly stepMs: number;
  readonly nowMs: number;
}

/** Holds the wall clock against the monotonic one: what both do not do together is a step of the former. */
export class ClockWatch {
  readonly #clock: Clock;
  #offsetMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offsetMs = clock.nowMs() - clock.monotonicMs();
  }

  /** Looks again. @returns the step since the last look; null when there was none */
  look(): ClockStep | null {
    const nowMs = this.#clock.nowMs();
    const offsetMs = nowMs - this.#clock.monotonicMs();
    const stepMs = Math.round(offsetMs - this.#offsetMs);
    if (Math.abs(stepMs) < stepMsMin) return null;
    this.#offsetMs = offsetMs;
    return { stepMs, nowMs };
  }
}

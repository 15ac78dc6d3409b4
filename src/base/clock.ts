import { performance } from 'node:perf_hooks';

/** The only source of time. Limits and deadlines use the monotonic reading, credentials and records the wall clock. */
export interface Clock {
  /** Unix time in ms. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start; never goes back. */
  monotonicMs(): number;
}

export const systemClock: Clock = {
  nowMs: () => Date.now(),
  monotonicMs: () => performance.now(),
};

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

/**
 * The same clock, but for steps back: its wall time is at least that of its making plus what has passed since. What had
 * expired stays so when somebody sets the clock back; a clock that was ahead when the process started is believed until a restart.
 */
export function createForwardClock(clock: Clock): Clock {
  const offsetMs = clock.nowMs() - clock.monotonicMs();
  const monotonicMs = (): number => clock.monotonicMs();
  return { monotonicMs, nowMs: () => Math.max(clock.nowMs(), Math.floor(offsetMs + clock.monotonicMs())) };
}

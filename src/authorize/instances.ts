import { messageOf } from '../base/log.js';
import { Fault } from '../model/codes.js';
import { EngineError, type ErrorKind, type Instance } from './engine.js';
import type { PolicyPorts } from './policy.js';

/** The live engine: one instance in use, one in reserve. */
export interface Engine {
  /** Result set of the only entrypoint. @throws Fault `policy.failed` */
  evaluate(inputText: string): unknown;
  /** The same, always under a time limit. @throws EngineError */
  evaluateWithin(inputText: string, timeoutMs: number): unknown;
  memoryBytes(): number;
}

// Measured: an instance is dead for good after 512 aborts of the worst kind.
const abortsMax = 64;
const floodPerSecond = 100;
const tolerable = new Set<ErrorKind>(['conflict', 'input', 'builtin']);
// A time limit costs tens of microseconds, so that only inputs that are slow anyway pay for it.
const limitedFromBytes = 4_096;
const runtimeTimeoutMs = 250;

/** Keeps a working instance at hand: one that threw is discarded, except in a flood of harmless aborts. */
export function createEngine(make: () => Instance, ports: PolicyPorts): Engine {
  let active: Instance | null = null;
  let spare: Instance | null = null;
  let aborts = 0;
  let windowStartMs = 0;
  let abortsInWindow = 0;

  const use = (): Instance => {
    if (active === null) {
      active = spare ?? make();
      spare = null;
      aborts = 0;
    }
    return active;
  };
  const refill = (): void => {
    try {
      spare ??= make();
    } catch (error) {
      ports.log.error('policy.spare-failed', { error: messageOf(error) });
    }
  };
  const isFlood = (): boolean => {
    const nowMs = ports.clock.monotonicMs();
    if (nowMs - windowStartMs >= 1_000) {
      windowStartMs = nowMs;
      abortsInWindow = 0;
    }
    abortsInWindow += 1;
    return abortsInWindow > floodPerSecond;
  };
  const threw = (kind: ErrorKind): void => {
    aborts += 1;
    ports.meter.policyError(kind);
    // Replacing at every abort would make a flood of aborts a flood of instantiations.
    if (isFlood() && tolerable.has(kind) && aborts < abortsMax) return;
    active = null;
    ports.meter.policyInstanceReplaced();
    setImmediate(refill).unref();
  };
  const guarded = (run: (instance: Instance) => unknown): unknown => {
    ports.watchdog?.enter();
    try {
      return run(use());
    } catch (error) {
      const known = error instanceof EngineError ? error : new EngineError('trap', messageOf(error));
      threw(known.kind);
      throw known;
    } finally {
      ports.watchdog?.leave();
    }
  };

  use();
  refill();
  return {
    evaluate(inputText) {
      try {
        return guarded((instance) =>
          inputText.length > limitedFromBytes
            ? instance.evaluateWithin(inputText, runtimeTimeoutMs)
            : instance.evaluate(inputText),
        );
      } catch (cause) {
        throw new Fault('policy.failed', messageOf(cause), { cause });
      }
    },
    evaluateWithin: (inputText, timeoutMs) => guarded((instance) => instance.evaluateWithin(inputText, timeoutMs)),
    memoryBytes: () => (active?.memoryBytes() ?? 0) + (spare?.memoryBytes() ?? 0),
  };
}

import type { Clock } from '../base/clock.js';
import { messageOf } from '../base/log.js';
import { Fault } from '../model/codes.js';
import { EngineError, type ErrorKind, type Instance } from './engine.js';
import type { PolicyPorts } from './ports.js';

/** The live engine: one instance in use, one in reserve. */
export interface Engine {
  /** Result set of the only entrypoint, as JSON text. @throws Fault `policy.failed` */
  evaluate(inputText: string): string;
  /** The same, always under a time limit. @throws EngineError */
  evaluateWithin(inputText: string, timeoutMs: number): string;
  memoryBytes(): number;
}

// Measured: an instance is dead for good after 512 aborts of the worst kind.
const abortsMax = 64;
const floodPerSecond = 100;
const tolerable = new Set<ErrorKind>(['conflict', 'input', 'builtin']);
// A time limit costs tens of microseconds, so that only inputs that are slow anyway pay for it.
const limitedFromLength = 4_096;
const runtimeTimeoutMs = 250;

/** Keeps a working instance at hand: one that threw is discarded, except in a flood of harmless aborts. */
export function createEngine(make: () => Instance, ports: PolicyPorts): Engine {
  const reserve = createReserve(make, ports);
  const run = (evaluate: (instance: Instance) => string): string => {
    ports.watchdog?.enter();
    try {
      return evaluate(reserve.use());
    } catch (error) {
      const known = error instanceof EngineError ? error : new EngineError('trap', messageOf(error));
      reserve.threw(known.kind);
      throw known;
    } finally {
      ports.watchdog?.leave();
    }
  };
  const evaluate = (inputText: string): string =>
    run((instance) =>
      inputText.length > limitedFromLength
        ? instance.evaluateWithin(inputText, runtimeTimeoutMs)
        : instance.evaluate(inputText),
    );
  return {
    evaluate(inputText) {
      try {
        return evaluate(inputText);
      } catch (cause) {
        throw new Fault('policy.failed', messageOf(cause), { cause });
      }
    },
    evaluateWithin: (inputText, timeoutMs) => run((instance) => instance.evaluateWithin(inputText, timeoutMs)),
    memoryBytes: () => reserve.memoryBytes(),
  };
}

interface Reserve {
  use(): Instance;
  /** The instance in use threw. */
  threw(kind: ErrorKind): void;
  memoryBytes(): number;
}

function createReserve(make: () => Instance, { clock, meter, log }: PolicyPorts): Reserve {
  let active: Instance | null = make();
  let spare: Instance | null = make();
  let aborts = 0;
  const isFlood = createFloodGauge(clock);
  const refill = (): void => {
    try {
      spare ??= make();
    } catch (error) {
      log.error('policy.spare-failed', { error: messageOf(error) });
    }
  };
  return {
    use() {
      if (active !== null) return active;
      active = spare ?? make();
      spare = null;
      aborts = 0;
      return active;
    },
    threw(kind) {
      aborts += 1;
      meter.policyError(kind);
      // Replacing at every abort would make a flood of aborts a flood of instantiations.
      if (isFlood() && tolerable.has(kind) && aborts < abortsMax) return;
      active = null;
      meter.policyInstanceReplaced();
      setImmediate(refill).unref();
    },
    memoryBytes: () => (active?.memoryBytes() ?? 0) + (spare?.memoryBytes() ?? 0),
  };
}

// Counts one abort a call; true while there are too many in the running second.
function createFloodGauge(clock: Clock): () => boolean {
  let startMs = clock.monotonicMs();
  let count = 0;
  return () => {
    const nowMs = clock.monotonicMs();
    if (nowMs - startMs >= 1_000) {
      startMs = nowMs;
      count = 0;
    }
    count += 1;
    return count > floodPerSecond;
  };
}

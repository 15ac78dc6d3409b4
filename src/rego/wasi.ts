import { randomFillSync } from 'node:crypto';
import { systemClock } from '../base/clock.js';

const success = 0;
const badDescriptor = 8;
const notSupported = 52;

const clockRealtime = 0;
const eventClock = 0;
const subscriptionBytes = 48;
const characterDevice = 2;
const errorCharacters = 4_096;
const nanosecondsPerMs = 1e6;

/** The guest has ended itself, which one that answers calls never should. */
export class GuestExit extends Error {}

export interface WasiHost {
  readonly imports: Readonly<Record<string, (...args: never[]) => number>>;
  /** Gives the memory of the instance that was made with the imports. */
  readonly bind: (memory: WebAssembly.Memory) => void;
  /** The beginning of what the guest wrote to its error output. */
  readonly firstWords: () => string;
}

/**
 * What a guest compiled by Go asks of its system (WASI preview 1), and not more: clocks, random numbers, sleep, an error
 * output that is kept. There are no files, no sockets, no arguments and no environment.
 *
 * @see https://github.com/WebAssembly/WASI/blob/main/legacy/preview1/docs.md
 */
export function createWasi(): WasiHost {
  let memory: WebAssembly.Memory | null = null;
  let said = '';
  // Anew each time: a memory that has grown has another buffer.
  const view = (): DataView => {
    if (memory === null) throw new Error('the guest asked before it had a memory');
    return new DataView(memory.buffer);
  };
  const say = (text: string): void => {
    said = `${said}${text}`.slice(0, errorCharacters); // the reason comes first, then pages of stack
  };
  return {
    imports: { ...nothingThere(view), ...timeAndChance(view), ...output(view, say) },
    bind: (given) => {
      memory = given;
    },
    firstWords: () => said,
  };
}

type View = () => DataView;
type Calls = WasiHost['imports'];

/** Two numbers that say how much there is of something: nothing. */
function nothing(view: View, count: number, size: number): number {
  view().setUint32(count, 0, true);
  view().setUint32(size, 0, true);
  return success;
}

const nothingThere = (view: View): Calls => ({
  args_sizes_get: (count: number, size: number) => nothing(view, count, size),
  args_get: () => success,
  environ_sizes_get: (count: number, size: number) => nothing(view, count, size),
  environ_get: () => success,
  fd_prestat_get: () => badDescriptor,
  fd_read: () => badDescriptor,
  fd_close: () => success,
  fd_fdstat_set_flags: () => success,
  proc_exit: (code: number) => {
    throw new GuestExit(`the compiler ended with ${String(code)}`);
  },
});

const nanoseconds = (clock: number): bigint =>
  BigInt(Math.round((clock === clockRealtime ? systemClock.nowMs() : systemClock.monotonicMs()) * nanosecondsPerMs));

const timeAndChance = (view: View): Calls => ({
  sched_yield: () => success,
  clock_time_get: (clock: number, _precision: bigint, at: number) => {
    view().setBigUint64(at, nanoseconds(clock), true);
    return success;
  },
  random_get: (at: number, length: number) => {
    randomFillSync(new Uint8Array(view().buffer, at, length));
    return success;
  },
  // eslint-disable-next-line max-params -- the guest calls it so
  poll_oneoff: (from: number, to: number, count: number, told: number) => sleep(view(), { from, to, count, told }),
});

interface Poll {
  /** Where the subscriptions are. */
  readonly from: number;
  /** Where the event goes. */
  readonly to: number;
  readonly count: number;
  /** Where the number of events goes. */
  readonly told: number;
}

/** Go polls for clocks only: sleeps until the nearest, and tells that one. */
function sleep(memory: DataView, { from, to, count, told }: Poll): number {
  let nearest: { readonly left: bigint; readonly userData: bigint } | null = null;
  for (let at = from; at < from + count * subscriptionBytes; at += subscriptionBytes) {
    if (memory.getUint8(at + 8) !== eventClock) continue;
    const timeout = memory.getBigUint64(at + 24, true);
    const isAbsolute = (memory.getUint16(at + 40, true) & 1) === 1;
    const left = isAbsolute ? timeout - nanoseconds(memory.getUint32(at + 16, true)) : timeout;
    if (nearest === null || left < nearest.left) nearest = { left, userData: memory.getBigUint64(at, true) };
  }
  if (nearest === null) return notSupported;
  if (nearest.left > 0n) {
    const never = new Int32Array(new SharedArrayBuffer(4));
    Atomics.wait(never, 0, 0, Number(nearest.left) / nanosecondsPerMs);
  }
  memory.setBigUint64(to, nearest.userData, true);
  memory.setUint16(to + 8, success, true);
  memory.setUint8(to + 10, eventClock);
  memory.setUint32(told, 1, true);
  return success;
}

const isOutput = (descriptor: number): boolean => descriptor === 1 || descriptor === 2;

const output = (view: View, say: (text: string) => void): Calls => ({
  fd_fdstat_get: (descriptor: number, at: number) => {
    if (!isOutput(descriptor) && descriptor !== 0) return badDescriptor;
    const memory = view();
    memory.setUint8(at, characterDevice);
    memory.setUint16(at + 2, 0, true);
    memory.setBigUint64(at + 8, 0xffff_ffffn, true);
    memory.setBigUint64(at + 16, 0n, true);
    return success;
  },
  // eslint-disable-next-line max-params -- the guest calls it so
  fd_write: (descriptor: number, vectors: number, count: number, written: number) => {
    if (!isOutput(descriptor)) return badDescriptor;
    const memory = view();
    let total = 0;
    for (let at = vectors; at < vectors + count * 8; at += 8) {
      const length = memory.getUint32(at + 4, true);
      say(new TextDecoder().decode(new Uint8Array(memory.buffer, memory.getUint32(at, true), length)));
      total += length;
    }
    memory.setUint32(written, total, true);
    return success;
  },
});

/** Everything that a module asks for: what is not here is there, and not supported. */
export function importsFor(module: WebAssembly.Module, { imports }: WasiHost): WebAssembly.Imports {
  const unsupported = (): number => notSupported;
  const named: Record<string, Record<string, WebAssembly.ExportValue>> = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module))
    (named[from] ??= {})[name] = imports[name] ?? unsupported;
  return named;
}

import { createWasi, importsFor } from './wasi.js';

/** Why a guest answered nothing; it cannot be asked again. */
export class GuestFailure extends Error {
  readonly isMemory: boolean;
  constructor(message: string, isMemory: boolean) {
    super(message);
    this.isMemory = isMemory;
  }
}

interface Exports {
  readonly memory: WebAssembly.Memory;
  readonly _initialize: () => void;
  readonly rego_place: (bytes: number) => number;
  readonly rego_answer: () => number;
  readonly rego_size: () => number;
}

/** Starts the compiler inside this thread. @returns what answers calls, JSON in UTF-8 both ways */
export function startGuest(module: WebAssembly.Module): (call: Uint8Array) => Uint8Array {
  const wasi = createWasi();
  const instance = new WebAssembly.Instance(module, importsFor(module, wasi));
  const guest = instance.exports as unknown as Exports; // what tools/rego-wasm/ exports; its hash was checked before
  wasi.bind(guest.memory);
  guest._initialize();
  return (call) => {
    try {
      const at = guest.rego_place(call.length) >>> 0;
      new Uint8Array(guest.memory.buffer, at, call.length).set(call);
      const from = guest.rego_answer() >>> 0;
      return new Uint8Array(guest.memory.buffer).slice(from, from + (guest.rego_size() >>> 0));
    } catch (thrown) {
      throw failureOf(thrown, wasi.firstWords());
    }
  };
}

function failureOf(thrown: unknown, words: string): GuestFailure {
  const reason = thrown instanceof Error ? thrown.message : 'unknown error';
  if (/out of memory|cannot allocate memory/.test(words)) return new GuestFailure('ran out of its memory', true);
  return new GuestFailure(`broke off: ${reason}`, false);
}

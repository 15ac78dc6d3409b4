import { createRequire } from 'node:module';
// eslint-disable-next-line no-restricted-imports -- nothing else stops a policy that does not come back; no code comes from outside
import { createContext, Script } from 'node:vm';
import type { LoadedPolicy, loadPolicySync } from '@open-policy-agent/opa-wasm';
import { capped } from '../base/encoding.js';
import { no, ok, type Result } from '../base/result.js';
import { createEvaluation } from './evaluation.js';

// The package's ES module leaves out the synchronous loader, which a replacement in the middle of a request needs.
const sdk = createRequire(import.meta.url)('@open-policy-agent/opa-wasm') as {
  readonly loadPolicySync: typeof loadPolicySync;
};

/** What an evaluation died of. */
export type ErrorKind = 'conflict' | 'input' | 'builtin' | 'memory' | 'trap' | 'timeout';

/** A throw of the engine, which throws strings and plain objects, made one kind of error. */
export class EngineError extends Error {
  readonly kind: ErrorKind;

  constructor(kind: ErrorKind, detail: string) {
    super(`${kind}: ${detail}`);
    this.name = 'EngineError';
    this.kind = kind;
  }
}

/** One module in its own memory, with the data loaded once. After a throw it must be discarded: every throw leaks some of its stack. */
export interface Instance {
  /** @returns JSON text of the result set. @throws EngineError */
  evaluate(inputText: string): string;
  /** The same under a time limit, which costs tens of microseconds. @throws EngineError */
  evaluateWithin(inputText: string, timeoutMs: number): string;
  memoryBytes(): number;
}

const pageBytes = 65_536;
const headroomPages = 256; // 16 MiB: an allocating runaway evaluation dies of it within 50 ms
const instantiateTimeoutMs = 1_000;
const minorVersionMin = 2; // from 1.2 on one call evaluates and resets the heap
const imports = new Set([
  'memory',
  'opa_abort',
  'opa_println',
  ...[0, 1, 2, 3, 4].map((n) => `opa_builtin${String(n)}`),
]);
const exportsNeeded = [
  'opa_eval',
  'builtins',
  'entrypoints',
  'opa_malloc',
  'opa_json_parse',
  'opa_json_dump',
  'opa_heap_ptr_get',
  'opa_heap_ptr_set',
  'opa_wasm_abi_version',
  'opa_wasm_abi_minor_version',
];

/** Checks a module and gives a maker of instances; the first instance is made to see that it works. */
export function compileEngine(wasm: Uint8Array, dataText: string, entrypoint: string): Result<() => Instance, string> {
  try {
    const module = new WebAssembly.Module(wasm as Uint8Array<ArrayBuffer>);
    const wrong = foreignNames(module);
    if (wrong !== null) return no(wrong);
    const within = createTimeLimit();
    const make = (): Instance => createInstance({ module, dataText, entrypoint, within });
    make();
    return ok(make);
  } catch (error) {
    return no(asEngineError(error).message);
  }
}

function foreignNames(module: WebAssembly.Module): string | null {
  const foreign = WebAssembly.Module.imports(module).find((each) => each.module !== 'env' || !imports.has(each.name));
  if (foreign)
    return `the module imports "${capped(`${foreign.module}.${foreign.name}`, 100)}", which this runtime lacks`;
  const present = new Set(WebAssembly.Module.exports(module).map((each) => each.name));
  const absent = exportsNeeded.find((name) => !present.has(name));
  return absent === undefined ? null : `the module does not export "${absent}"; wanted one made by opa build -t wasm`;
}

type TimeLimit = <T>(run: () => T, timeoutMs: number) => T;

function createTimeLimit(): TimeLimit {
  const context: { run?: () => unknown } = createContext({});
  const script = new Script('run()');
  return <T>(run: () => T, timeoutMs: number): T => {
    context.run = run;
    return script.runInContext(context, { timeout: timeoutMs }) as T;
  };
}

interface Parts {
  readonly module: WebAssembly.Module;
  readonly dataText: string;
  readonly entrypoint: string;
  readonly within: TimeLimit;
}

function createInstance({ module, dataText, entrypoint, within }: Parts): Instance {
  const encoder = new TextEncoder();
  const initial = Math.ceil((16 * dataText.length + 1_048_576) / pageBytes);
  // A module may hold code that runs while it is instantiated, so that this too has an end.
  const { loaded, id } = within(() => {
    const fresh = sdk.loadPolicySync(module, { initial, maximum: initial + headroomPages });
    const found = checkLoaded(fresh, entrypoint);
    fresh.setData(exactBuffer(encoder, dataText));
    return { loaded: fresh, id: found };
  }, instantiateTimeoutMs);
  const run = createEvaluation(
    {
      mem: loaded.mem,
      exports: (loaded.wasmInstance as WebAssembly.Instance).exports,
      dataAddress: loaded.dataAddr,
      heapAddress: Number(loaded.dataHeapPtr), // declared as any
    },
    id,
  );
  return {
    evaluate: (inputText) => normalised(run, inputText),
    evaluateWithin: (inputText, timeoutMs) => normalised((text) => within(() => run(text), timeoutMs), inputText),
    memoryBytes: () => loaded.mem.buffer.byteLength,
  };
}

// The engine takes a buffer that is longer than its text for malformed JSON, and malformed JSON for no input at all.
function exactBuffer(encoder: TextEncoder, text: string): ArrayBuffer {
  const bytes = encoder.encode(text);
  return bytes.byteLength === bytes.buffer.byteLength ? bytes.buffer : bytes.slice().buffer;
}

function checkLoaded(loaded: LoadedPolicy, entrypoint: string): number {
  if (!(Number(loaded.minorVersion) >= minorVersionMin))
    throw new EngineError('builtin', 'the module is of an ABI before 1.2');
  const entrypoints = loaded.entrypoints as Readonly<Record<string, number>>;
  const id = entrypoints[entrypoint];
  if (id === undefined || Object.keys(entrypoints).length !== 1) {
    throw new EngineError('builtin', `the module must have exactly the entrypoint ${entrypoint}`);
  }
  const needed = hostBuiltins(loaded);
  if (needed.length > 0) {
    throw new EngineError('builtin', `the policy calls ${capped(needed.join(', '), 200)}, which this runtime lacks`);
  }
  return id;
}

function hostBuiltins(loaded: LoadedPolicy): string[] {
  const { exports } = loaded.wasmInstance as WebAssembly.Instance;
  const call = (name: string, ...args: number[]): number => (exports[name] as (...given: number[]) => number)(...args);
  const address = call('opa_json_dump', call('builtins'));
  const bytes = new Uint8Array(loaded.mem.buffer);
  const text = new TextDecoder().decode(bytes.subarray(address, bytes.indexOf(0, address)));
  return Object.keys(JSON.parse(text) as Record<string, unknown>).sort();
}

function normalised(run: (inputText: string) => string, inputText: string): string {
  try {
    return run(inputText);
  } catch (thrown) {
    throw asEngineError(thrown);
  }
}

function asEngineError(thrown: unknown): EngineError {
  if (thrown instanceof EngineError) return thrown;
  const text = capped(textOf(thrown), 300);
  if (
    typeof thrown === 'object' &&
    thrown !== null &&
    'code' in thrown &&
    thrown.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
  ) {
    return new EngineError('timeout', text);
  }
  if (/not implemented: built-in/.test(text)) return new EngineError('builtin', text);
  if (/opa_malloc|memory size exceeded|Maximum memory|WebAssembly\.Memory\.grow/i.test(text))
    return new EngineError('memory', text);
  if (/conflict/.test(text)) return new EngineError('conflict', text);
  if (/illegal/.test(text)) return new EngineError('input', text);
  return new EngineError('trap', text);
}

function textOf(thrown: unknown): string {
  if (typeof thrown === 'string') return thrown;
  if (typeof thrown === 'object' && thrown !== null && 'message' in thrown) return String(thrown.message);
  return 'unknown error';
}

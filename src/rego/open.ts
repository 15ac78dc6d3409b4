import { no, ok, type Result } from '../base/result.js';
import { loadArtefact } from './artefact.js';
import { findNative } from './find-native.js';
import { GuestHost } from './guest-host.js';
import { createNative } from './native.js';
import { opaVersion } from './pin.js';
import type { Compiler, CompilerBounds } from './port.js';
import { createWasm } from './wasm.js';

export interface CompilerOptions {
  /** Use this program, or say why not. */
  readonly opa?: string;
  /** Use this form and no other. */
  readonly only?: Compiler['kind'];
  readonly bounds?: Partial<CompilerBounds>;
  /** After so long without a call the worker of the WebAssembly form is ended. */
  readonly idleMs?: number;
}

const usual: CompilerBounds = { callMs: 60_000, outputBytes: 64 * 1_048_576 };
const usualIdleMs = 10_000;

/** Opens the policy compiler: the native program of the one version where there is one, else the one that memgate brings. */
export async function openCompiler(options: CompilerOptions = {}): Promise<Result<Compiler, string>> {
  const bounds = { ...usual, ...options.bounds };
  const native = options.only === 'wasm' ? ok(null) : await findNative(options.opa);
  if (!native.ok) return native;
  if (native.value !== null) return ok(createNative(native.value, bounds));
  if (options.only === 'native') return no(`there is no opa ${opaVersion} in .cache/bin or on the PATH`);
  const module = await loadArtefact();
  return module.ok ? ok(createWasm(new GuestHost(module.value, bounds, options.idleMs ?? usualIdleMs))) : module;
}

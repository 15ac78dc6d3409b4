import { createHash } from 'node:crypto';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Problem } from '../base/document.js';
import type { Files } from '../base/files.js';
import { injectiveKey } from '../base/encoding.js';
import { no, ok, type Result } from '../base/result.js';
import { entrypoint, type Decision } from '../model/decision.js';
import { activate, warmUp } from './activation.js';
import { compileEngine } from './engine.js';
import { createEngine, type Engine } from './instances.js';
import { readDecision } from './parse-decision.js';
import { canonicalJson, effectiveData, type PolicyData } from './policy-data.js';
import type { PolicyPorts } from './ports.js';

/** The parts of a compiled bundle that is to be trusted. */
export interface CompiledPolicy {
  readonly revision: string;
  readonly serial: number | null;
  readonly wasm: Uint8Array;
  readonly data: Readonly<Record<string, unknown>>;
  /** All its files by name; explanations show the rules. */
  readonly members: ReadonlyMap<string, Uint8Array>;
}

/** What a policy is made of. */
export interface PolicyOptions {
  readonly bundle: CompiledPolicy;
  /** How problems name the bundle: its file, or where else it came from. */
  readonly bundleFile: string;
  /** Directory of `NAME.yaml` files that replace the bundle's data of the same name. */
  readonly dataDir: string | null;
  /** Longest evaluation of the largest test input at activation, best of five. */
  readonly budgetMs: number;
  /** Where the data is read from; the disk unless told. */
  readonly files?: Files;
}

/** A policy that passed its checks. It never changes; new data is a new policy. */
export interface Policy {
  readonly revision: string;
  /** The build counter that its bundle states; null for none. */
  readonly serial: number | null;
  /** SHA-256, hex, over the module and the effective data. */
  readonly digest: string;
  readonly knownSpaces: ReadonlySet<string>;
  readonly roleNames: ReadonlySet<string>;
  readonly tierNames: ReadonlySet<string>;
  /** Each part of the data in canonical JSON, by its name, to be compared. */
  readonly parts: ReadonlyMap<string, string>;
  /** Permissions by role. */
  readonly rolePermissions: ReadonlyMap<string, readonly string[]>;
  /** What its rules look things up in: the bundle's own data, with what the configuration replaces. */
  readonly data: PolicyData;
  /** Its rules as text, by path in the bundle: explanations show them. */
  readonly rego: ReadonlyMap<string, string>;
  /**
   * One evaluation. Where the policy has no opinion the decision is a no with the only reason `policy.undefined`.
   *
   * @param inputText JSON of at most 16 KiB, well-formed Unicode
   * @throws Fault `policy.failed` when the engine threw, or answered in any other shape than the documented one
   */
  evaluate(inputText: string): Decision;
  /**
   * The same for a question that no request asks, such as a case: it always ends in time, and is not counted.
   *
   * @throws EngineError, or Fault `policy.failed` for an answer in any other shape
   */
  tryOut(inputText: string, timeoutMs?: number): Decision;
  /** Linear memory of the instances that are held. */
  memoryBytes(): number;
}

// 16 times the data is what the engine needs for it, and reading it in blocks the event loop: 256 KiB are about 4 ms.
const dataBytesMax = 262_144;
const slowMs = 5;
const tryOutMs = 250;

/**
 * Reads the data that replace parts of the bundle's own, checks both, compiles, and tries the policy on hostile inputs.
 * Nothing of a refused policy is kept.
 */
export async function loadPolicy(
  options: PolicyOptions,
  ports: PolicyPorts,
): Promise<Result<Policy, readonly Problem[]>> {
  const { bundle } = options;
  const data = await effectiveData({ file: options.bundleFile, data: bundle.data }, options.dataDir, options.files);
  if (!data.ok) return data;
  const dataText = canonicalJson(data.value);
  if (dataText.length > dataBytesMax)
    return wrong(options, `the policy data is over ${String(dataBytesMax)} bytes as JSON`);
  const compiled = compileEngine(bundle.wasm, dataText, entrypoint);
  if (!compiled.ok) return wrong(options, compiled.why);
  await nextTurn();
  const engine = createEngine(compiled.value, ports);
  const [complaint] = await activate(engine, options.budgetMs, ports.clock);
  if (complaint !== undefined) return wrong(options, complaint);
  await warmUp(engine);
  const digest = createHash('sha256')
    .update(injectiveKey([dataText]))
    .update(bundle.wasm)
    .digest('hex');
  return ok({
    ...facts(data.value),
    data: data.value,
    rego: regoOf(bundle.members),
    revision: bundle.revision,
    serial: bundle.serial,
    digest,
    ...evaluator(engine, ports),
  });
}

const regoOf = (members: ReadonlyMap<string, Uint8Array>): ReadonlyMap<string, string> =>
  new Map(
    [...members]
      .filter(([name]) => name.endsWith('.rego'))
      .map(([name, bytes]) => [name, Buffer.from(bytes).toString('utf8')]),
  );

const wrong = (options: PolicyOptions, message: string): Result<never, readonly Problem[]> =>
  no([{ file: options.bundleFile, line: 0, column: 0, path: '', message }]);

function facts(
  data: PolicyData,
): Pick<Policy, 'knownSpaces' | 'roleNames' | 'tierNames' | 'parts' | 'rolePermissions'> {
  const roles = Object.entries(data.roles ?? {});
  return {
    knownSpaces: new Set(Object.keys(data.spaces?.known ?? {})),
    roleNames: new Set(roles.map(([role]) => role)),
    tierNames: new Set(Object.keys(data.tiers ?? {})),
    parts: new Map(Object.entries(data).map(([part, value]) => [part, canonicalJson(value)])),
    rolePermissions: new Map(roles.map(([role, { permissions }]) => [role, Object.keys(permissions).sort()])),
  };
}

function frozen<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.values(value).forEach(frozen);
    Object.freeze(value);
  }
  return value;
}

/** Different answers of one policy that are kept read; a policy has some dozens, whatever it is asked. */
const answersMax = 1_024;

function evaluator(
  engine: Engine,
  { clock, meter, log }: PolicyPorts,
): Pick<Policy, 'evaluate' | 'tryOut' | 'memoryBytes'> {
  let lastSlowMs = -Infinity;
  // Every request is evaluated; equal answers are read, checked and frozen once.
  const known = new Map<string, Decision>();
  return {
    evaluate(inputText) {
      const startMs = clock.monotonicMs();
      const text = engine.evaluate(inputText);
      const endMs = clock.monotonicMs();
      meter.policyEvaluation((endMs - startMs) / 1_000);
      if (endMs - startMs > slowMs && endMs - lastSlowMs > 1_000) {
        lastSlowMs = endMs;
        log.warn('policy.slow', { ms: Math.round(endMs - startMs), bytes: inputText.length });
      }
      const read = known.get(text);
      if (read !== undefined) return read;
      try {
        const decision = frozen(readDecision(text));
        if (known.size >= answersMax) known.clear();
        known.set(text, decision);
        return decision;
      } catch (error) {
        meter.policyError('malformed');
        throw error;
      }
    },
    tryOut: (inputText, timeoutMs = tryOutMs) => readDecision(engine.evaluateWithin(inputText, timeoutMs)),
    memoryBytes: () => engine.memoryBytes(),
  };
}

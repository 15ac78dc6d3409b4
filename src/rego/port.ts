import type { Result } from '../base/result.js';

/** What a policy is made of before it is compiled. */
export interface RegoSources {
  /** Bytes by path from the root of the bundle, with `/` between its parts: `.rego`, `data.json`, `data.yaml`, `.manifest`. */
  readonly files: ReadonlyMap<string, Uint8Array>;
  /** JSON of the capabilities file: what the policy may use. Tests may use all that the compiler has but what asks other machines. */
  readonly capabilities: string;
}

/** One thing that is wrong with a policy. */
export interface RegoProblem {
  /** Path from the root of the bundle; empty where no file is to blame. */
  readonly file: string;
  /** From 1; 0 when there is no place. */
  readonly row: number;
  readonly column: number;
  /** One of the compiler's own (`rego_type_error`), or one of `CompilerCode`. */
  readonly code: string;
  readonly message: string;
}

/** What can end a call besides the policy's own text. */
export type CompilerCode =
  | 'compiler_timeout'
  | 'compiler_memory'
  | 'compiler_output'
  | 'compiler_failed'
  | 'source_name'
  | 'source_encoding'
  | 'test_failed';

export interface RegoTest {
  /** `data.memgate.authz_test` */
  readonly package: string;
  readonly name: string;
  readonly status: 'passed' | 'failed' | 'skipped' | 'broken';
  readonly file: string;
  readonly row: number;
  /** What the test printed. */
  readonly output: string;
  /** Rows of a table test, by name. */
  readonly cases: readonly { readonly name: string; readonly passed: boolean }[];
  /** Why it is broken. */
  readonly problems: readonly RegoProblem[];
}

export interface FileCoverage {
  readonly percent: number;
  /** First and last row of what no test has run. */
  readonly missed: readonly (readonly [from: number, to: number])[];
}

export interface Coverage {
  readonly percent: number;
  readonly files: ReadonlyMap<string, FileCoverage>;
}

export interface TestReport {
  readonly tests: readonly RegoTest[];
  /** Null where it was not asked for, and where a test did not pass. */
  readonly coverage: Coverage | null;
}

/** One step of an evaluation, once however often it was taken. */
export interface TraceStep {
  /** A rule was entered, or gave a value; an expression was not true. */
  readonly step: 'enter' | 'exit' | 'fail';
  /** The rule as it is written, such as `data.memgate.authz.allow`; empty for an expression. */
  readonly rule: string;
  readonly file: string;
  readonly row: number;
  /** The source line. */
  readonly text: string;
  readonly times: number;
}

export interface Explanation {
  /** `undefined` where the rule has no value. */
  readonly value: unknown;
  readonly steps: readonly TraceStep[];
}

export type Answer<T> = Result<T, readonly RegoProblem[]>;

/**
 * The policy compiler, as a program of this machine or as WebAssembly: the same version and the same answers. Whatever
 * is wrong with a policy is an answer; so is a call that took too long, and the next one begins anew.
 */
export interface Compiler {
  readonly kind: 'native' | 'wasm';
  /** Of the policy compiler. */
  readonly version: string;
  /** Strict check: the policy under its capabilities, then everything with its tests. @returns nothing when it is good */
  check(sources: RegoSources): Promise<readonly RegoProblem[]>;
  /** @returns the files that are not in the one format, with the text they should have */
  format(sources: RegoSources): Promise<Answer<ReadonlyMap<string, string>>>;
  /** A test that fails is part of the report; only what cannot be run at all is a problem. */
  test(sources: RegoSources, options: { readonly coverage: boolean }): Promise<Answer<TestReport>>;
  /** The bundle without tests, after the strict check; one set of sources and one revision give one bundle. */
  build(sources: RegoSources, options: { readonly revision: string }): Promise<Answer<Buffer>>;
  /**
   * The decision for each input, by the compiler's own evaluator, `undefined` where the rule has none.
   *
   * @param inputs JSON texts, one for each request
   */
  evaluate(sources: RegoSources, inputs: readonly string[]): Promise<Answer<readonly Answer<unknown>[]>>;
  /** One decision with the rules and expressions that led to it. */
  explain(sources: RegoSources, inputText: string): Promise<Answer<Explanation>>;
  /** Ends what is running. */
  close(): Promise<void>;
}

/** What a call may cost. */
export interface CompilerBounds {
  readonly callMs: number;
  readonly outputBytes: number;
}

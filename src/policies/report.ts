import type { Problem } from '../base/document.js';

/** The checks, in the order in which they are made. */
export const checkNames = [
  'format',
  'check',
  'entrypoint',
  'hostile inputs',
  'tests',
  'coverage',
  'cases by the compiler',
  'cases by WebAssembly',
  'bundle',
] as const;
export type CheckName = (typeof checkNames)[number];

/** One thing that was looked at. */
export interface Item {
  readonly name: string;
  /** Null when it is as it should be. */
  readonly problem: Problem | null;
}

/** A case that is decided otherwise than it says. */
export interface ReportedDifference {
  readonly evaluator: 'compiler' | 'WebAssembly';
  readonly case: string;
  readonly file: string;
  readonly line: number;
  readonly field: string;
  readonly wanted: string;
  readonly got: string;
}

/** How much of a file the tests reach. */
export interface FileCoverage {
  readonly file: string;
  readonly percent: number;
  /** First and last row of what no test has run. */
  readonly missed: readonly (readonly [from: number, to: number])[];
}

export interface CoverageReport {
  readonly percent: number;
  readonly wantedPercent: number;
  readonly files: readonly FileCoverage[];
}

/** What a check found. One that is left out says why in its note. */
export interface Check {
  readonly name: CheckName;
  readonly outcome: 'passed' | 'failed' | 'left out';
  readonly note: string;
  readonly items: readonly Item[];
  readonly ms: number;
}

/** What all checks found. */
export interface Report {
  readonly ok: boolean;
  /** Digest of the sources. */
  readonly revision: string;
  /** Kind and version of the compiler. */
  readonly compiler: string;
  readonly checks: readonly Check[];
  /** Null when the tests were not run. */
  readonly coverage: CoverageReport | null;
  readonly differences: readonly ReportedDifference[];
}

export const problemsOf = ({ items }: Check): readonly Problem[] =>
  items.flatMap(({ problem }) => (problem === null ? [] : [problem]));

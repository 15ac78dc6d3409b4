import type { Test } from 'tap';
import { howMany } from './environment.js';

/** One figure of a promise, as the report page takes it. */
export interface Figure {
  /** Of the promise, such as `R9`. */
  readonly id: string;
  readonly promise: string;
  readonly method: string;
  /** What was measured, each with its unit in its name. */
  readonly figure: Readonly<Record<string, number | string | boolean | null>>;
  readonly ok: boolean;
}

/** Says a figure in one line, where `npm run test:faults:long -- --out FILE` finds it. */
export function say(t: Test, figure: Figure): void {
  const form = howMany(1, 0) === 1 ? 'long' : 'short';
  t.comment(`figure: ${JSON.stringify({ ...figure, form })}`);
}

/** Rounds to one digit behind the point. */
export const tenths = (value: number): number => Math.round(value * 10) / 10;

/** That share of the values is not above the answer; NaN of nothing. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? NaN;
}

import type { Problem } from '../base/document.js';
import type { CoverageReport, Item, ReportedDifference } from './report.js';

/** What one check found; it failed when an item has a problem. */
export interface Found {
  readonly items: readonly Item[];
  readonly note: string;
  /** There was nothing to look at. */
  readonly isLeftOut?: boolean;
  readonly coverage?: CoverageReport;
  readonly differences?: readonly ReportedDifference[];
}

/** One item for each problem, or a single good one. */
export const itemsFrom = (name: string, problems: readonly Problem[]): readonly Item[] =>
  problems.length === 0
    ? [{ name, problem: null }]
    : problems.map((problem, index) => ({ name: problems.length === 1 ? name : `${name} ${index + 1}`, problem }));

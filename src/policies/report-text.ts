import { describeProblem } from '../base/document.js';
import { visible } from '../base/encoding.js';
import { problemsOf, type Check, type FileCoverage, type Report } from './report.js';

const shownMax = 100;

/** For people at a terminal: a line for each check, its problems under it. */
export function reportText({ ok, revision, compiler, checks, coverage }: Report): string {
  const width = Math.max(0, ...checks.map(({ name }) => name.length));
  const lines = checks.flatMap((check) => [lineOf(check, width), ...problemLines(check)]);
  const partly = (coverage?.files ?? []).filter(({ missed }) => missed.length > 0);
  const isLow = coverage !== null && coverage.percent < coverage.wantedPercent;
  for (const { file, percent, missed } of isLow ? partly : [])
    lines.push(`  ${visible(file)}: ${percentText(percent)}, no test reaches the rows ${rangesText(missed)}`);
  return [...lines, `revision ${revision}, by ${compiler}: ${ok ? 'good' : 'NOT GOOD'}`, ''].join('\n');
}

const lineOf = ({ name, outcome, note }: Check, width: number): string => {
  const word = outcome === 'passed' ? 'ok' : outcome === 'failed' ? 'FAILED' : 'left out';
  return `${name.padEnd(width)}  ${word}${note === '' ? '' : ` (${visible(note)})`}`;
};

function problemLines(check: Check): string[] {
  const problems = problemsOf(check);
  const lines = problems.slice(0, shownMax).map((problem) => `  ${visible(describeProblem(problem))}`);
  return problems.length > shownMax ? [...lines, `  and ${problems.length - shownMax} more`] : lines;
}

export const percentText = (percent: number): string => `${percent.toFixed(1)} %`;

/** Rows as `3-5, 9`. */
export const rangesText = (rows: FileCoverage['missed']): string =>
  rows.map(([from, to]) => (from === to ? String(from) : `${from}-${to}`)).join(', ');

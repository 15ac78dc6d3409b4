import { describeProblem } from '../base/document.js';
import { problemsOf, type Report } from './report.js';

/** For programs: one JSON text in one line. */
export function reportJson({ ok, revision, compiler, checks, coverage, differences }: Report): string {
  const view = {
    ok,
    revision,
    compiler,
    checks: checks.map((check) => ({
      name: check.name,
      outcome: check.outcome,
      note: check.note,
      looked_at: check.items.length,
      problems: problemsOf(check).map((problem) => ({ ...problem, text: describeProblem(problem) })),
      ms: Math.round(check.ms),
    })),
    coverage: coverage && {
      percent: coverage.percent,
      wanted_percent: coverage.wantedPercent,
      files: coverage.files,
    },
    differences,
  };
  return `${JSON.stringify(view)}\n`;
}

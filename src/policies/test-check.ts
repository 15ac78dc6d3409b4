import { join } from 'node:path';
import type { Problem } from '../base/document.js';
import { capped } from '../base/encoding.js';
import { fileProblem } from '../base/problem.js';
import type { RegoTest } from '../rego/rego.js';
import { itemsFrom, type Found } from './found.js';
import type { CoverageReport, Item } from './report.js';
import type { Work } from './work.js';

const outputMax = 1_000;

/** The tests in Rego, each of them. */
export async function testCheck({ tested, layout }: Work): Promise<Found> {
  const report = await tested();
  if (!report.ok) return { items: itemsFrom('tests', report.why), note: '' };
  const { tests } = report.value;
  if (tests.length === 0)
    return { items: itemsFrom('tests', [fileProblem(layout.bundleDir, 'holds no tests (NAME_test.rego)')]), note: '' };
  const items = tests.map((test): Item => ({
    name: `${test.package}.${test.name}`,
    problem: problemOf(layout.bundleDir, test),
  }));
  const skipped = tests.filter(({ status }) => status === 'skipped').length;
  return { items, note: `${tests.length} tests${skipped === 0 ? '' : `, ${skipped} skipped`}` };
}

function problemOf(bundleDir: string, { status, name, file, row, output, cases, problems }: RegoTest): Problem | null {
  if (status === 'passed' || status === 'skipped') return null;
  const wrong = cases.filter(({ passed }) => !passed).map((each) => each.name);
  const why = [
    ...(wrong.length > 0 ? [`in the cases ${wrong.join(', ')}`] : []),
    ...problems.map(({ message }) => message),
    ...(output.trim() === '' ? [] : [`it printed ${output.trim()}`]),
  ];
  const told = why.length === 0 ? '' : `: ${capped(why.join('; '), outputMax)}`;
  return { file: join(bundleDir, file), line: row, column: 1, path: '', message: `${name} ${status}${told}` };
}

/** How much of the rules the tests reach. */
export async function coverageCheck({ tested, layout, demands }: Work): Promise<Found> {
  const report = await tested();
  if (!report.ok) return { items: itemsFrom('coverage', report.why), note: '' };
  const found = report.value.coverage;
  if (found === null) return { items: [], note: 'a test did not pass', isLeftOut: true };
  const { coveragePercentMin: wanted } = demands;
  const coverage: CoverageReport = {
    percent: found.percent,
    wantedPercent: wanted,
    files: [...found.files].map(([file, { percent, missed }]) => ({ file, percent, missed })),
  };
  const note = `${found.percent.toFixed(1)} %`;
  const message = `the tests reach ${note} of the rows, wanted at least ${wanted} %`;
  return {
    items: itemsFrom('coverage', found.percent < wanted ? [fileProblem(layout.bundleDir, message)] : []),
    note,
    coverage,
  };
}

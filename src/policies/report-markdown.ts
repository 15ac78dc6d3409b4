import { describeProblem } from '../base/document.js';
import { capped } from '../base/encoding.js';
import { percentText, rangesText } from './report-text.js';
import { problemsOf, type Report } from './report.js';

// A comment on a pull request holds 65,536 characters.
const rowsMax = 50;
const textMax = 300;

/** For a comment on a pull request: a table of the checks, the coverage, the differences, the problems. */
export function reportMarkdown(report: Report): string {
  const { ok, revision, compiler, checks } = report;
  const head = [
    `## Policy: ${ok ? 'good' : 'not good'}`,
    `Revision ${code(revision)}, compiled by ${code(compiler)}.`,
    table(
      ['check', 'result', 'note'],
      checks.map(({ name, outcome, note }) => [name, outcome === 'failed' ? '**failed**' : outcome, plain(note)]),
    ),
  ];
  return `${[...head, ...coverage(report), ...differences(report), ...problems(report)].join('\n\n')}\n`;
}

function coverage({ coverage: found }: Report): string[] {
  if (found === null) return [];
  const { percent, wantedPercent, files } = found;
  const partly = files.filter(({ missed }) => missed.length > 0);
  const head = `### Coverage ${percentText(percent)}, wanted at least ${wantedPercent} %`;
  if (partly.length === 0) return [head, 'The tests reach every row.'];
  const rows = partly.map(({ file, percent: own, missed }) => [code(file), percentText(own), rangesText(missed)]);
  return [head, table(['file', 'reached', 'rows that are not'], rows)];
}

function differences({ differences: found }: Report): string[] {
  if (found.length === 0) return [];
  const rows = found.map(({ evaluator, case: name, file, line, field, wanted, got }) => {
    return [code(`${file}:${line}`), code(name), evaluator, field, code(wanted), code(got)];
  });
  return ['### Differences', table(['place', 'case', 'by', 'field', 'wanted', 'got'], rows)];
}

/** Those that are not a row of the differences already. */
function problems({ checks }: Report): string[] {
  const lines = checks
    .filter(({ name }) => !name.startsWith('cases'))
    .flatMap((check) => problemsOf(check).map((problem) => `- ${check.name}: ${code(describeProblem(problem))}`));
  return lines.length === 0 ? [] : ['### Problems', shortened(lines).join('\n')];
}

const shortened = (lines: readonly string[]): readonly string[] =>
  lines.length <= rowsMax ? lines : [...lines.slice(0, rowsMax), `- and ${lines.length - rowsMax} more`];

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const more = rows.length > rowsMax ? [`\n${rows.length - rowsMax} more are not shown.`] : [];
  return [line(head), line(head.map(() => '---')), ...rows.slice(0, rowsMax).map(line), ...more].join('\n');
}

const flat = (text: string): string => capped(text.replace(/\s+/g, ' '), textMax);

/** Nothing in it is read as markup: it comes from files that somebody else wrote. */
function code(text: string): string {
  const line = flat(text).replaceAll('|', '\\|');
  const longest = Math.max(0, ...(line.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return line === '' ? '' : `${fence}${longest > 0 ? ' ' : ''}${line}${longest > 0 ? ' ' : ''}${fence}`;
}

// A page makes a mention of an escaped @ too.
const plain = (text: string): string => (/[\\`*_{}[\]<>#@!~&|]/.test(text) ? code(text) : flat(text));

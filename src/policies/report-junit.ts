import { describeProblem } from '../base/document.js';
import { visible } from '../base/encoding.js';
import type { Check, Item, Report } from './report.js';

/** For systems that read test results: a suite for each check, a test case for each thing that was looked at. */
export function reportJunit({ checks, revision, compiler }: Report): string {
  const all = checks.flatMap(itemsOf);
  const counts = {
    tests: all.length,
    failures: failuresIn(all),
    time: seconds(checks.reduce((sum, { ms }) => sum + ms, 0)),
  };
  const suites = checks.map((check) => suiteOf(check, { revision, compiler }));
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    open('testsuites', { name: 'memgate policy', ...counts }),
    ...suites,
    '</testsuites>',
    '',
  ].join('\n');
}

function suiteOf(check: Check, properties: Readonly<Record<string, string>>): string {
  const items = itemsOf(check);
  const isLeftOut = check.outcome === 'left out';
  const skipped = isLeftOut ? items.length : 0;
  const facts = {
    name: check.name,
    tests: items.length,
    failures: failuresIn(items),
    errors: 0,
    skipped,
    time: seconds(check.ms),
  };
  const rows = Object.entries(properties).map(([name, value]) => `      ${open('property', { name, value }, true)}`);
  const cases = items.map((item) => caseOf(check, item));
  return [
    `  ${open('testsuite', facts)}`,
    '    <properties>',
    ...rows,
    '    </properties>',
    ...cases,
    '  </testsuite>',
  ].join('\n');
}

/** A check without items is one case itself, so that a failure or an omission is never lost. */
const itemsOf = (check: Check): readonly Item[] =>
  check.items.length > 0 && (check.outcome !== 'failed' || failuresIn(check.items) > 0)
    ? check.items
    : [
        ...check.items,
        {
          name: check.name,
          problem: check.outcome === 'failed' ? { file: '', line: 0, column: 0, path: '', message: check.note } : null,
        },
      ];

const failuresIn = (items: readonly Item[]): number => items.filter(({ problem }) => problem !== null).length;

function caseOf({ name: suite, outcome, note }: Check, { name, problem }: Item): string {
  const place = problem === null || problem.file === '' ? {} : { file: problem.file, line: problem.line };
  const head = { name, classname: `policy.${suite.replaceAll(' ', '-')}`, ...place };
  if (problem === null && outcome !== 'left out') return `    ${open('testcase', head, true)}`;
  const inner =
    problem === null
      ? open('skipped', { message: note }, true)
      : `${open('failure', { message: problem.message })}${escaped(describeProblem(problem).replace(/^: /, ''))}</failure>`;
  return `    ${open('testcase', head)}\n      ${inner}\n    </testcase>`;
}

const seconds = (ms: number): string => (ms / 1_000).toFixed(3);

function open(tag: string, attributes: Readonly<Record<string, string | number>>, isEmpty = false): string {
  const text = Object.entries(attributes).map(([name, value]) => ` ${name}="${escaped(String(value))}"`);
  return `<${tag}${text.join('')}${isEmpty ? '/' : ''}>`;
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
};
// What XML 1.0 cannot hold, beside what no output of ours holds.
const impossible = /[\ufffe\uffff]/g;

const escaped = (text: string): string =>
  visible(text)
    .replace(impossible, (character) => `\\u${character.charCodeAt(0).toString(16)}`)
    .replace(/[&<>"']/g, (character) => entities[character] ?? '');

import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { comparePolicies, openPolicy, readNamedCases, type Changed, type PolicyDifference } from '../review/review.js';
import { markdownTable } from './markdown.js';
import { configOf, whole, type PolicyFileOptions } from './policy-options.js';
import { reportFormat } from './policy-replay.js';
import { kindWords, type ReplayFormat } from './policy-replay-show.js';
import { CommandFailure, facts, jsonLine, processTerminal, table } from './print.js';

interface DiffCommand extends PolicyFileOptions {
  readonly cases?: string;
  readonly format: ReplayFormat;
  readonly failOnDifference: boolean;
}

const usualCases = 'policies/cases';

/** `memgate policy diff` */
export function policyDiffCommand(policy: Command): void {
  policy
    .command('diff')
    .description(
      'Compare two policies: which cases, and which cells of the access matrix of all roles, they decide differently. Exit code 2 when it could not.',
    )
    .argument('<before>', 'compiled bundle')
    .argument('<after>', 'compiled bundle')
    .option('--data <dir>', 'data files that replace parts of the data of both')
    .option('--config <file>', 'configuration file that names these data')
    .option('--cases <dir>', `cases to compare on; default is ${usualCases} where it is there`)
    .addOption(reportFormat())
    .option('--fail-on-difference', 'exit code 1 when anything differs', false)
    .action(async (before: string, after: string, options: DiffCommand) => {
      const difference = await compared([before, after], options).catch((thrown: unknown) => {
        throw new CommandFailure(2, thrown instanceof Error ? thrown.message : 'unknown error');
      });
      processTerminal.out(showDifference(difference, options.format));
      process.exitCode = options.failOnDifference && !isSame(difference) ? 1 : 0;
    });
}

async function compared([before, after]: readonly [string, string], options: DiffCommand): Promise<PolicyDifference> {
  const config = await configOf(options);
  const data = options.data ?? null;
  const cases = options.cases ?? (existsSync(usualCases) ? usualCases : null);
  return comparePolicies(
    whole(await openPolicy({ config, bundle: before, data }), 2),
    whole(await openPolicy({ config, bundle: after, data }), 2),
    cases === null ? [] : whole(await readNamedCases(cases), 2),
  );
}

const isSame = ({ cases, matrix }: PolicyDifference): boolean => cases.length + matrix.length === 0;

const rowOf = ({ name, kind, before, after }: Changed): readonly string[] => [
  name,
  kindWords[kind],
  before.join(', '),
  after.join(', '),
];

function showDifference(difference: PolicyDifference, format: ReplayFormat): string {
  if (format === 'json') return jsonLine(difference);
  const { before, after, data, questions, cases, matrix } = difference;
  const rows: readonly (readonly [string, string | number | null])[] = [
    ['before', before],
    ['after', after],
    ['data that differ', data.join(', ') || null],
    ['questions', questions],
    ['cases that change', cases.length],
    ['cells of the matrix that change', matrix.length],
  ];
  const parts = [
    { head: ['CASE', 'HOW', 'BEFORE', 'AFTER'], changed: cases },
    { head: ['ROLE, PERMISSION, SITUATION', 'HOW', 'BEFORE', 'AFTER'], changed: matrix },
  ].filter(({ changed }) => changed.length > 0);
  const draw = format === 'markdown' ? markdownTable : table;
  const first = format === 'markdown' ? `## Policy difference\n\n${markdownTable(['', ''], rows)}` : facts(rows);
  return [first, ...parts.map(({ head, changed }) => draw(head, changed.map(rowOf)))].join('\n');
}

import { InvalidArgumentError, Option, type Command } from 'commander';
import { systemClock } from '../base/clock.js';
import {
  checkNames,
  reportJson,
  reportJunit,
  reportMarkdown,
  reportText,
  runChecks,
  type CheckName,
} from '../policies/policies.js';
import { sourceOptions, withPolicies, type SourceOptions } from './policy-sources.js';
import { processTerminal } from './print.js';

const renderers = { text: reportText, json: reportJson, junit: reportJunit, markdown: reportMarkdown };

interface ReportOptions extends SourceOptions {
  readonly format: keyof typeof renderers;
  readonly threshold?: number;
  readonly budgetMs?: number;
}

const coveragePercentMin = 95;
const budgetMs = 20;

const reported = (command: Command): Command =>
  sourceOptions(command).addOption(
    new Option(
      '--format <format>',
      'text for people, json for programs, junit for test systems, markdown for a pull request',
    )
      .choices(Object.keys(renderers))
      .default('text'),
  );

const thresholdOption = (): Option =>
  new Option('--threshold <percent>', 'share of the rows that the tests must reach')
    .argParser(percentOf)
    .default(coveragePercentMin);

const budgetOption = (): Option =>
  new Option(
    '--budget-ms <number>',
    'longest evaluation of the largest hostile input, best of five; policy.budget_ms of the configuration',
  )
    .argParser(msOf)
    .default(budgetMs);

function percentOf(text: string): number {
  if (!/^\d{1,3}(?:\.\d{1,2})?$/.test(text) || Number(text) > 100)
    throw new InvalidArgumentError('must be a number from 0 to 100');
  return Number(text);
}

function msOf(text: string): number {
  if (!/^[1-9]\d{0,4}$/.test(text)) throw new InvalidArgumentError('must be a whole number of milliseconds from 1');
  return Number(text);
}

/** `memgate policy check` */
export function policyCheckCommand(policy: Command): void {
  reported(policy.command('check'))
    .description(
      'Check the sources: strictly, within the capabilities, with exactly one entrypoint, and a whole decision for hostile inputs.',
    )
    .addOption(budgetOption())
    .action(reporter(['check', 'entrypoint', 'hostile inputs']));
}

/** `memgate policy test` */
export function policyTestCommand(policy: Command): void {
  reported(policy.command('test'))
    .description(
      'Run the tests in Rego with their coverage, and the cases through the compiler and through WebAssembly.',
    )
    .addOption(thresholdOption())
    .addOption(budgetOption())
    .action(
      reporter(['entrypoint', 'hostile inputs', 'tests', 'coverage', 'cases by the compiler', 'cases by WebAssembly']),
    );
}

/** `memgate policy ci` */
export function policyCiCommand(policy: Command): void {
  reported(policy.command('ci'))
    .description(
      'Make every check there is and print one report; a compiled bundle beside the sources must be theirs. Writes nothing.',
    )
    .addOption(thresholdOption())
    .addOption(budgetOption())
    .action(reporter(checkNames));
}

const reporter =
  (names: readonly CheckName[]) =>
  (dir: string, options: ReportOptions): Promise<void> =>
    withPolicies(dir, options, async (parts) => {
      const demands = {
        coveragePercentMin: options.threshold ?? coveragePercentMin,
        budgetMs: options.budgetMs ?? budgetMs,
      };
      const { report } = await runChecks(names, { ...parts, demands, clock: systemClock });
      processTerminal.out(renderers[options.format](report));
      process.exitCode = report.ok ? 0 : 1;
    });

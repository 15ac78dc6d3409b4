import { Option, type Command } from 'commander';
import { systemClock } from '../base/clock.js';
import { openPolicy, replayLog } from '../review/review.js';
import { configOf, countOf, logDirOf, sinceOf, whole, withLog, type LogOptions } from './policy-options.js';
import { showReplay, type ReplayFormat } from './policy-replay-show.js';
import { CommandFailure, processTerminal } from './print.js';

interface ReplayCommand extends LogOptions {
  readonly bundle: string;
  readonly data?: string;
  readonly since?: string;
  readonly limit: number;
  readonly format: ReplayFormat;
  readonly failOnDifference: boolean;
}

export const reportFormat = (): Option =>
  new Option('--format <format>', 'text for people, markdown for a pull request, json for programs')
    .choices(['text', 'markdown', 'json'])
    .default('text');

/** `memgate policy replay` */
export function policyReplayCommand(policy: Command): void {
  withLog(policy.command('replay'))
    .description(
      'Ask another policy every question that the audit log holds, at the time that it was asked, and list what it answers otherwise. Reads files only. Exit code 2 when it could not.',
    )
    .requiredOption('--bundle <file>', 'the other policy: a compiled bundle')
    .option('--data <dir>', 'data files that replace parts of its own; default is policy.data of --config')
    .option('--since <when>', 'decisions from then on: a duration back from now such as 7d, or a time')
    .option('--limit <number>', 'at most so many decisions, the oldest first', countOf, 10_000_000)
    .addOption(reportFormat())
    .option('--fail-on-difference', 'exit code 1 when anything differs', false)
    .action(async (options: ReplayCommand) => {
      const report = await replayed(options).catch((thrown: unknown) => {
        throw new CommandFailure(2, thrown instanceof Error ? thrown.message : 'unknown error');
      });
      processTerminal.out(showReplay(report, options.format));
      process.exitCode = options.failOnDifference && report.replayed > report.same ? 1 : 0;
    });
}

async function replayed(options: ReplayCommand): ReturnType<typeof replayLog> {
  const dir = await logDirOf(options);
  const config = await configOf(options);
  const policy = whole(await openPolicy({ config, bundle: options.bundle, data: options.data ?? null }), 2);
  const fromMs = options.since === undefined ? {} : { fromMs: sinceOf(options.since, systemClock.nowMs()) };
  return replayLog(policy, { dir, limit: options.limit, ...fromMs });
}

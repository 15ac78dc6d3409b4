import { InvalidArgumentError, type Command } from 'commander';
import { systemClock } from '../base/clock.js';
import { readObserved, type ObservedReport } from '../manage/manage.js';
import { durationForm, parseDuration } from './duration.js';
import { reportOption, type ReportFormat } from './format.js';
import type { PlaceOptions } from './place.js';
import { markdownTable } from './markdown.js';
import { jsonLine, processTerminal, table } from './print.js';

interface ObservedOptions {
  readonly since: number;
  readonly format: ReportFormat;
}

const durationOf = (text: string): number => {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError(`must be ${durationForm}`);
  return ms;
};

/** `memgate audit observed`: who would be refused. */
export function observedCommand(command: Command, dirOf: (place: PlaceOptions) => Promise<string>): void {
  command
    .description(
      'Show who passes only because requests are observed, and would be refused: without a key, or for want of a right.',
    )
    .option('--since <duration>', 'how far back, such as 12h or 7d', durationOf, durationOf('7d'))
    .addOption(reportOption())
    .action(async (options: ObservedOptions & PlaceOptions) => {
      const report = await readObserved(await dirOf(options), systemClock.nowMs() - options.since);
      processTerminal.out(options.format === 'json' ? jsonLine(report) : textOf(report, options.format));
    });
}

const columns = ['LAST SEEN', 'REQUESTS', 'ADDRESS', 'USER AGENT', 'CALLER', 'ROUTE', 'WOULD BE REFUSED FOR'];

const rowsOf = ({ callers }: ObservedReport): readonly (readonly (string | number | null)[])[] =>
  callers.map(({ lastSeen, count, clientAddress, userAgent, subject, route, code, reason }) => [
    `${lastSeen.slice(0, 19)}Z`,
    count,
    clientAddress,
    userAgent,
    subject,
    route,
    reason === '' ? code : `${code} (${reason})`,
  ]);

function textOf(report: ObservedReport, format: 'table' | 'markdown'): string {
  const rows = rowsOf(report);
  const list = rows.length === 0 ? '' : format === 'table' ? table(columns, rows) : markdownTable(columns, rows);
  return `${list}${rows.length === 0 ? '' : '\n'}${summary(report)}`;
}

function summary({ callers, wouldDeny, wouldAllow, others, folded }: ObservedReport): string {
  const lines = [
    `${String(wouldDeny)} requests of ${String(callers.length)} kinds would be refused; ${String(wouldAllow)} observed requests would pass`,
    others === 0 ? null : `${String(others)} of them are of further kinds, which this list has no room for`,
    folded === 0
      ? null
      : `${String(folded)} more records were only counted: raise audit.refusals_per_second to have them one by one`,
  ];
  return lines
    .filter((line) => line !== null)
    .map((line) => `${line}\n`)
    .join('');
}

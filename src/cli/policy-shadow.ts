import { resolve } from 'node:path';
import { InvalidArgumentError, Option, type Command } from 'commander';
import { visible } from '../base/encoding.js';
import type { JsonValue } from '../model/audit.js';
import { reportOption, type Format, type ReportFormat } from './format.js';
import { markdownTable } from './markdown.js';
import type { PlaceOptions } from './place.js';
import { facts, jsonLine, processTerminal, table } from './print.js';
import { clientOrFail, placed } from './process.js';
import { listOf, partOf, textOf } from './answer-parts.js';

interface ShadowOptions extends PlaceOptions {
  readonly format: Format;
}

const shareOf = (text: string): number => {
  const share = /^(?:0?\.\d{1,6}|[01](?:\.0+)?)$/.test(text) ? Number(text) : NaN;
  if (!(share > 0)) throw new InvalidArgumentError('must be a number above 0, at most 1, such as 0.1');
  return share;
};

/** `memgate policy shadow|shadow-report|promote|drop` */
export function shadowCommands(policy: Command): void {
  placed(policy.command('shadow <bundle>'))
    .description(
      'Ask this policy too what the one in force is asked, and count where it differs. It decides nothing, and ends with the process.',
    )
    .option('--data <dir>', 'directory of data files for it; default is policy.data')
    .option('--share <part>', 'part of the decisions, such as 0.1', shareOf, 1)
    .action(async (bundle: string, options: ShadowOptions & { data?: string; share: number }) => {
      const client = await clientOrFail(options);
      const data = options.data === undefined ? null : resolve(options.data);
      answer(
        await client.beginCandidate({ bundle: resolve(bundle), data, share: options.share }),
        options,
        'is asked too',
      );
    });
  reportCommand(policy);
  placed(policy.command('promote [revision]'))
    .description(
      'Put the candidate in the place of the policy in force, by way of a reload with all its checks; it lasts until the configuration holds another bundle.',
    )
    .action(async (revision: string | undefined, options: ShadowOptions) => {
      const client = await clientOrFail(options);
      answer(await client.promoteCandidate(revision ?? null), options, 'is in force');
    });
  placed(policy.command('drop'))
    .description('End the trial of the candidate; nothing else changes.')
    .action(async (options: ShadowOptions) => {
      answer(await (await clientOrFail(options)).dropCandidate(), options, 'is dropped');
    });
}

/** What was done, or every problem that kept everything as it is. */
function answer(value: JsonValue, { format }: ShadowOptions, what: string): void {
  const { done, problems, revision, candidate, lasts } = partOf(value);
  process.exitCode = done === true ? 0 : 1;
  if (format === 'json') processTerminal.out(jsonLine(value));
  else if (done === true) {
    const name = textOf(revision ?? partOf(candidate)['revision']);
    const until = lasts === undefined ? '' : `; it lasts ${String(textOf(lasts))}`;
    processTerminal.out(visible(`revision ${String(name)} ${what}${until}`) + '\n');
  } else {
    const lines = listOf(problems).map((problem) => `  ${visible(String(textOf(problem)))}\n`);
    processTerminal.out(`nothing was changed\n${lines.join('')}`);
  }
}

interface ReportOptions extends PlaceOptions {
  readonly format: ReportFormat;
  readonly failOnDifference?: true;
}

function reportCommand(policy: Command): void {
  placed(policy.command('shadow-report'), reportOption())
    .description('Show where the candidate would have decided otherwise, by route and space, with samples.')
    .addOption(new Option('--fail-on-difference', 'exit with 1 where it would have decided otherwise, or failed'))
    .action(async (options: ReportOptions) => {
      const value = await (await clientOrFail(options)).candidateReport();
      processTerminal.out(options.format === 'json' ? jsonLine(value) : reportText(value, options.format));
      const { candidate, would_allow: allows, would_deny: denies, failed } = partOf(value);
      const differs = [allows, denies, failed].some((count) => typeof count === 'number' && count > 0);
      process.exitCode = candidate === null || (differs && options.failOnDifference === true) ? 1 : 0;
    });
}

const countNames = ['agree', 'other_terms', 'would_allow', 'would_deny', 'failed'] as const;
const rowHead = ['ROUTE', 'SPACE', 'AGREE', 'OTHER TERMS', 'WOULD ALLOW', 'WOULD DENY', 'FAILED'];
const sampleHead = ['AT', 'DECISION', 'ROUTE', 'SPACE', 'RESULT', 'IN FORCE', 'CANDIDATE'];

function reportText(value: JsonValue, format: 'table' | 'markdown'): string {
  const report = partOf(value);
  const { candidate, rows, samples } = report;
  if (candidate === null || candidate === undefined) return 'there is no candidate\n';
  const { revision, origin, share } = partOf(candidate);
  const list = format === 'table' ? table : markdownTable;
  const head: readonly (readonly [string, string | number | null])[] = [
    ['candidate', textOf(revision)],
    ['from', textOf(origin)],
    ['share', textOf(share)],
    ...(report['since'] === undefined
      ? [['state', 'it is the policy in force'] as const]
      : [
          ['since', textOf(report['since'])] as const,
          ['state', textOf(report['stopped']) ?? 'is asked'] as const,
          ['compared', textOf(report['compared'])] as const,
          ...countNames.map((name) => [name.replace('_', ' '), textOf(report[name])] as const),
          ['not asked', textOf(report['dropped'])] as const,
        ]),
  ];
  const told = format === 'table' ? facts(head) : list(['', ''], head);
  const rowCells = listOf(rows).map((row) =>
    ['route', 'space', ...countNames].map((name) => textOf(partOf(row)[name])),
  );
  const sampleCells = listOf(samples).map((sample) => sampleRow(partOf(sample)));
  const parts = [
    told,
    rowCells.length === 0 ? '' : list(rowHead, rowCells),
    sampleCells.length === 0 ? '' : list(sampleHead, sampleCells),
  ];
  return parts.filter((part) => part !== '').join('\n');
}

function sampleRow(sample: Readonly<Record<string, JsonValue>>): readonly (string | number | null)[] {
  const said = (answered: JsonValue | undefined): string => {
    const { allow, reasons } = partOf(answered);
    return allow === true ? 'allow' : `deny: ${listOf(reasons).map(textOf).join(', ')}`;
  };
  const { error, candidate } = sample;
  const other = candidate === null ? `error: ${String(textOf(error))}` : said(candidate);
  const first = ['at', 'id', 'route', 'space', 'result'].map((name) => textOf(sample[name]));
  return [...first, said(sample['live']), other];
}

import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { visible } from '../base/encoding.js';
import { readAuditTail, verifyAuditLog } from '../manage/manage.js';
import { auditDirOf } from '../app/app.js';
import { observedCommand } from './audit-observed.js';
import { findPlace, type PlaceOptions } from './place.js';
import { CommandFailure, jsonLine, processTerminal } from './print.js';
import { formatOption, type Format } from './format.js';

interface AuditOptions extends PlaceOptions {
  readonly auditDir?: string;
  readonly format: Format;
}

const countOf = (text: string): number => {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('must be a whole number from 1');
  return Number(text);
};

const inLog = (command: Command): Command =>
  command
    .option('--audit-dir <dir>', 'directory of the audit log')
    .option('--data-dir <dir>', 'data directory that holds it; default is $MEMGATE_DATA_DIR')
    .option('--config <file>', 'configuration file that names it');

const placed = (command: Command): Command => inLog(command).addOption(formatOption());

/** The log's own directory, or that of the data directory or configuration. */
async function dirOf(options: Pick<AuditOptions, keyof PlaceOptions | 'auditDir'>): Promise<string> {
  const dir = options.auditDir ?? (await placedDir(options));
  if (existsSync(dir)) return dir;
  throw new CommandFailure(1, `there is no audit log in ${dir}`);
}

async function placedDir(options: PlaceOptions): Promise<string> {
  const { dataDir, config } = await findPlace(options);
  return config === null || options.dataDir !== undefined ? join(dataDir, 'audit') : auditDirOf(config);
}

/** `memgate audit tail|verify|observed` */
export function auditCommands(program: Command): void {
  const audit = program.command('audit').description('Read and check the durable record of decisions.');
  placed(audit.command('tail'))
    .description('Show the newest records.')
    .option('-n, --count <number>', 'how many', countOf, 20)
    .action(async (options: AuditOptions & { count: number }) => {
      for (const record of await readAuditTail(await dirOf(options), options.count)) {
        processTerminal.out(options.format === 'json' ? jsonLine(record) : `${lineOf(record)}\n`);
      }
    });
  placed(audit.command('verify'))
    .description('Check the chain of the whole log: every change, gap, swap and cut is named with its place.')
    .action(async (options: AuditOptions) => {
      const dir = await dirOf(options);
      const found = await verifyAuditLog(dir);
      if (found.segments === 0 && found.ok) throw new CommandFailure(1, `there is no audit log in ${dir}`);
      if (options.format === 'json') processTerminal.out(jsonLine(found));
      else {
        for (const { segment, line, kind, message } of [...found.notices, ...found.problems])
          processTerminal.out(`${segment}:${String(line)}: ${kind}: ${visible(message)}\n`);
        processTerminal.out(
          `${String(found.records)} records in ${String(found.segments)} segments: ${found.ok ? 'the chain holds' : 'THE CHAIN IS BROKEN'}\n`,
        );
      }
      process.exitCode = found.ok ? 0 : 1;
    });
  observedCommand(inLog(audit.command('observed')), dirOf);
}

/** One line for people: time, what, who, where, and how it went. */
function lineOf(record: Readonly<Record<string, unknown>>): string {
  const names = ['method', 'route', 'status', 'code'];
  const parts = [
    record['time'],
    record['type'],
    memberOf(record['subject'], 'id'),
    record['actor_id'],
    ...names.map((name) => record[name]),
    ...spacesOf(record['spaces']),
    ...missingOf(record['missing']),
    record['id'],
  ];
  return visible(parts.filter((part) => typeof part === 'string' || typeof part === 'number').join('  '));
}

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;

const listed = (value: unknown): string => (Array.isArray(value) ? value.join(',') : '');

function spacesOf(value: unknown): readonly string[] {
  const names = memberOf(value, 'all') === true ? '*' : listed(memberOf(value, 'ids'));
  return names === '' ? [] : [`space=${names}`];
}

const missingOf = (value: unknown): readonly string[] => (listed(value) === '' ? [] : [`missing=${listed(value)}`]);

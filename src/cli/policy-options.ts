import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { InvalidArgumentError, type Command } from 'commander';
import { describeProblem, type Problem } from '../base/document.js';
import { auditDirOf } from '../app/app.js';
import { loadConfig, type LoadedConfig } from '../config/config.js';
import type { Result } from '../base/result.js';
import { durationForm, parseDuration } from './duration.js';
import { findPlace, type PlaceOptions } from './place.js';
import { CommandFailure } from './print.js';

/** A policy and its data: of a configuration, or named by themselves. */
export interface PolicyFileOptions {
  readonly config?: string | undefined;
  readonly bundle?: string;
  readonly data?: string;
}

export interface LogOptions extends PlaceOptions {
  readonly log?: string;
}

/** Whatever is wrong, on as many lines as it takes. */
export function whole<T>(read: Result<T, readonly Problem[]>, exitCode: 1 | 2 = 1): T {
  if (read.ok) return read.value;
  throw new CommandFailure(exitCode, read.why.map(describeProblem).join('\n'));
}

export async function configOf({ config }: PolicyFileOptions): Promise<LoadedConfig | null> {
  return config === undefined ? null : whole(await loadConfig(config));
}

/** The directory of the log: named, or that of the data directory or of the configuration. */
export async function logDirOf(options: LogOptions): Promise<string> {
  const dir = options.log === undefined ? await placedLogDir(options) : resolve(options.log);
  if (existsSync(dir)) return dir;
  throw new CommandFailure(2, `there is no audit log in ${dir}`);
}

async function placedLogDir(options: PlaceOptions): Promise<string> {
  const { dataDir, config } = await findPlace(options);
  return config === null || options.dataDir !== undefined ? join(dataDir, 'audit') : auditDirOf(config);
}

export const withLog = (command: Command): Command =>
  command
    .option('--log <dir>', 'directory of the audit log')
    .option('--data-dir <dir>', 'data directory that holds it; default is $MEMGATE_DATA_DIR')
    .option('--config <file>', 'configuration file that names it');

/** A duration back from now, or a point of time, as Unix time in ms. */
export function sinceOf(text: string, nowMs: number): number {
  const durationMs = parseDuration(text);
  if (durationMs !== null) return nowMs - durationMs;
  const atMs = /^\d{4}-\d\d-\d\d(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d))?$/.test(text) ? Date.parse(text) : NaN;
  if (Number.isNaN(atMs))
    throw new CommandFailure(2, `--since: must be ${durationForm}, or a time such as 2027-01-31T00:00:00Z`);
  return atMs;
}

export function countOf(text: string): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new InvalidArgumentError('must be a whole number from 1');
  return Number(text);
}

import { InvalidArgumentError, type Command } from 'commander';
import { durationForm, parseDuration } from './duration.js';
import { formatOption } from './format.js';

/** A duration on the command line, in ms. */
export function durationArgument(text: string): number {
  const ms = parseDuration(text);
  if (ms === null) throw new InvalidArgumentError(`Write ${durationForm}.`);
  return ms;
}

/** `a,b` as a list; no empty names. */
export function listArgument(text: string): readonly string[] {
  const names = text.split(',').map((name) => name.trim());
  if (names.some((name) => name === '')) throw new InvalidArgumentError('Write names with commas between them.');
  return names;
}

/** An option that may be given more than once. */
export const oneMore = (text: string, before: readonly string[]): readonly string[] => [...before, text];

/** The options that every command of `auth` has. */
export const everywhere = (command: Command): Command =>
  command
    .option('--data-dir <dir>', 'data directory; default is $MEMGATE_DATA_DIR')
    .option('--config <file>', 'configuration file: names the data directory, key manifests, roles and tiers')
    .addOption(formatOption());

import { InvalidArgumentError, Option, type Command } from 'commander';
import { controlClient, controlPath, type ControlClient } from '../control/control.js';
import { formatOption, type Format } from './format.js';
import { findRunning, type PlaceOptions } from './place.js';
import { CommandFailure, jsonLine, processTerminal } from './print.js';
import { showReload } from './reload-show.js';
import { showStatus } from './process-show.js';

interface ProcessOptions extends PlaceOptions {
  readonly format: Format;
}

interface ReloadOptions extends ProcessOptions {
  readonly dryRun: boolean;
}

/** The running process. */
export const clientOrFail = async (options: PlaceOptions): Promise<ControlClient> => {
  const { dataDir, broken } = await findRunning(options);
  const client = await controlClient(controlPath(dataDir));
  if (client !== null) return client;
  throw new CommandFailure(1, broken ?? `no memgate process is running on data directory ${dataDir}`);
};

/** `memgate reload` */
export function reloadCommand(program: Command): void {
  placed(program.command('reload'))
    .description(
      'Make the running process read configuration, profile, policy and key manifests again; a failure keeps everything as it is.',
    )
    .addOption(dryRunOption())
    .option(
      '--allow-rollback',
      'take a policy bundle with a lower serial than the one before it, this once; recorded',
      false,
    )
    .action((options: ReloadOptions & { readonly allowRollback: boolean }) =>
      reloadWith(options, { dryRun: options.dryRun, allowRollback: options.allowRollback }),
    );
}

/** `memgate rollback` */
export function rollbackCommand(program: Command): void {
  placed(program.command('rollback'))
    .description(
      'Make the running process go back to a kept generation (policy, policy data, cases, profile, configuration; never keys) until the next memgate reload. A restart keeps to it.',
    )
    .argument(
      '[hash]',
      'beginning of its hash, 6 digits at least; memgate status lists them. Default is the one before',
      hashStart,
    )
    .addOption(dryRunOption())
    .action((hash: string | undefined, options: ReloadOptions) =>
      reloadWith(options, { dryRun: options.dryRun, backTo: hash ?? null }),
    );
}

function hashStart(text: string): string {
  if (!/^[0-9a-f]{6,32}$/.test(text))
    throw new InvalidArgumentError('must be 6 to 32 hexadecimal digits in lower case');
  return text;
}

const dryRunOption = (): Option =>
  new Option('--dry-run', 'read, check and tell what would change, and change nothing').default(false);

async function reloadWith(options: ReloadOptions, wish: Parameters<ControlClient['reload']>[0]): Promise<void> {
  const answer = await (await clientOrFail(options)).reload(wish);
  const { text, isDone } = showReload(answer);
  processTerminal.out(options.format === 'json' ? jsonLine(answer) : text);
  process.exitCode = isDone ? 0 : 1;
}

/** `memgate status` */
export function statusCommand(program: Command): void {
  placed(program.command('status'))
    .description('Show what the running process is and how it does.')
    .action(async (options: ProcessOptions) => {
      const answer = await (await clientOrFail(options)).status();
      processTerminal.out(options.format === 'json' ? jsonLine(answer) : showStatus(answer));
    });
}

/** A command that asks the running process. */
export const placed = (command: Command, format: Option = formatOption()): Command =>
  command
    .option('--data-dir <dir>', 'data directory of the process; default is $MEMGATE_DATA_DIR')
    .option('--config <file>', 'configuration file that names it')
    .addOption(format);

import type { Command } from 'commander';
import { controlClient, controlPath, type ControlClient } from '../control/control.js';
import { formatOption, type Format } from './format.js';
import { findRunning, type PlaceOptions } from './place.js';
import { CommandFailure, jsonLine, processTerminal } from './print.js';
import { isReloaded, showReload, showStatus } from './process-show.js';

interface ProcessOptions extends PlaceOptions {
  readonly format: Format;
}

const clientOrFail = async (options: PlaceOptions): Promise<ControlClient> => {
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
    .action(async (options: ProcessOptions) => {
      const answer = await (await clientOrFail(options)).reload();
      processTerminal.out(options.format === 'json' ? jsonLine(answer) : showReload(answer));
      process.exitCode = isReloaded(answer) ? 0 : 1;
    });
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

const placed = (command: Command): Command =>
  command
    .option('--data-dir <dir>', 'data directory of the process; default is $MEMGATE_DATA_DIR')
    .option('--config <file>', 'configuration file that names it')
    .addOption(formatOption());

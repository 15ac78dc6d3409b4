import type { Command } from 'commander';
import { controlClient, controlPath, type ControlClient } from '../control/control.js';
import type { JsonValue } from '../model/audit.js';
import { findPlace, type PlaceOptions } from './place.js';
import { CommandFailure, processTerminal } from './print.js';

const clientOrFail = async (options: PlaceOptions): Promise<ControlClient> => {
  const { dataDir } = await findPlace(options);
  const client = await controlClient(controlPath(dataDir));
  if (client !== null) return client;
  throw new CommandFailure(1, `no memgate process is running on data directory ${dataDir}`);
};

const show = (answer: JsonValue): void => {
  processTerminal.out(`${JSON.stringify(answer, null, 2)}\n`);
};

/** `memgate reload` */
export function reloadCommand(program: Command): void {
  placed(program.command('reload'))
    .description(
      'Make the running process read configuration, profile, policy and key manifests again; a failure keeps everything as it is.',
    )
    .action(async (options: PlaceOptions) => {
      const answer = await (await clientOrFail(options)).reload();
      show(answer);
      const isReloaded =
        typeof answer === 'object' && answer !== null && 'reloaded' in answer && answer.reloaded === true;
      process.exitCode = isReloaded ? 0 : 1;
    });
}

/** `memgate status` */
export function statusCommand(program: Command): void {
  placed(program.command('status'))
    .description('Show what the running process is and how it does.')
    .action(async (options: PlaceOptions) => {
      show(await (await clientOrFail(options)).status());
    });
}

const placed = (command: Command): Command =>
  command
    .option('--data-dir <dir>', 'data directory of the process; default is $MEMGATE_DATA_DIR')
    .option('--config <file>', 'configuration file that names it');

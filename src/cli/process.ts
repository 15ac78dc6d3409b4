import type { Command } from 'commander';
import { controlClient } from '../control/control.js';
import { placeOf, type PlaceOptions } from './place.js';

const clientOrFail = async (options: PlaceOptions): Promise<NonNullable<Awaited<ReturnType<typeof controlClient>>>> => {
  const { controlSocket, dataDir } = await placeOf(options);
  const client = await controlClient(controlSocket);
  if (client === null) throw new Error(`no memgate process is running on data directory ${dataDir}`);
  return client;
};

/** `memgate reload` */
export function reloadCommand(program: Command): void {
  placed(program.command('reload'))
    .description(
      'Make the running process read configuration, profile, policy and key manifests again; a failure keeps everything as it is.',
    )
    .action(async (options: PlaceOptions) => {
      const answer = await (await clientOrFail(options)).reload();
      process.stdout.write(`${JSON.stringify(answer, null, 2)}\n`);
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
      const status = await (await clientOrFail(options)).status();
      process.stdout.write(`${JSON.stringify(status, null, 2)}\n`);
    });
}

const placed = (command: Command): Command =>
  command
    .option('--data-dir <dir>', 'data directory of the process; default is $MEMGATE_DATA_DIR')
    .option('--config <file>', 'configuration file that names it');

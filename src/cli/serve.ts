import type { Command } from 'commander';
import { start } from '../app/app.js';
import { endFailedStart, runUntilStopped } from './process-life.js';

/** `memgate serve` */
export function serveCommand(program: Command): void {
  program
    .command('serve')
    .description('Run the sidecar.')
    .requiredOption('--config <file>', 'configuration file')
    .option('--i-know-this-is-open', 'accept auth_mode: none, which lets everybody pass', false)
    .action(async (options: { config: string; iKnowThisIsOpen: boolean }) => {
      const running = await start({ file: options.config, mayBeOpen: options.iKnowThisIsOpen });
      if (!running.ok) {
        endFailedStart(running.why);
        return;
      }
      const { reloader, log, stop } = running.value;
      runUntilStopped({ stop, log, hangUp: () => reloader.reload({ kind: 'system', id: 'SIGHUP', address: null }) });
    });
}

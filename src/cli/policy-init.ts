import { join } from 'node:path';
import type { Command } from 'commander';
import { copyShipped } from '../policies/policies.js';
import { CommandFailure, processTerminal } from './print.js';

/** `memgate policy init DIR` */
export function policyInitCommand(policy: Command): void {
  policy
    .command('init')
    .description('Copy the shipped policy sources, cases and capabilities into a directory of your own, to be edited.')
    .argument('<dir>', 'new or empty directory')
    .action(async (dir: string) => {
      const copied = await copyShipped(dir);
      if (!copied.ok) throw new CommandFailure(1, copied.why);
      processTerminal.out(
        `${String(copied.value.length)} files in ${dir}: edit ${join(dir, 'bundle')}, then \`memgate policy ci ${dir}\`\n`,
      );
    });
}

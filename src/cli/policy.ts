import type { Command } from 'commander';
import { policyInitCommand } from './policy-init.js';

/** `memgate policy …`: a file for each command, a line for each here. */
export function policyCommands(program: Command): void {
  const policy = program
    .command('policy')
    .description('Policies as code: write, check, test, build and inspect them. Needs no running process.');
  policyInitCommand(policy);
}

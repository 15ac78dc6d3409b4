import type { Command } from 'commander';
import { policyAdviseCommand } from './policy-advise.js';
import { policyDiffCommand } from './policy-diff.js';
import { policyExplainCommand } from './policy-explain.js';
import { policyInitCommand } from './policy-init.js';
import { policyMatrixCommand } from './policy-matrix.js';
import { policyReplayCommand } from './policy-replay.js';
import { policySignCommand } from './policy-sign.js';
import { policyVerifyCommand } from './policy-verify.js';

/** `memgate policy …`: a file for each command, a line for each here. */
export function policyCommands(program: Command): void {
  const policy = program
    .command('policy')
    .description('Policies as code: write, check, test, build and inspect them. Needs no running process.');
  policyInitCommand(policy);
  policyExplainCommand(policy);
  policyReplayCommand(policy);
  policyDiffCommand(policy);
  policyMatrixCommand(policy);
  policyAdviseCommand(policy);
  policySignCommand(policy);
  policyVerifyCommand(policy);
}

import type { Command } from 'commander';
import { policyAdviseCommand } from './policy-advise.js';
import { policyBuildCommand } from './policy-build.js';
import { policyCheckCommand, policyCiCommand, policyTestCommand } from './policy-check.js';
import { policyDiffCommand } from './policy-diff.js';
import { policyExplainCommand } from './policy-explain.js';
import { policyFmtCommand } from './policy-fmt.js';
import { policyInitCommand } from './policy-init.js';
import { policyInspectCommand } from './policy-inspect.js';
import { policyMatrixCommand } from './policy-matrix.js';
import { policyReplayCommand } from './policy-replay.js';
import { shadowCommands } from './policy-shadow.js';
import { policySignCommand } from './policy-sign.js';
import { policyVerifyCommand } from './policy-verify.js';

/** `memgate policy …`: a file for each command, a line for each here. */
export function policyCommands(program: Command): void {
  const policy = program
    .command('policy')
    .description('Policies as code: write, check, test, build, sign and inspect them; explain, replay and compare.');
  policyInitCommand(policy);
  policyFmtCommand(policy);
  policyCheckCommand(policy);
  policyTestCommand(policy);
  policyBuildCommand(policy);
  policyCiCommand(policy);
  policyInspectCommand(policy);
  policySignCommand(policy);
  policyVerifyCommand(policy);
  policyExplainCommand(policy);
  policyReplayCommand(policy);
  policyDiffCommand(policy);
  policyMatrixCommand(policy);
  policyAdviseCommand(policy);
  shadowCommands(policy);
}

import type { Command } from 'commander';
import { describeProblem } from '../base/document.js';
import { visible } from '../base/encoding.js';
import { formatSources } from '../policies/policies.js';
import { sourceOptions, withPolicies, type SourceOptions } from './policy-sources.js';
import { CommandFailure, processTerminal } from './print.js';

/** `memgate policy fmt` */
export function policyFmtCommand(policy: Command): void {
  sourceOptions(policy.command('fmt'))
    .description('Bring Rego into its one format, and name the files that were not in it.')
    .option('--check', 'write nothing; exit 1 when a file is not formatted', false)
    .action((dir: string, options: SourceOptions & { check: boolean }) =>
      withPolicies(dir, options, async (parts) => {
        const files = await formatSources(parts, !options.check);
        if (!files.ok) throw new CommandFailure(1, files.why.map(describeProblem).join('\n'));
        for (const file of files.value) processTerminal.out(`${visible(file)}\n`);
        process.exitCode = options.check && files.value.length > 0 ? 1 : 0;
      }),
    );
}

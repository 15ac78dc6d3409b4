import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Command } from 'commander';
import { systemClock } from '../base/clock.js';
import { replaceFile } from '../base/replace-file.js';
import { reportText, runChecks } from '../policies/policies.js';
import { sourceOptions, withPolicies, type SourceOptions } from './policy-sources.js';
import { CommandFailure, processTerminal } from './print.js';

// Only what does not come back is refused here: the budget of a deployment is that of its machine.
const budgetMs = 250;

/** `memgate policy build` */
export function policyBuildCommand(policy: Command): void {
  sourceOptions(policy.command('build'))
    .description(
      'Check the sources and compile them into a bundle. Its revision is a digest of them: the same sources give the same bundle.',
    )
    .action((dir: string, options: SourceOptions) =>
      withPolicies(dir, options, async (parts) => {
        const demands = { coveragePercentMin: 0, budgetMs };
        const { report, work } = await runChecks(['check', 'entrypoint', 'hostile inputs'], {
          ...parts,
          demands,
          clock: systemClock,
        });
        const built = report.ok ? await work.built() : null;
        if (built === null || !built.ok) throw new CommandFailure(1, reportText(report).trimEnd());
        const { outputFile } = parts.layout;
        await mkdir(dirname(outputFile), { recursive: true });
        await replaceFile(outputFile, built.value);
        processTerminal.out(`${outputFile}: revision ${report.revision}, ${built.value.length} bytes\n`);
      }),
    );
}

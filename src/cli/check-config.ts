import type { Command } from 'commander';
import { checkSources } from '../app/app.js';
import { formatOption, type Format } from './format.js';

/** `memgate check-config` */
export function checkConfigCommand(program: Command): void {
  program
    .command('check-config')
    .description(
      'Check a configuration with everything that it names: profile, policy, key manifests and secrets. Changes nothing.',
    )
    .argument('<file>', 'configuration file')
    .option('--i-know-this-is-open', 'accept auth_mode: none, which lets everybody pass', false)
    .addOption(formatOption())
    .action(async (file: string, options: { iKnowThisIsOpen: boolean; format: Format }) => {
      const problems = await checkSources({ file, mayBeOpen: options.iKnowThisIsOpen });
      if (options.format === 'json')
        process.stdout.write(`${JSON.stringify({ ok: problems.length === 0, problems })}\n`);
      else if (problems.length === 0) process.stdout.write(`${file} is good\n`);
      else for (const problem of problems) process.stderr.write(`${problem}\n`);
      process.exitCode = problems.length === 0 ? 0 : 1;
    });
}

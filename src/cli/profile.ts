import type { Command } from 'commander';
import { describeProblem, type Problem } from '../base/document.js';
import type { Result } from '../base/result.js';
import { draftProfile, readBuiltIn, readProfile } from '../profiles/profiles.js';
import { formatOption, type Format } from './format.js';
import { CommandFailure, jsonLine, processTerminal } from './print.js';
import { showChecked, showList, showProfile, showRoutes } from './profile-show.js';

interface Formatted {
  readonly format: Format;
}

const nameText = 'name of a profile that memgate brings, or a file';

/** `memgate profile list|show|routes|check|init` */
export function profileCommands(program: Command): void {
  const profile = program
    .command('profile')
    .description(
      'Profiles of memory servers: which there are, what they say, whether one loads, a draft of a new one.',
    );
  profile
    .command('list')
    .description('List the profiles that memgate brings.')
    .addOption(formatOption())
    .action(async ({ format }: Formatted) => {
      processTerminal.out(showList(whole(await readBuiltIn()), format));
    });
  profile
    .command('show')
    .description('Show what a profile says about the whole server, and what it denies on purpose.')
    .argument('<profile>', nameText)
    .addOption(formatOption())
    .action(async (name: string, { format }: Formatted) => {
      processTerminal.out(showProfile(whole(await readProfile(name)), format));
    });
  profile
    .command('routes')
    .description('List the routes of a profile: action, permission, and where the space comes from.')
    .argument('<profile>', nameText)
    .addOption(formatOption())
    .action(async (name: string, { format }: Formatted) => {
      processTerminal.out(showRoutes(whole(await readProfile(name)), format));
    });
  checkCommand(profile);
  initCommand(profile);
}

function checkCommand(profile: Command): void {
  profile
    .command('check')
    .description('Check a profile: every problem with its line, or what it lets through. Changes nothing.')
    .argument('<file>', 'profile file, or the name of one that memgate brings')
    .addOption(formatOption())
    .action(async (name: string, { format }: Formatted) => {
      const read = await readProfile(name);
      if (read.ok) processTerminal.out(showChecked(read.value, format));
      else if (format === 'json') processTerminal.out(jsonLine({ ok: false, problems: read.why.map(describeProblem) }));
      else processTerminal.err(lines(read.why));
      process.exitCode = read.ok ? 0 : 1;
    });
}

function initCommand(profile: Command): void {
  profile
    .command('init')
    .description(
      'Write a draft of a profile to standard output. A route that the document does not say enough about stands in it as a comment with the reason and is not allowed.',
    )
    .requiredOption('--openapi <file>', 'OpenAPI document of the memory server, JSON or YAML')
    .option('--name <name>', 'name of the profile', 'draft')
    .option(
      '--space <names...>',
      'parameters and body fields that name the space; without it the usual names are looked for',
    )
    .action(async (options: { openapi: string; name: string; space?: string[] }) => {
      const draft = whole(
        await draftProfile({ file: options.openapi, name: options.name, spaceNames: options.space ?? [] }),
      );
      processTerminal.out(draft.text);
      const { operations, allowed } = draft;
      processTerminal.err(
        `${String(operations)} operations: ${String(allowed)} allowed as far as the document says, ${String(operations - allowed)} left out, each with its reason\n`,
      );
    });
}

const lines = (problems: readonly Problem[]): string => problems.map((one) => `${describeProblem(one)}\n`).join('');

function whole<T>(read: Result<T, readonly Problem[]>): T {
  if (read.ok) return read.value;
  throw new CommandFailure(1, lines(read.why).trimEnd());
}

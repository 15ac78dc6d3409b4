import type { Command } from 'commander';
import { describeProblem } from '../base/document.js';
import { inspectBundle, type BundleFacts } from '../policies/policies.js';
import { formatOption, type Format } from './format.js';
import { CommandFailure, facts, jsonLine, processTerminal, table } from './print.js';

/** `memgate policy inspect FILE` */
export function policyInspectCommand(policy: Command): void {
  policy
    .command('inspect')
    .description(
      'Show what a compiled bundle says about itself: revision, serial, end, entrypoint, data and members. Runs nothing and verifies nothing.',
    )
    .argument('<file>', 'compiled bundle')
    .addOption(formatOption())
    .action(async (file: string, { format }: { format: Format }) => {
      const bundle = await inspectBundle(file);
      if (!bundle.ok) throw new CommandFailure(1, bundle.why.map(describeProblem).join('\n'));
      processTerminal.out(format === 'json' ? jsonLine(bundle.value) : shown(bundle.value));
    });
}

function shown({
  revision,
  serial,
  not_after: notAfter,
  signed,
  entrypoint,
  data,
  members,
  bytes,
}: BundleFacts): string {
  const head = facts([
    ['revision', revision],
    ['serial', serial],
    ['not after', notAfter],
    ['signature', signed ? 'there is one; memgate policy verify looks whose' : 'none'],
    ['entrypoint', entrypoint],
    ['bytes', bytes],
  ]);
  return `${head}\n${table(['DATA', 'BYTES AS JSON'], Object.entries(data))}\n${table(['MEMBER', 'BYTES'], Object.entries(members))}`;
}

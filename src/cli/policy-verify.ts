import type { Command } from 'commander';
import { systemClock } from '../base/clock.js';
import { describeProblem } from '../base/document.js';
import { instantText, readBundleFile, verificationWith, type Bundle } from '../bundle/bundle.js';
import type { SignatureAlgorithm } from '../model/signature.js';
import { formatOption, type Format } from './format.js';
import { algorithmOption } from './policy-sign.js';
import { CommandFailure, facts, jsonLine, processTerminal } from './print.js';

interface VerifyOptions {
  readonly key: string;
  readonly keyId: string;
  readonly algorithm?: SignatureAlgorithm;
  readonly scope?: string;
  readonly format: Format;
}

/** `memgate policy verify` */
export function policyVerifyCommand(policy: Command): void {
  policy
    .command('verify')
    .description('Verify the signature of a bundle as a reload would, and show what is signed.')
    .argument('<bundle>', 'signed bundle')
    .requiredOption('--key <file>', 'public key in PEM form')
    .requiredOption('--key-id <id>', 'id of the key')
    .addOption(algorithmOption())
    .option('--scope <name>', 'what the signature has to say it is for')
    .addOption(formatOption())
    .action(verify);
}

async function verify(file: string, { key, keyId, algorithm, scope, format }: VerifyOptions): Promise<void> {
  const verification = await verificationWith({
    id: keyId,
    file: key,
    algorithm: algorithm ?? null,
    scope: scope ?? '',
  });
  if (!verification.ok) throw new CommandFailure(1, verification.why);
  const bundle = await readBundleFile(file, verification.value);
  if (!bundle.ok) throw new CommandFailure(1, bundle.why.map(describeProblem).join('\n'));
  const told = toldOf(bundle.value);
  processTerminal.out(format === 'json' ? jsonLine(told) : facts([...Object.entries(told)]));
  const { notAfterMs } = bundle.value;
  if (notAfterMs !== null && systemClock.nowMs() >= notAfterMs)
    throw new CommandFailure(
      1,
      `${file}: its signature holds, but its not_after has passed: it would not be taken into use`,
    );
}

const toldOf = ({
  signedBy,
  revision,
  serial,
  notAfterMs,
  members,
}: Bundle): Record<string, string | number | null> => ({
  signed_by: signedBy,
  revision,
  serial,
  not_after: notAfterMs === null ? null : instantText(notAfterMs),
  files: members.size - 1,
});

import { InvalidArgumentError, Option, type Command } from 'commander';
import { diskFiles } from '../base/files.js';
import { replaceFile } from '../base/replace-file.js';
import {
  instantOf,
  instantText,
  keyFault,
  packedBytesMax,
  readPrivateKey,
  signBundle,
  usualAlgorithm,
  type SigningKey,
} from '../bundle/bundle.js';
import { signatureAlgorithms, type SignatureAlgorithm } from '../model/signature.js';
import { formatOption, type Format } from './format.js';
import { CommandFailure, facts, jsonLine, processTerminal } from './print.js';

interface SignOptions {
  readonly key: string;
  readonly keyId: string;
  readonly serial: number;
  readonly notAfter?: number;
  readonly algorithm?: SignatureAlgorithm;
  readonly scope: string;
  readonly output?: string;
  readonly format: Format;
}

/** `memgate policy sign` */
export function policySignCommand(policy: Command): void {
  policy
    .command('sign')
    .description(
      'Sign a bundle: put the serial into its metadata and one signature over all files, as opa does. An older signature is replaced.',
    )
    .argument('<bundle>', 'bundle made by memgate policy build or opa build')
    .requiredOption('--key <file>', 'private key in PEM form, without a pass phrase, mode 0600')
    .requiredOption('--key-id <id>', 'id of the key, as policy.verification.keys names it')
    .requiredOption('--serial <number>', 'build counter, higher than that of every bundle before', serialArgument)
    .option('--not-after <time>', 'time from which on the bundle is not to be taken into use', instantArgument)
    .addOption(algorithmOption())
    .option('--scope <name>', 'what the signature says it is for', '')
    .option('-o, --output <file>', 'where to write; default is the bundle itself')
    .addOption(formatOption())
    .action(sign);
}

async function sign(file: string, options: SignOptions): Promise<void> {
  const key = await signingKey(options);
  const read = await diskFiles.bytes(file, packedBytesMax);
  if (!read.ok) throw new CommandFailure(1, `${file}: ${read.why}`);
  const notAfterMs = options.notAfter ?? null;
  const signed = await signBundle(read.value, key, { serial: options.serial, notAfterMs });
  if (!signed.ok) throw new CommandFailure(1, signed.why.map(({ message }) => `${file}: ${message}`).join('\n'));
  const output = options.output ?? file;
  await replaceFile(output, signed.value, 0o666);
  const told = {
    file: output,
    serial: options.serial,
    not_after: notAfterMs === null ? null : instantText(notAfterMs),
    key_id: key.id,
    algorithm: key.algorithm,
    scope: key.scope === '' ? null : key.scope,
  };
  processTerminal.out(options.format === 'json' ? jsonLine(told) : facts(Object.entries(told)));
}

async function signingKey({ key: file, keyId, algorithm: wanted, scope }: SignOptions): Promise<SigningKey> {
  const read = await readPrivateKey(file);
  if (!read.ok) throw new CommandFailure(1, read.why);
  const key = read.value;
  const algorithm = wanted ?? usualAlgorithm(key);
  if (algorithm === null)
    throw new CommandFailure(
      1,
      `${file} is a key of a kind that bundles are not signed with; wanted EC, RSA or Ed25519`,
    );
  const fault = keyFault(algorithm, key);
  if (fault !== null) throw new CommandFailure(1, `${file} ${fault}`);
  return { id: keyId, algorithm, key, scope };
}

export const algorithmOption = (): Option =>
  new Option('--algorithm <name>', 'default is the usual one of the key').choices(signatureAlgorithms);

function serialArgument(text: string): number {
  const serial = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : NaN;
  if (!Number.isSafeInteger(serial)) throw new InvalidArgumentError('Write a whole number from 1 on.');
  return serial;
}

function instantArgument(text: string): number {
  const ms = instantOf(/^\d{4}-\d{2}-\d{2}$/.test(text) ? `${text}T00:00:00Z` : text);
  if (ms === null)
    throw new InvalidArgumentError('Write a day or a time in UTC, such as 2027-03-31 or 2027-03-31T12:00:00Z.');
  return ms;
}

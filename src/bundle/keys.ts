import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { diskFiles, readOpen, readUpTo, type Files } from '../base/files.js';
import { no, ok, type Result } from '../base/result.js';
import type { SignatureAlgorithm } from '../model/signature.js';
import { keyFault, usualAlgorithm } from './algorithms.js';

/** A key that bundles may be signed with. */
export interface VerificationKey {
  readonly id: string;
  /** The only algorithm that this key is used with, whatever a signature says. */
  readonly algorithm: SignatureAlgorithm;
  readonly key: KeyObject;
  /** What a signature must say it is for; empty when it must say nothing. */
  readonly scope: string;
}

/** By whom a bundle must be signed. Without a key nothing is verified, and nothing is trusted for its signature. */
export interface Verification {
  readonly keys: ReadonlyMap<string, VerificationKey>;
}

export const noVerification: Verification = { keys: new Map() };

/** One key as the configuration names it. */
export interface KeySource {
  readonly algorithm: SignatureAlgorithm;
  readonly public_key_file: string;
  readonly scope?: string | undefined;
}

const keyBytesMax = 65_536;
const openToOthers = 0o077;

/**
 * Reads the public keys that the configuration names.
 *
 * @returns one text for each key that cannot be used, or the keys
 */
export async function loadVerification(
  sources: Readonly<Record<string, KeySource>>,
  resolvePath: (relative: string) => string,
  files: Files = diskFiles,
): Promise<Result<Verification, readonly string[]>> {
  const keys = new Map<string, VerificationKey>();
  const faults: string[] = [];
  for (const [id, { algorithm, public_key_file: file, scope = '' }] of Object.entries(sources)) {
    const key = await readPublicKey(resolvePath(file), files);
    const fault = key.ok ? keyFault(algorithm, key.value) : null;
    if (!key.ok) faults.push(`${id}: ${key.why}`);
    else if (fault !== null) faults.push(`${id}: ${resolvePath(file)} ${fault}`);
    else keys.set(id, { id, algorithm, key: key.value, scope });
  }
  return faults.length === 0 ? ok({ keys }) : no(faults);
}

/** Trusts one key alone. @param key `algorithm` is null for the usual one of the key */
export async function verificationWith({
  id,
  file,
  algorithm,
  scope,
}: {
  readonly id: string;
  readonly file: string;
  readonly algorithm: SignatureAlgorithm | null;
  readonly scope: string;
}): Promise<Result<Verification, string>> {
  const key = await readPublicKey(file, diskFiles);
  if (!key.ok) return key;
  const chosen = algorithm ?? usualAlgorithm(key.value);
  if (chosen === null) return no(`${file} is a key of a kind that bundles are not signed with`);
  const fault = keyFault(chosen, key.value);
  if (fault !== null) return no(`${file} ${fault}`);
  return ok({ keys: new Map([[id, { id, algorithm: chosen, key: key.value, scope }]]) });
}

/** A public key in PEM form; the text says what is wrong with the file, and nothing of what it holds. */
async function readPublicKey(file: string, files: Files): Promise<Result<KeyObject, string>> {
  const pem = await files.bytes(file, keyBytesMax);
  if (!pem.ok) return no(`${file} ${pem.why}`);
  const text = pem.value.toString('latin1');
  if (/PRIVATE KEY-----/.test(text)) return no(`${file} holds a private key; give the public key alone`);
  const key = parsed(() => createPublicKey(text));
  return key === null ? no(`${file} is not a public key in PEM form`) : ok(key);
}

/** A private key without a pass phrase, in PEM form, that nobody else can read. */
export async function readPrivateKey(file: string): Promise<Result<KeyObject, string>> {
  const read = await readOpen(file, async (handle) => {
    return { text: (await readUpTo(handle, keyBytesMax)).toString('latin1'), mode: (await handle.stat()).mode };
  });
  if (!read.ok) return no(`${file} ${read.why}`);
  const { text, mode } = read.value;
  if ((mode & openToOthers) !== 0)
    return no(`${file} is open to others (mode ${(mode & 0o777).toString(8)}); make it 0600`);
  if (/ENCRYPTED/.test(text)) return no(`${file} wants a pass phrase; give a key without one`);
  const key = parsed(() => createPrivateKey(text));
  return key === null ? no(`${file} is not a private key in PEM form`) : ok(key);
}

// The library's own text may hold pieces of what it read.
function parsed(read: () => KeyObject): KeyObject | null {
  try {
    return read();
  } catch {
    return null;
  }
}

import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { injectiveKey } from '../base/encoding.js';
import { diskFiles, tooLong, type Files } from '../base/files.js';
import { fileProblem, type Problem } from '../base/problem.js';
import { no, ok, type Result } from '../base/result.js';
import { BadBundle } from './bad-bundle.js';
import { readObject } from './documents.js';
import { gunzipWhole } from './gunzip.js';
import type { Verification } from './keys.js';
import { manifestFile, readManifest } from './manifest.js';
import { signaturesFile, verifySignature } from './signature.js';
import { signFiles, verificationBy, type Claims, type SigningKey } from './sign.js';
import { readTar, writeTar } from './tar.js';

export { admit, type Admitted, type AdmissionRules } from './admission.js';
export { keyFault, usualAlgorithm } from './algorithms.js';
export {
  loadVerification,
  noVerification,
  readPrivateKey,
  verificationWith,
  type KeySource,
  type Verification,
  type VerificationKey,
} from './keys.js';
export { instantOf, instantText } from './manifest.js';
export { fileSerials, memorySerials, type Accepted, type SerialBook } from './serials.js';
export type { Claims, SigningKey } from './sign.js';

/** A compiled bundle, read and checked for form and signature; nothing of it has run yet. */
export interface Bundle {
  readonly revision: string;
  readonly wasm: Uint8Array;
  readonly data: Readonly<Record<string, unknown>>;
  /** The build counter of its metadata. To be believed only of a bundle that somebody known has signed. */
  readonly serial: number | null;
  /** Unix time in ms from which on it is not to be taken into use; to be believed as `serial` is. */
  readonly notAfterMs: number | null;
  /** Id of the key that has signed it; null when it is not signed, or when nobody says by whom it has to be. */
  readonly signedBy: string | null;
  /** It carries a signature, verified or not. */
  readonly isSigned: boolean;
  /** SHA-256, hex, of all files but the signature. */
  readonly content: string;
  /** All files by name, without a leading slash. */
  readonly members: ReadonlyMap<string, Uint8Array>;
}

// A bundle of ours is 60 KiB packed; the caps stop a decompression bomb long before memory is short.
export const packedBytesMax = 4 * 1_048_576;
const unpackedBytesMax = 16 * 1_048_576;

/**
 * Reads a `.tar.gz` made by `opa build -t wasm`, in memory and under caps, and verifies its signature where keys are given.
 *
 * @param place How problems name it
 */
export function readBundle(
  bytes: Uint8Array,
  verification: Verification,
  place = 'bundle',
): Promise<Result<Bundle, readonly Problem[]>> {
  return told(place, () => bundleOf(bytes, verification));
}

/**
 * Signs a bundle: its files, with the claims in the metadata of its manifest. An older signature is replaced.
 *
 * @returns the bytes of the signed bundle; a bundle that would not be loaded is not signed
 */
export function signBundle(
  bytes: Uint8Array,
  key: SigningKey,
  claims: Claims,
): Promise<Result<Buffer, readonly Problem[]>> {
  return told('bundle', async () => {
    const signed = gzipSync(writeTar(await signFiles(await filesOf(bytes), key, claims)), { level: 9 });
    await bundleOf(signed, verificationBy(key));
    return signed;
  });
}

/** Reads a bundle from a file, as `readBundle` does. */
export function readBundleFile(
  file: string,
  verification: Verification,
  files: Files = diskFiles,
): Promise<Result<Bundle, readonly Problem[]>> {
  return told(file, async () => {
    const packed = await files.bytes(file, packedBytesMax);
    if (!packed.ok) throw new BadBundle(packed.why);
    return bundleOf(packed.value, verification);
  });
}

/**
 * Verifies the signature of a directory of sources, as `opa sign` writes it: over all that belongs to the policy, its tests among it.
 *
 * @returns the id of the key that has signed it; null where no key is configured
 */
export function verifyDirectory(
  files: ReadonlyMap<string, Uint8Array>,
  verification: Verification,
  place: string,
): Promise<Result<string | null, readonly Problem[]>> {
  return told(place, () => verifySignature(files, verification));
}

async function told<T>(place: string, read: () => Promise<T>): Promise<Result<T, readonly Problem[]>> {
  try {
    return ok(await read());
  } catch (error) {
    if (!(error instanceof BadBundle)) throw error;
    return no([fileProblem(place, error.message)]);
  }
}

async function filesOf(bytes: Uint8Array): Promise<ReadonlyMap<string, Uint8Array>> {
  if (bytes.length > packedBytesMax) throw new BadBundle(tooLong(packedBytesMax));
  const packed = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const members = readTar(await gunzipWhole(packed, unpackedBytesMax));
  for (const name of members.keys()) {
    if (!isExpected(name)) throw new BadBundle(`holds member "${name}", which this version does not read`);
  }
  return members;
}

async function bundleOf(bytes: Uint8Array, verification: Verification): Promise<Bundle> {
  const members = await filesOf(bytes);
  // First of all: nothing else of a bundle is looked at before it is known whose it is.
  const signedBy = await verifySignature(members, verification);
  return {
    ...readManifest(member(members, manifestFile)),
    wasm: member(members, 'policy.wasm'),
    data: readObject('data.json', member(members, 'data.json')),
    signedBy,
    isSigned: members.has(signaturesFile),
    content: contentOf(members),
    members,
  };
}

function contentOf(members: ReadonlyMap<string, Uint8Array>): string {
  const digest = createHash('sha256');
  for (const [name, bytes] of [...members].sort(([one], [other]) => (one < other ? -1 : 1))) {
    if (name !== signaturesFile) digest.update(injectiveKey([name, String(bytes.length)])).update(bytes);
  }
  return digest.digest('hex');
}

// Delta bundles (patch.json) and everything else are refused rather than ignored.
const isExpected = (name: string): boolean =>
  [manifestFile, signaturesFile, 'data.json', 'policy.wasm'].includes(name) || name.endsWith('.rego');

function member(members: ReadonlyMap<string, Uint8Array>, name: string): Uint8Array {
  const bytes = members.get(name);
  if (bytes === undefined) throw new BadBundle(`has no member "${name}"; wanted a bundle made by opa build -t wasm`);
  return bytes;
}

import { visible } from '../base/encoding.js';
import { BadBundle } from './bad-bundle.js';
import { digestOf, object, readObject } from './documents.js';
import type { Verification } from './keys.js';
import { verifyToken, type SignedFile } from './token.js';

export const signaturesFile = '.signatures.json';
export const plugin = '_default';

/**
 * Verifies that one of the configured keys has signed exactly these files: none is missing, none is left over, none was changed.
 *
 * @returns the id of that key; null where no key is configured, whatever the signature says
 * @throws BadBundle
 * @see https://www.openpolicyagent.org/docs/management-bundles#signature-format
 */
export async function verifySignature(
  files: ReadonlyMap<string, Uint8Array>,
  verification: Verification,
): Promise<string | null> {
  if (verification.keys.size === 0) return null;
  const bytes = files.get(signaturesFile);
  if (bytes === undefined) throw new BadBundle('is not signed, and policy.verification.keys names who has to sign it');
  const { keyId, files: signed } = verifyToken(tokenOf(bytes), verification);
  const left = new Set(files.keys());
  left.delete(signaturesFile);
  for (const file of signed) {
    const content = files.get(file.name);
    if (content === undefined)
      throw new BadBundle(`its signature names "${visible(file.name.slice(0, 200))}", which it does not hold`);
    if (!left.delete(file.name)) throw new BadBundle(`its signature names "${file.name}" twice`);
    await checkDigest(file, content);
  }
  const [first] = left;
  if (first !== undefined) throw new BadBundle(`holds "${first}", which its signature does not name`);
  return keyId;
}

async function checkDigest({ name, hash, algorithm }: SignedFile, content: Uint8Array): Promise<void> {
  const actual = await digestOf(name, content, algorithm);
  if (actual === null) {
    const said = visible(algorithm.slice(0, 20));
    throw new BadBundle(`its signature has a digest of "${name}" by ${said}; wanted SHA-256, SHA-384 or SHA-512`);
  }
  if (hash.toLowerCase() !== actual)
    throw new BadBundle(`member "${name}" is not what was signed: its digest is another one`);
}

function tokenOf(bytes: Uint8Array): string {
  const { signatures, plugin: by = plugin, ...rest } = readObject(signaturesFile, bytes);
  const [unknown] = Object.keys(object(rest, signaturesFile));
  if (unknown !== undefined) throw new BadBundle(`.signatures.json: "${visible(unknown.slice(0, 100))}" is not known`);
  if (by !== plugin) throw new BadBundle(`.signatures.json: plugin must be ${plugin}`);
  const tokens: readonly unknown[] = Array.isArray(signatures) ? signatures : [];
  const [token] = tokens;
  if (tokens.length !== 1 || typeof token !== 'string')
    throw new BadBundle(`.signatures.json: holds ${String(tokens.length)} signatures; wanted exactly one`);
  return token;
}

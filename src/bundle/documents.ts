import { createHash } from 'node:crypto';
import type { JsonTree } from '../base/json-tree.js';
import { readYaml } from '../base/document.js';
import { readStrictJson } from '../base/strict-json.js';
import { BadBundle } from './bad-bundle.js';
import { canonicalText } from './canonical.js';

/** Names as signatures spell them; MD5 and SHA-1, which OPA takes too, prove nothing. */
const hashes: Readonly<Record<string, string>> = { 'SHA-256': 'sha256', 'SHA-384': 'sha384', 'SHA-512': 'sha512' };

export const ownHash = 'SHA-256';
// Reading strictly costs some 100 ms a megabyte, and the data of a policy may have 256 KiB.
const documentBytesMax = 1_048_576;
const documentKeysMax = 100_000;

/** Reads a member strictly: one document, no name twice. Two readers of a loose text may see two policies. */
export function readTree(name: string, bytes: Uint8Array): JsonTree {
  if (bytes.length > documentBytesMax) {
    throw new BadBundle(`member "${name}" holds ${String(bytes.length)} bytes, must be ≤ ${String(documentBytesMax)}`);
  }
  const tree = readStrictJson(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), documentKeysMax);
  if (!tree.ok) throw new BadBundle(`member "${name}" is not strict JSON: ${tree.why}`);
  return tree.value;
}

/** An object of a member that was read strictly. */
export function readObject(name: string, bytes: Uint8Array): Readonly<Record<string, unknown>> {
  readTree(name, bytes);
  return object(JSON.parse(Buffer.from(bytes).toString('utf8')), name);
}

export function object(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new BadBundle(`${name} is not an object`);
  return value as Readonly<Record<string, unknown>>;
}

/** The digest of a member as a signature holds it, or null for an algorithm that is not accepted. */
export async function digestOf(name: string, bytes: Uint8Array, algorithm: string): Promise<string | null> {
  const hash = Object.hasOwn(hashes, algorithm) ? hashes[algorithm] : undefined;
  if (hash === undefined) return null;
  return createHash(hash)
    .update(await signedContent(name, bytes))
    .digest('hex');
}

/** Data and manifests are signed by their content, every other file by its bytes. */
async function signedContent(name: string, bytes: Uint8Array): Promise<string | Uint8Array> {
  if (/(?:^|\/)(?:data\.json|\.manifest)$/.test(name)) return canonicalText(readTree(name, bytes));
  if (!/(?:^|\/)data\.yaml$/.test(name)) return bytes;
  // Only a directory of sources holds such files: `opa build` makes one data.json of them.
  const document = await readYaml(name, Buffer.from(bytes).toString('utf8'));
  if (document.ok) return canonicalText(readTree(name, Buffer.from(JSON.stringify(document.value.value))));
  throw new BadBundle(`member "${name}" is not YAML: ${document.why.map(({ message }) => message).join('; ')}`);
}

import { createPublicKey, type KeyObject } from 'node:crypto';
import { isJsonObject, type JsonObject, type JsonTree } from '../base/json-tree.js';
import type { SignatureAlgorithm } from '../model/signature.js';
import { signBytes } from './algorithms.js';
import { BadBundle } from './bad-bundle.js';
import { canonicalText } from './canonical.js';
import { digestOf, ownHash, readTree } from './documents.js';
import type { Verification } from './keys.js';
import { instantText, manifestFile } from './manifest.js';
import { plugin, signaturesFile } from './signature.js';

/** Who signs, and with what. */
export interface SigningKey {
  readonly id: string;
  readonly algorithm: SignatureAlgorithm;
  readonly key: KeyObject;
  /** What the signature says it is for; empty for nothing. */
  readonly scope: string;
}

/** What the signed metadata says. */
export interface Claims {
  /** Higher than that of every bundle before it. */
  readonly serial: number;
  /** Unix time in ms from which on the bundle is not to be taken into use. */
  readonly notAfterMs: number | null;
}

/**
 * The same files with the claims in the manifest and one signature over all of them.
 *
 * @throws BadBundle for files that cannot be signed
 */
export async function signFiles(
  files: ReadonlyMap<string, Uint8Array>,
  key: SigningKey,
  claims: Claims,
): Promise<Map<string, Uint8Array>> {
  const signed = new Map(files);
  signed.delete(signaturesFile);
  signed.set(manifestFile, manifestWith(files.get(manifestFile), claims));
  const listed: object[] = [];
  for (const [name, bytes] of signed) {
    listed.push({ name, hash: await digestOf(name, bytes, ownHash), algorithm: ownHash });
  }
  const token = tokenOver({ files: listed, keyid: key.id, ...(key.scope === '' ? {} : { scope: key.scope }) }, key);
  return signed.set(signaturesFile, Buffer.from(JSON.stringify({ signatures: [token], plugin })));
}

/** Trusts this key alone: what was signed has to pass with it. */
export const verificationBy = ({ id, algorithm, key, scope }: SigningKey): Verification => ({
  keys: new Map([[id, { id, algorithm, key: createPublicKey(key), scope }]]),
});

function tokenOver(payload: object, { id, algorithm, key }: SigningKey): string {
  const encoded = [{ alg: algorithm, kid: id, typ: 'JWT' }, payload].map((part) =>
    Buffer.from(JSON.stringify(part)).toString('base64url'),
  );
  const text = encoded.join('.');
  return `${text}.${signBytes(algorithm, key, Buffer.from(text)).toString('base64url')}`;
}

/** Everything else in the manifest keeps its value, numbers their spelling. */
function manifestWith(bytes: Uint8Array | undefined, { serial, notAfterMs }: Claims): Buffer {
  const manifest = bytes === undefined ? new Map<string, JsonTree>() : objectOf(readTree(manifestFile, bytes));
  const ours = new Map<string, JsonTree>([['serial', { number: String(serial) }]]);
  if (notAfterMs !== null) ours.set('not_after', instantText(notAfterMs));
  const metadata = new Map(objectOf(manifest.get('metadata') ?? new Map())).set('memgate', ours);
  return Buffer.from(canonicalText(new Map(manifest).set('metadata', metadata)));
}

function objectOf(tree: JsonTree): JsonObject {
  if (isJsonObject(tree)) return tree;
  throw new BadBundle('.manifest: it and its metadata must be objects');
}

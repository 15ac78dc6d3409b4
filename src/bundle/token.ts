import type { JsonObject } from '../base/json-tree.js';
import { isJsonArray, isJsonObject } from '../base/json-tree.js';
import { readStrictObject } from '../base/strict-json.js';
import { visible } from '../base/encoding.js';
import { isSignatureOf } from './algorithms.js';
import { BadBundle } from './bad-bundle.js';
import type { Verification, VerificationKey } from './keys.js';

/** One file as a signature names it. */
export interface SignedFile {
  readonly name: string;
  /** Hexadecimal. */
  readonly hash: string;
  /** Such as SHA-256. */
  readonly algorithm: string;
}

/** What a signature says, once its key has proved it. */
export interface Signed {
  readonly keyId: string;
  readonly files: readonly SignedFile[];
}

const tokenBytesMax = 1_048_576;
const form = /^([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)$/;

/**
 * Verifies the compact JWS of a bundle. The key says which algorithm it is used with; what the token says about that has to agree, and
 * chooses nothing.
 *
 * @throws BadBundle
 */
export function verifyToken(token: string, { keys }: Verification): Signed {
  const parts = token.length <= tokenBytesMax ? form.exec(token) : null;
  const [, head = '', body = '', tail = ''] = parts ?? [];
  if (parts === null) throw new BadBundle('.signatures.json: the signature is not a compact JWS');
  const header = part('header', head);
  const payload = part('payload', body);
  const key = chooseKey(keys, header, payload);
  checkHeader(header, key);
  const bytes = Buffer.from(`${head}.${body}`);
  if (!isSignatureOf(key.algorithm, key.key, { bytes, signature: decode(tail) })) {
    throw new BadBundle(`its signature is not by key "${key.id}"`);
  }
  const scope = textOf(payload, 'scope') ?? '';
  if (scope !== key.scope) {
    throw new BadBundle(`is signed for the scope ${quoted(scope)}, and key "${key.id}" is for ${quoted(key.scope)}`);
  }
  return { keyId: key.id, files: filesOf(payload) };
}

const quoted = (scope: string): string => (scope === '' ? 'without a name' : `"${visible(scope.slice(0, 200))}"`);

function decode(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  // Spare bits could spell one token in several ways.
  if (bytes.toString('base64url') !== text)
    throw new BadBundle('.signatures.json: the signature is not plain base64url');
  return bytes;
}

function part(name: string, text: string): JsonObject {
  const object = readStrictObject(decode(text));
  if (object.ok) return object.value;
  throw new BadBundle(`.signatures.json: the ${name} of the signature is not strict JSON: ${object.why}`);
}

function textOf(object: JsonObject, name: string): string | null {
  const value = object.get(name);
  if (value === undefined) return null;
  if (typeof value === 'string') return value;
  throw new BadBundle(`.signatures.json: "${name}" of the signature is not a string`);
}

// OPA writes the id into the header, older versions of it and `opa sign` only into the payload.
function chooseKey(keys: Verification['keys'], header: JsonObject, payload: JsonObject): VerificationKey {
  const kid = textOf(header, 'kid');
  const keyId = textOf(payload, 'keyid');
  if (kid !== null && keyId !== null && kid !== keyId)
    throw new BadBundle('.signatures.json: the signature names two different keys');
  const named = kid ?? keyId;
  const [only, ...others] = keys.values();
  if (named === null) {
    if (only !== undefined && others.length === 0) return only;
    throw new BadBundle('its signature names no key, and policy.verification.keys has several');
  }
  const key = keys.get(named);
  if (key !== undefined) return key;
  const known = [...keys.keys()].join(', ');
  throw new BadBundle(`is signed by key "${visible(named.slice(0, 200))}", which is not known here; known: ${known}`);
}

function checkHeader(header: JsonObject, key: VerificationKey): void {
  const said = textOf(header, 'alg');
  if (said !== key.algorithm) {
    throw new BadBundle(
      `its signature says it is made with ${algorithmText(said)}, and key "${key.id}" is for ${key.algorithm}`,
    );
  }
  if (header.has('crit')) throw new BadBundle('.signatures.json: the signature wants an extension that is not known');
}

const algorithmText = (said: string | null): string =>
  said === null ? 'no algorithm' : `"${visible(said.slice(0, 20))}"`;

function filesOf(payload: JsonObject): readonly SignedFile[] {
  const files = payload.get('files');
  if (!isJsonArray(files)) throw new BadBundle('.signatures.json: the signature has no list of files');
  return files.map((file) => {
    if (!isJsonObject(file)) throw new BadBundle('.signatures.json: a file of the signature is not an object');
    const [name, hash, algorithm] = ['name', 'hash', 'algorithm'].map((each) => textOf(file, each));
    if (name == null || hash == null || algorithm == null)
      throw new BadBundle('.signatures.json: a file of the signature lacks its name, hash or algorithm');
    return { name, hash, algorithm };
  });
}

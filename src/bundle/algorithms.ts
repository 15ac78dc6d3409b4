import { constants, sign, verify, type KeyObject } from 'node:crypto';
import type { SignatureAlgorithm } from '../model/signature.js';

interface Algorithm {
  /** Null: the algorithm hashes by itself. */
  readonly hash: string | null;
  readonly type: 'ec' | 'rsa' | 'ed25519';
  readonly curve?: string;
  readonly isPss?: true;
  readonly wanted: string;
}

const rsaBitsMin = 2_048;
const rsa = (hash: string): Algorithm => ({
  hash,
  type: 'rsa',
  wanted: `an RSA key of at least ${String(rsaBitsMin)} bits`,
});
const ec = (hash: string, curve: string, wanted: string): Algorithm => ({ hash, type: 'ec', curve, wanted });

const table: Readonly<Record<SignatureAlgorithm, Algorithm>> = {
  ES256: ec('sha256', 'prime256v1', 'an EC key on P-256'),
  ES384: ec('sha384', 'secp384r1', 'an EC key on P-384'),
  ES512: ec('sha512', 'secp521r1', 'an EC key on P-521'),
  RS256: rsa('sha256'),
  RS384: rsa('sha384'),
  RS512: rsa('sha512'),
  PS256: { ...rsa('sha256'), isPss: true },
  PS384: { ...rsa('sha384'), isPss: true },
  PS512: { ...rsa('sha512'), isPss: true },
  EdDSA: { hash: null, type: 'ed25519', wanted: 'an Ed25519 key' },
};

/** What is wrong with a key for this algorithm, or null. */
export function keyFault(algorithm: SignatureAlgorithm, key: KeyObject): string | null {
  const { type, curve, wanted } = table[algorithm];
  const { namedCurve, modulusLength = 0 } = key.asymmetricKeyDetails ?? {};
  const fits =
    key.asymmetricKeyType === type &&
    (curve === undefined || namedCurve === curve) &&
    (type !== 'rsa' || modulusLength >= rsaBitsMin);
  return fits ? null : `is no key for ${algorithm}, which wants ${wanted}`;
}

/** The algorithm that a key is made for, where there is only one or a usual one. */
export function usualAlgorithm(key: KeyObject): SignatureAlgorithm | null {
  const usual = ['ES256', 'ES384', 'ES512', 'RS256', 'EdDSA'] as const;
  return usual.find((algorithm) => keyFault(algorithm, key) === null) ?? null;
}

const parameters = ({ type, isPss }: Algorithm): object => {
  if (type === 'ec') return { dsaEncoding: 'ieee-p1363' };
  return isPss === true
    ? { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: constants.RSA_PSS_SALTLEN_DIGEST }
    : {};
};

/** @see RFC 7518 §3.3 to 3.5, RFC 8037 §3.1 */
export function signBytes(algorithm: SignatureAlgorithm, key: KeyObject, bytes: Buffer): Buffer {
  const one = table[algorithm];
  return sign(one.hash, bytes, { key, ...parameters(one) });
}

export function isSignatureOf(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  { bytes, signature }: { readonly bytes: Buffer; readonly signature: Buffer },
): boolean {
  const one = table[algorithm];
  return verify(one.hash, bytes, { key, ...parameters(one) }, signature);
}

/**
 * How a bundle may be signed. Algorithms with one shared secret are left out on purpose: whoever could verify could also sign.
 *
 * @see RFC 7518 §3.1, RFC 8037 §3.1
 */
export const signatureAlgorithms = [
  'ES256',
  'ES384',
  'ES512',
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'EdDSA',
] as const;

export type SignatureAlgorithm = (typeof signatureAlgorithms)[number];

/** Longest credential that anything here verifies. */
const lengthMax = 4_096;
const visibleAscii = /^[\x21-\x7e]+$/;
const scheme = 'bearer ';

const clean = (text: string): string | null => (text.length <= lengthMax && visibleAscii.test(text) ? text : null);

/**
 * The credential of an `Authorization` value: the scheme in any case, exactly one blank, visible characters.
 *
 * @returns null for everything else
 * @see RFC 6750 §2.1
 */
export function bearerOf(value: string): string | null {
  if (value.length > lengthMax + scheme.length || value.slice(0, scheme.length).toLowerCase() !== scheme) return null;
  return clean(value.slice(scheme.length));
}

/** The credential of an `X-API-Key` value. */
export const apiKeyOf = clean;

import { randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const secretLength = 43;
const checksumLength = 6;

const some = (alphabet: string, length: number): string =>
  Array.from(randomBytes(length), (byte) => alphabet[byte % alphabet.length]).join('');

/** A key with a right checksum, read from the documented format and not from the program's own code. */
export function sealed(body: string): string {
  let rest = crc32(body);
  let digits = '';
  for (let i = 0; i < checksumLength; i += 1) {
    digits = `${base62[rest % 62] ?? ''}${digits}`;
    rest = Math.floor(rest / 62);
  }
  return body + digits;
}

/** The same id with another secret. */
export const otherSecret = (key: string): string =>
  sealed(`${key.slice(0, key.lastIndexOf('_') + 1)}${some(base62, secretLength)}`);

/** The same key with one character of its secret changed, sealed anew. */
export function oneCharacterOff(key: string): string {
  const at = key.lastIndexOf('_') + 10;
  const other = key[at] === 'x' ? 'y' : 'x';
  return sealed(`${key.slice(0, at)}${other}${key.slice(at + 1, -checksumLength)}`);
}

/** A well-formed key that nobody has made. */
export const unknownKey = (): string =>
  sealed(`engram_key_${some(base62.slice(0, 10) + base62.slice(36), 16)}_${some(base62, secretLength)}`);

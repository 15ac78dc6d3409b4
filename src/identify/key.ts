import { randomBytes } from 'node:crypto';

const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const base36 = base62.slice(0, 10) + base62.slice(36);
const idLength = 16;
/** 62^43 is just above 2^256. */
const secretLength = 43;
/** 62^6 is above 2^32: every CRC-32 fits. */
const checksumLength = 6;
const tailLength = 1 + idLength + 1 + secretLength + checksumLength;

/** The public half of a key: it may stand in records, manifests and command lines. */
export const keyIdForm = /^[a-z0-9]{16}$/;

/** What the text of a key says about itself; the secret stays in the text. */
export interface ParsedKey {
  readonly prefix: string;
  readonly id: string;
}

/** A new key. `text` is the whole credential: show it once, keep only its hash. */
export interface NewKey {
  readonly id: string;
  readonly text: string;
}

const crcTable = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = (value & 1) === 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

/** CRC-32 (ISO 3309, as zlib has it) of the first `length` characters, which must be ASCII. Node 20 has it in no version that we may ask for. */
function crc32(text: string, length: number): number {
  let crc = 0xffffffff;
  for (let i = 0; i < length; i += 1) crc = (crcTable[(crc ^ text.charCodeAt(i)) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

function checksumOf(body: string): string {
  let rest = crc32(body, body.length);
  let digits = '';
  for (let i = 0; i < checksumLength; i += 1) {
    digits = base62.charAt(rest % 62) + digits;
    rest = Math.floor(rest / 62);
  }
  return digits;
}

/** Every character equally likely: bytes above the largest multiple of the alphabet are thrown away, not folded. */
function randomText(alphabet: string, length: number): string {
  const bound = 256 - (256 % alphabet.length);
  let text = '';
  while (text.length < length) {
    for (const byte of randomBytes(length)) {
      if (byte < bound && text.length < length) text += alphabet.charAt(byte % alphabet.length);
    }
  }
  return text;
}

/** A fresh key `<prefix>_<id>_<secret><checksum>` with 256 random bits. */
export function newKey(prefix: string): NewKey {
  const id = randomText(base36, idLength);
  const body = `${prefix}_${id}_${randomText(base62, secretLength)}`;
  return { id, text: body + checksumOf(body) };
}

/** True when the text belongs to the family of API keys, well-formed or not: then nothing else may verify it. */
export function isKeyLike(text: string, prefixes: readonly string[]): boolean {
  for (const prefix of prefixes) if (text.startsWith(prefix) && text.charAt(prefix.length) === '_') return true;
  return false;
}

/** Where the id of a key stands, whatever stands there; empty for a text of another length or prefix. */
export function idIn(text: string, prefixes: readonly string[]): string {
  for (const prefix of prefixes)
    if (text.length === prefix.length + tailLength && text.startsWith(prefix))
      return text.slice(prefix.length + 1, prefix.length + 1 + idLength);
  return '';
}

const isDigit = (code: number): boolean => code >= 48 && code <= 57;
const isLower = (code: number): boolean => code >= 97 && code <= 122;
const isUpper = (code: number): boolean => code >= 65 && code <= 90;

function hasForm(text: string, idAt: number): boolean {
  const secretAt = idAt + idLength + 1;
  for (let i = idAt; i < secretAt - 1; i += 1) {
    const code = text.charCodeAt(i);
    if (!isDigit(code) && !isLower(code)) return false;
  }
  if (text.charAt(secretAt - 1) !== '_') return false;
  for (let i = secretAt; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (!isDigit(code) && !isLower(code) && !isUpper(code)) return false;
  }
  return true;
}

/**
 * Reads a key's form and checksum, so that garbage and typing errors cost no look-up and no hash.
 *
 * @returns null for everything that is not exactly `<one of prefixes>_<16 of [a-z0-9]>_<43 base62><6 base62 of CRC-32>`
 */
export function parseKey(text: string, prefixes: readonly string[]): ParsedKey | null {
  for (const prefix of prefixes) {
    if (text.length !== prefix.length + tailLength || !text.startsWith(prefix) || text.charAt(prefix.length) !== '_')
      continue;
    const idAt = prefix.length + 1;
    if (!hasForm(text, idAt)) return null;
    const bodyLength = text.length - checksumLength;
    if (checksumOf(text.slice(0, bodyLength)) !== text.slice(bodyLength)) return null;
    return { prefix, id: text.slice(idAt, idAt + idLength) };
  }
  return null;
}

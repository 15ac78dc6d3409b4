import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { visible } from './encoding.js';
import { no, ok, type Result } from './result.js';
import { Secret } from './secret.js';

/** Where a secret is: exactly one of the two. */
export interface SecretSource {
  readonly from_env?: string | undefined;
  readonly from_file?: string | undefined;
}

export interface SecretReading {
  /** Reads the environment; `environment` of base/env.ts outside tests. */
  readonly env: (name: string) => string | undefined;
  /** Turns a relative path of the configuration into one that can be opened. */
  readonly resolvePath: (relative: string) => string;
  /** Fewest characters of an accepted secret; 16 unless told. */
  readonly minLength?: number;
}

// A header line is the longest place that a secret has to fit into.
const secretBytesMax = 8_192;
const lengthMin = 16;

/**
 * Reads a secret from the environment or a file: one trailing newline is cut, and what is empty, short or a
 * placeholder is refused. The message names the place and never holds any of the value.
 */
export async function readSecret(source: SecretSource, reading: SecretReading): Promise<Result<Secret, string>> {
  const { from_env: name, from_file: file } = source;
  if ((name === undefined) === (file === undefined)) return no('needs exactly one of from_env and from_file');
  const place = name === undefined ? `file "${visible(file ?? '')}"` : `environment variable "${visible(name)}"`;
  const found = name === undefined ? await readSecretFile(reading.resolvePath(file ?? '')) : ok(reading.env(name));
  if (!found.ok) return no(`${place} ${found.why}`);
  if (found.value === undefined) return no(`${place} is not set; it must hold the secret`);
  const value = found.value.replace(/\r?\n$/, '');
  const fault = secretFault(value, reading.minLength ?? lengthMin);
  return fault === null ? ok(new Secret(value)) : no(`${place} ${fault}`);
}

async function readSecretFile(path: string): Promise<Result<string, string>> {
  try {
    const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK); // a pipe without a writer must not hang us
    try {
      if (!(await handle.stat()).isFile()) return no('is not a regular file');
      const buffer = Buffer.alloc(secretBytesMax + 3);
      const { bytesRead } = await handle.read(buffer, 0, buffer.length, null);
      return ok(buffer.toString('utf8', 0, bytesRead));
    } finally {
      await handle.close();
    }
  } catch (thrown) {
    return no(`cannot be read: ${thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'unknown error'}`);
  }
}

/** What is wrong with a secret, or null; never says any of its characters. */
function secretFault(value: string, minLength: number): string | null {
  if (value === '') return 'is empty; it must hold the secret';
  if (value.length > secretBytesMax) return `is over ${String(secretBytesMax)} characters`;
  if (!/^[\x21-\x7e]+$/.test(value)) return 'must hold printable ASCII characters without spaces, in one line';
  if (value.length < minLength) {
    return `holds ${String(value.length)} characters; at least ${String(minLength)} are needed`;
  }
  return isPlaceholder(value) ? 'holds a placeholder; put a random secret there' : null;
}

const telling =
  /change(?:this|it|me)|replace(?:this|it|me)|placeholder|example|your(?:own)?(?:secret|token|key|password)|insert(?:your|here)|todo|lorem/;
const words =
  /correct|horse|battery|staple|password|passwd|passphrase|secret|token|apikey|bearer|credential|default|insecure|unsafe|memgate|engram|memory|server|upstream|admin|letmein|welcome|qwerty|dummy|sample|local|test|demo|root|user|super|very|long|here|please|this|that|goes|value|string|some|with|more|than|characters|the|is|my|key|api|me|id|be|a/g;
const runs = [
  '0123456789012345678901234567890123456789',
  'abcdefghijklmnopqrstuvwxyz'.repeat(2),
  'qwertyuiopasdfghjklzxcvbnm',
  '9876543210'.repeat(3),
];
// Distinct characters of 16 random hexadecimal digits: fewer than 6 come up once in many millions.
const distinctMin = 6;

/** True for what people put into examples: known words with little beside them, one pattern repeated, a walk along the keyboard. */
function isPlaceholder(value: string): boolean {
  const plain = value.toLowerCase().replace(/[^a-z0-9]/g, '');
  if (new Set(value).size < distinctMin || telling.test(plain)) return true;
  if (/^(.{1,8})\1+$/.test(value) || runs.some((run) => run.includes(plain))) return true;
  const rest = plain.replace(words, '').replace(/0?1?2?34567?8?9?0?|123|(.)\1+/g, '');
  return rest.length < Math.min(6, plain.length / 2);
}

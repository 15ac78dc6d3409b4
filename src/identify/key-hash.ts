import { randomBytes } from 'node:crypto';
import { argon2id, hash, verify } from 'argon2';

/** OWASP's minimum for Argon2id: the secret has 256 random bits, so more would cost us and no attacker. */
const cost = { memoryCost: 19_456, timeCost: 2, parallelism: 1 } as const;
const saltBytes = 16;
const hashBytes = 32;
const phcForm = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]{22,86})\$([A-Za-z0-9+/]{43})$/;

/** What a stored hash may ask of this machine: `m` in KiB. A tampered hash must not become a way to stop the process or to weaken a key. */
export const phcBounds = { m: [8_192, 262_144], t: [1, 10], p: [1, 4] } as const;

/** Hashes a whole key to a PHC string: prefix, id and checksum are covered too. */
export const hashKey = (text: string): Promise<string> =>
  hash(text, { type: argon2id, ...cost, hashLength: hashBytes, salt: randomBytes(saltBytes) });

/** One Argon2id computation. `phc` must have passed `phcProblem`. */
export const matchesHash = (phc: string, text: string): Promise<boolean> => verify(phc, text);

/** Tells what is wrong with a stored hash, or null when it may be computed. Never shows the hash. */
export function phcProblem(phc: string): string | null {
  const found = phcForm.exec(phc);
  if (found === null)
    return 'must be an Argon2id PHC string ($argon2id$v=19$m=…,t=…,p=…$salt of at least 16 bytes$hash of 32 bytes)';
  for (const [index, name] of (['m', 't', 'p'] as const).entries()) {
    const value = Number(found[index + 1]);
    const [least, most] = phcBounds[name];
    if (value < least || value > most)
      return `Argon2id parameter ${name} is ${String(value)}, must be ${String(least)} to ${String(most)}`;
  }
  return null;
}

/** Memory times passes of every choice that OWASP names: 9 MiB and 4 passes are the least of them. */
const workMin = 9_216 * 4;

/** True for a hash that may be computed, but with less work than we would put into it. */
export function isWeakHash(phc: string): boolean {
  const [, memory = '0', passes = '0'] = phcForm.exec(phc) ?? [];
  return Number(memory) * Number(passes) < workMin;
}

/** A hash that no text matches, of the usual cost: unknown ids are computed against it, so that they take as long as known ones. */
export function unmatchableHash(): string {
  const part = (bytes: number): string => randomBytes(bytes).toString('base64').replaceAll('=', '');
  const { memoryCost, timeCost, parallelism } = cost;
  return `$argon2id$v=19$m=${String(memoryCost)},t=${String(timeCost)},p=${String(parallelism)}$${part(saltBytes)}$${part(hashBytes)}`;
}

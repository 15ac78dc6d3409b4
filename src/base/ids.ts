import { randomBytes } from 'node:crypto';

const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const poolBytes = 4096;
const randomPart = 16;
let pool = Buffer.alloc(0);
let used = 0;

/**
 * A ULID: 48 bits of time and 80 random bits in Crockford's base 32, so that ids sort by time.
 *
 * @param nowMs Unix time in ms, from the clock
 * @see https://github.com/ulid/spec
 */
export function newDecisionId(nowMs: number): string {
  let time = '';
  let rest = nowMs;
  for (let i = 0; i < 10; i += 1) {
    time = crockford.charAt(rest % 32) + time;
    rest = Math.floor(rest / 32);
  }
  if (used + randomPart > pool.length) {
    pool = randomBytes(poolBytes); // one call for many ids: a call per id costs a microsecond on the hot path
    used = 0;
  }
  let random = '';
  for (let i = 0; i < randomPart; i += 1) {
    // One byte a character, of which 5 bits are used: no bias.
    random += crockford.charAt((pool[used + i] ?? 0) & 31);
  }
  used += randomPart;
  return time + random;
}

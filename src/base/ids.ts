import { randomBytes } from 'node:crypto';

const crockford = '0123456789ABCDEFGHJKMNPQRSTVWXYZ';
const poolBytes = 4096;
const randomPart = 16;
let pool = Buffer.alloc(0);
let used = 0;
/** Every pair of characters, by the ten bits that it stands for. */
const pairs = Array.from(crockford, (first) => Array.from(crockford, (second) => first + second)).flat();
let timeMs = -1;
let timeText = '';

/** One conversion a millisecond. */
function timePart(nowMs: number): string {
  if (nowMs !== timeMs) {
    let text = '';
    let rest = nowMs;
    for (let i = 0; i < 10; i += 1) {
      text = crockford.charAt(rest % 32) + text;
      rest = Math.floor(rest / 32);
    }
    timeText = text;
    timeMs = nowMs;
  }
  return timeText;
}

/**
 * A ULID: 48 bits of time and 80 random bits in Crockford's base 32, so that ids sort by time.
 *
 * @param nowMs Unix time in ms, from the clock
 * @see https://github.com/ulid/spec
 */
export function newDecisionId(nowMs: number): string {
  if (used + randomPart > pool.length) {
    pool = randomBytes(poolBytes); // one call for many ids: a call per id costs a microsecond on the hot path
    used = 0;
  }
  let text = timePart(nowMs);
  // One byte a character, of which 5 bits are used: no bias.
  for (let i = used; i < used + randomPart; i += 2)
    text += pairs[((pool[i] ?? 0) & 31) * 32 + ((pool[i + 1] ?? 0) & 31)] ?? '';
  used += randomPart;
  return text;
}

const idForm = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const timeLength = 10;

/** When a decision id was made, as Unix time in ms; null for a text that is none. */
export function decisionTimeMs(id: string): number | null {
  if (!idForm.test(id)) return null;
  let ms = 0;
  for (const character of id.slice(0, timeLength)) ms = ms * 32 + crockford.indexOf(character);
  return ms;
}

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const form = /^([1-9]\d{0,6})([smhdw])$/;

/** What a duration looks like, for messages. */
export const durationForm = 'a number and one of s, m, h, d, w, such as 30d or 12h';

/** Milliseconds of a duration such as `30d`, `12h`, `15m` or `45s`; null when it is none. A form that is nearly right is never guessed at. */
export function parseDuration(text: string): number | null {
  const found = form.exec(text);
  const unit = units[found?.[2] ?? ''];
  return found === null || unit === undefined ? null : Number(found[1]) * unit;
}

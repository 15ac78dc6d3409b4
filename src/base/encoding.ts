/**
 * Joins parts so that no two different lists give the same text: each part is prefixed with its length.
 * Keys of buckets, caches and look-ups are made with it (CVE-2026-116575 shows what joining with a separator costs).
 */
export function injectiveKey(parts: readonly string[]): string {
  let key = '';
  for (const part of parts) key += `${String(part.length)}:${part}`;
  return key;
}

// Printable ASCII without the two characters that JSON escapes: such text is its own JSON and its own UTF-8 length.
const plain = /^[ !#-[\]-~]*$/;

/** True for text that stands in JSON as it is. */
export const isPlainJson = (text: string): boolean => plain.test(text);

/** A JSON string; most texts here are plain names, for which this is several times as fast as `JSON.stringify`. */
export const jsonString = (text: string): string => (plain.test(text) ? `"${text}"` : JSON.stringify(text));

// C0, DEL, C1, soft hyphen and zero-width characters, line separators, bidi controls, lone surrogates: what can forge a line or steer a terminal.
const unsafe =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Makes text safe for a terminal and a log line: controls become visible \uXXXX escapes. */
export const visible = (text: string): string =>
  text.replace(unsafe, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** `visible`, cut to at most `max` characters, with an ellipsis where something was cut. */
export function capped(text: string, max: number): string {
  const shown = visible(text.length > max * 2 ? text.slice(0, max * 2) : text);
  return shown.length <= max && text.length <= max * 2 ? shown : `${shown.slice(0, max - 1)}…`;
}

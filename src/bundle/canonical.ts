import { isJsonArray, isJsonObject, type JsonObject, type JsonTree } from '../base/json-tree.js';

/**
 * JSON in the one spelling over which OPA signs: names in the order of their UTF-8 bytes, no blanks, numbers as they were written, and
 * in strings only those escapes that Go's writer makes where it does not escape for HTML. `JSON.parse` and `JSON.stringify` would change
 * `1.0`, `1e3`, `0.10` and every whole number above 2^53.
 */
export function canonicalText(tree: JsonTree): string {
  if (typeof tree === 'string') return canonicalString(tree);
  if (isJsonArray(tree)) return `[${tree.map(canonicalText).join(',')}]`;
  if (isJsonObject(tree)) return canonicalObject(tree);
  return tree === null || typeof tree === 'boolean' ? String(tree) : tree.number;
}

function canonicalObject(tree: JsonObject): string {
  const entries = [...tree].map(([name, value]) => ({ name, bytes: Buffer.from(name), value }));
  entries.sort((one, other) => Buffer.compare(one.bytes, other.bytes)); // UTF-16 would put U+E000 behind U+10000
  return `{${entries.map(({ name, value }) => `${canonicalString(name)}:${canonicalText(value)}`).join(',')}}`;
}

// The strict reader lets no lone surrogate in: those JSON.stringify would escape, and Go would replace.
const canonicalString = (text: string): string =>
  JSON.stringify(text).replace(/[\u2028\u2029]/g, (one) => (one === '\u2028' ? '\\u2028' : '\\u2029'));

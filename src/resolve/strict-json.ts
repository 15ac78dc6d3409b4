import { isUtf8 } from 'node:buffer';
import { no, ok, type Result } from '../base/result.js';

const depthMax = 32;
const keysMax = 10_000;
/** Keys that some language or library gives a meaning of its own. */
const poisonous: ReadonlySet<string> = new Set(['__proto__', 'constructor', 'prototype']);
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const plainRun = /[^"\\\u0000-\u001f]*/y;
const space = /[ \t\n\r]*/y;
const escapes: Readonly<Record<string, string>> = {
  '"': '"',
  '\\': '\\',
  '/': '/',
  b: '\b',
  f: '\f',
  n: '\n',
  r: '\r',
  t: '\t',
};
const loneSurrogate = /[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/;

/** A top-level field: its text when it is a string, otherwise what kind of value stands there. */
export type TopField = { readonly kind: 'string'; readonly text: string } | { readonly kind: 'other' };

class NotStrict extends Error {}

/**
 * Reads one JSON object strictly: UTF-8 without a mark, one document, no key twice in an object at any depth, no lone surrogate,
 * bounded depth and number of keys. Different servers read the loose forms differently; the strict form has one reading.
 *
 * @returns the top-level fields by name, or what is wrong
 * @see RFC 8259, RFC 7493
 */
export function readStrictObject(bytes: Buffer): Result<ReadonlyMap<string, TopField>, string> {
  if (!isUtf8(bytes)) return no('not UTF-8');
  const scanner = new Scanner(bytes.toString('utf8'));
  try {
    return ok(scanner.document());
  } catch (thrown) {
    if (thrown instanceof NotStrict) return no(thrown.message);
    throw thrown;
  }
}

class Scanner {
  readonly #text: string;
  #at = 0;
  #keys = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): Map<string, TopField> {
    this.#run(space);
    if (this.#text[this.#at] !== '{') throw new NotStrict('not one JSON object');
    const fields = new Map<string, TopField>();
    this.#object(1, fields);
    this.#run(space);
    if (this.#at !== this.#text.length) throw new NotStrict('something follows the JSON object');
    return fields;
  }

  #object(depth: number, fields: Map<string, TopField>): void {
    this.#at += 1;
    this.#run(space);
    if (this.#take('}')) return;
    for (;;) {
      const key = this.#key(fields, depth);
      this.#run(space);
      if (!this.#take(':')) throw new NotStrict('a key without a colon');
      this.#run(space);
      fields.set(key, this.#value(depth));
      this.#run(space);
      if (this.#take('}')) return;
      if (!this.#take(',')) throw new NotStrict('an object that does not close');
      this.#run(space);
    }
  }

  #key(fields: ReadonlyMap<string, TopField>, depth: number): string {
    if (this.#text[this.#at] !== '"') throw new NotStrict('a key that is not a string');
    const key = this.#string();
    this.#keys += 1;
    if (this.#keys > keysMax) throw new NotStrict(`over ${String(keysMax)} keys`);
    if (fields.has(key)) throw new NotStrict('a key that stands twice');
    if (key === '__proto__' || (depth === 1 && poisonous.has(key))) throw new NotStrict('a key that is not accepted');
    return key;
  }

  #value(depth: number): TopField {
    const first = this.#text[this.#at];
    if (first === '"') return { kind: 'string', text: this.#string() };
    if (first === '{' || first === '[') {
      if (depth >= depthMax) throw new NotStrict(`nested deeper than ${String(depthMax)}`);
      if (first === '{') this.#object(depth + 1, new Map());
      else this.#array(depth + 1);
    } else if (!this.#word('true') && !this.#word('false') && !this.#word('null') && !this.#run(number)) {
      throw new NotStrict('a value that is not JSON');
    }
    return { kind: 'other' };
  }

  #array(depth: number): void {
    this.#at += 1;
    this.#run(space);
    if (this.#take(']')) return;
    for (;;) {
      this.#value(depth);
      this.#run(space);
      if (this.#take(']')) return;
      if (!this.#take(',')) throw new NotStrict('an array that does not close');
      this.#run(space);
    }
  }

  #string(): string {
    this.#at += 1;
    let value = '';
    for (;;) {
      const start = this.#at;
      this.#run(plainRun);
      value += this.#text.slice(start, this.#at);
      if (this.#take('"')) break;
      if (!this.#take('\\')) throw new NotStrict('a string that does not close, or holds a control character');
      value += this.#escape();
    }
    if (loneSurrogate.test(value)) throw new NotStrict('a lone surrogate');
    return value;
  }

  #escape(): string {
    const letter = this.#text[this.#at] ?? '';
    this.#at += 1;
    if (letter !== 'u') {
      const plain = escapes[letter];
      if (plain === undefined) throw new NotStrict('an escape that is not JSON');
      return plain;
    }
    const hex = this.#text.slice(this.#at, this.#at + 4);
    if (!/^[0-9A-Fa-f]{4}$/.test(hex)) throw new NotStrict('an escape that is not JSON');
    this.#at += 4;
    return String.fromCharCode(Number.parseInt(hex, 16));
  }

  #take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  #word(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false;
    this.#at += word.length;
    return true;
  }

  /** Moves over a sticky pattern; true when it matched at least one character. */
  #run(pattern: RegExp): boolean {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found === null) return false;
    this.#at += found[0].length;
    return found[0] !== '';
  }
}

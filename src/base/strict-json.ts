import { isUtf8 } from 'node:buffer';
import type { JsonArray, JsonObject, JsonTree } from './json-tree.js';
import { no, ok, type Result } from './result.js';

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

class NotStrict extends Error {}

/**
 * Reads one JSON object strictly: UTF-8 without a mark, one document, no key twice in an object at any depth, no lone surrogate,
 * bounded depth and number of keys. Different servers read the loose forms differently; the strict form has one reading.
 *
 * @returns the object, or what is wrong
 * @see RFC 8259, RFC 7493
 */
export function readStrictObject(bytes: Buffer): Result<JsonObject, string> {
  return scanned(bytes, (scanner) => scanner.object());
}

/**
 * Reads one JSON object as strictly, for whoever asks for strings in objects only: arrays are checked, and come out empty. A long
 * list of numbers is most of what memory servers are sent.
 */
export function readStrictFields(bytes: Buffer): Result<JsonObject, string> {
  return scanned(bytes, (scanner) => scanner.object(), fieldsOnly);
}

/** Reads one JSON value of any kind, as strictly. @param keys Most keys in all; 10,000 unless told */
export function readStrictJson(bytes: Buffer, keys = keysMax): Result<JsonTree, string> {
  return scanned(bytes, (scanner) => scanner.document(), { keepsItems: true, keysMax: keys });
}

interface Scanning {
  readonly keepsItems: boolean;
  readonly keysMax: number;
}

const whole: Scanning = { keepsItems: true, keysMax };
const fieldsOnly: Scanning = { keepsItems: false, keysMax };

function scanned<T>(bytes: Buffer, read: (scanner: Scanner) => T, scanning = whole): Result<T, string> {
  if (!isUtf8(bytes)) return no('not UTF-8');
  try {
    return ok(read(new Scanner(bytes.toString('utf8'), scanning)));
  } catch (thrown) {
    if (thrown instanceof NotStrict) return no(thrown.message);
    throw thrown;
  }
}

class Scanner {
  readonly #text: string;
  readonly #keepsItems: boolean;
  readonly #keysMax: number;
  #at = 0;
  #keys = 0;

  constructor(text: string, { keepsItems, keysMax: most }: Scanning) {
    this.#text = text;
    this.#keepsItems = keepsItems;
    this.#keysMax = most;
  }

  object(): JsonObject {
    this.#run(space);
    if (this.#text[this.#at] !== '{') throw new NotStrict('not one JSON object');
    const fields = this.#object(1);
    this.#end();
    return fields;
  }

  document(): JsonTree {
    this.#run(space);
    const tree = this.#value(0);
    this.#end();
    return tree;
  }

  #end(): void {
    this.#run(space);
    if (this.#at !== this.#text.length) throw new NotStrict('something follows the JSON document');
  }

  #object(depth: number): JsonObject {
    const fields = new Map<string, JsonTree>();
    this.#at += 1;
    this.#run(space);
    if (this.#take('}')) return fields;
    for (;;) {
      const key = this.#key(fields, depth);
      this.#run(space);
      if (!this.#take(':')) throw new NotStrict('a key without a colon');
      this.#run(space);
      fields.set(key, this.#value(depth));
      this.#run(space);
      if (this.#take('}')) return fields;
      if (!this.#take(',')) throw new NotStrict('an object that does not close');
      this.#run(space);
    }
  }

  #key(fields: JsonObject, depth: number): string {
    if (this.#text[this.#at] !== '"') throw new NotStrict('a key that is not a string');
    const key = this.#string();
    this.#keys += 1;
    if (this.#keys > this.#keysMax) throw new NotStrict(`over ${String(this.#keysMax)} keys`);
    if (fields.has(key)) throw new NotStrict('a key that stands twice');
    if (key === '__proto__' || (depth === 1 && poisonous.has(key))) throw new NotStrict('a key that is not accepted');
    return key;
  }

  #value(depth: number): JsonTree {
    const first = this.#text[this.#at];
    if (first === '"') return this.#string();
    if (first === '{' || first === '[') {
      if (depth >= depthMax) throw new NotStrict(`nested deeper than ${String(depthMax)}`);
      return first === '{' ? this.#object(depth + 1) : this.#array(depth + 1);
    }
    if (this.#word('true')) return true;
    if (this.#word('false')) return false;
    if (this.#word('null')) return null;
    return this.#number();
  }

  #number(): JsonTree {
    const start = this.#at;
    if (!this.#run(number)) throw new NotStrict('a value that is not JSON');
    return { number: this.#text.slice(start, this.#at) };
  }

  #array(depth: number): JsonArray {
    const items: JsonTree[] = [];
    this.#at += 1;
    this.#run(space);
    if (this.#take(']')) return items;
    for (;;) {
      const item = this.#value(depth);
      if (this.#keepsItems) items.push(item);
      this.#run(space);
      if (this.#take(']')) return items;
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
    if (!pattern.test(this.#text)) return false;
    const start = this.#at;
    this.#at = pattern.lastIndex;
    return this.#at > start;
  }
}

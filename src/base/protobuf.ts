import { isUtf8 } from 'node:buffer';
import { no, ok, type Result } from './result.js';

/** Fields that are looked for in a message, by number: a string, or a message with further ones. */
export type FieldTree = ReadonlyMap<number, string | FieldTree>;

const tagBytesMax = 5;
const varintBytesMax = 10;
const fieldMax = 2 ** 29 - 1;

class NotStrict extends Error {}

type Growing = Map<number, string | Growing>;

/**
 * The tree of some paths. A path is field numbers from the outside in, joined by dots: `1`, or `2.1`.
 *
 * @param messages paths of messages whose presence counts
 * @throws Error where a field would be a string and a message
 */
export function fieldTree(strings: Iterable<string>, messages: Iterable<string> = []): FieldTree {
  const root: Growing = new Map();
  for (const path of messages) messageAt(root, path.split('.'), path);
  for (const path of strings) {
    const numbers = path.split('.');
    const last = Number(numbers.pop());
    const node = messageAt(root, numbers, path);
    if ((node.get(last) ?? path) !== path) throw new Error(`${path} is a message on another path`);
    node.set(last, path);
  }
  return root;
}

function messageAt(root: Growing, numbers: readonly string[], path: string): Growing {
  let node = root;
  for (const number of numbers.map(Number)) {
    const known = node.get(number) ?? new Map<number, string | Growing>();
    if (typeof known === 'string') throw new Error(`${path} leads through the string ${known}`);
    node.set(number, known);
    node = known;
  }
  return node;
}

/**
 * Reads the strings at the wanted places of a message, and walks over the rest. What readers understand in different ways is refused: a wanted
 * field that stands twice (the last one wins, messages are merged), groups, unknown wire types, numbers that are longer than they need be.
 *
 * @returns text by path, empty for messages, without what is absent; or what is wrong
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function readStrings(message: Buffer, tree: FieldTree): Result<ReadonlyMap<string, string>, string> {
  const found = new Map<string, string>();
  try {
    new Walk(message, found).fields(message.length, tree, '');
    return ok(found);
  } catch (thrown) {
    if (thrown instanceof NotStrict) return no(thrown.message);
    throw thrown;
  }
}

interface Place {
  readonly tag: number;
  readonly end: number;
  readonly outside: string;
}

class Walk {
  readonly #bytes: Buffer;
  readonly #found: Map<string, string>;
  #at = 0;

  constructor(bytes: Buffer, found: Map<string, string>) {
    this.#bytes = bytes;
    this.#found = found;
  }

  /** @param outside path of the message, with a dot; empty for the outermost */
  fields(end: number, tree: FieldTree, outside: string): void {
    let seen: Set<number> | null = null;
    while (this.#at < end) {
      const tag = this.#short(end);
      const field = tag >>> 3;
      if (field === 0 || field > fieldMax) throw new NotStrict('a field number that there is not');
      const wanted = tree.get(field);
      if (wanted === undefined) {
        this.#skip(tag & 7, end);
        continue;
      }
      seen ??= new Set();
      if (seen.has(field)) throw new NotStrict(`field ${String(field)} stands twice`);
      seen.add(field);
      this.#wanted(wanted, { tag, end, outside });
    }
  }

  #wanted(wanted: string | FieldTree, { tag, end, outside }: Place): void {
    if ((tag & 7) !== 2) throw new NotStrict(`field ${String(tag >>> 3)} is not length-delimited`);
    const length = this.#length(end);
    if (typeof wanted !== 'string') {
      const path = `${outside}${String(tag >>> 3)}`;
      this.#found.set(path, '');
      this.fields(this.#at + length, wanted, `${path}.`);
      return;
    }
    const bytes = this.#bytes.subarray(this.#at, this.#at + length);
    if (!isUtf8(bytes)) throw new NotStrict(`field ${wanted} is not UTF-8`);
    this.#found.set(wanted, bytes.toString('utf8'));
    this.#at += length;
  }

  #skip(wire: number, end: number): void {
    if (wire === 0) {
      this.#varint(end);
      return;
    }
    const length = wire === 1 ? 8 : wire === 5 ? 4 : wire === 2 ? this.#length(end) : null;
    if (length === null) throw new NotStrict(wire < 6 ? 'a group' : 'a wire type that there is not');
    this.#at += length;
    if (this.#at > end) throw new NotStrict('a field that ends behind its message');
  }

  #length(end: number): number {
    const length = this.#short(end);
    if (length > end - this.#at) throw new NotStrict('a length beyond the end');
    return length;
  }

  /** A tag or a length: 32 bits, in as few bytes as possible. */
  #short(end: number): number {
    let value = 0;
    for (let count = 0; count < tagBytesMax && this.#at < end; count += 1) {
      const byte = this.#next();
      value += (byte & 0x7f) * 2 ** (7 * count);
      if (byte >= 0x80) continue;
      if ((byte === 0 && count > 0) || value > 0xffffffff) break;
      return value;
    }
    throw new NotStrict('a tag or a length that is cut off or too long');
  }

  #varint(end: number): void {
    for (let count = 0; count < varintBytesMax && this.#at < end; count += 1) {
      const byte = this.#next();
      if (byte >= 0x80) continue;
      if ((byte === 0 && count > 0) || (count === varintBytesMax - 1 && byte > 1)) break;
      return;
    }
    throw new NotStrict('a number that is cut off or too long');
  }

  #next(): number {
    const byte = this.#bytes[this.#at] ?? 0;
    this.#at += 1;
    return byte;
  }
}

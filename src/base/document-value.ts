import { createHash } from 'node:crypto';
import type { Place } from './problem.js';

type Path = readonly PropertyKey[];

/** A parsed YAML file that still knows where each value stood. */
export interface YamlDocument {
  readonly file: string;
  readonly value: unknown;
  /** SHA-256 of the bytes that were read, in hexadecimal. */
  readonly digest: string;
  /** Place of a value or of its name; of the nearest thing around it when there is no such value. */
  at(path: Path, of?: 'name' | 'value'): Place;
}

/** Puts a document together from what the parser handed over. */
export function createDocument(
  file: string,
  text: string,
  parsed: { json: string; places: Uint32Array },
): YamlDocument {
  const value: unknown = JSON.parse(parsed.json);
  const known: KnownOffsets = new WeakMap();
  return {
    file,
    value,
    digest: createHash('sha256').update(text).digest('hex'),
    at: (path, of = 'value') => {
      const found = indexOf(value, path, known);
      // A mapping or list that begins in the line after its name is told by its name.
      const aside = of === 'name' || (found.depth > 0 && typeof found.value === 'object' && found.value !== null);
      const start = found.index * 4 + (aside ? 0 : 2);
      return { line: parsed.places[start] ?? 0, column: parsed.places[start + 1] ?? 0 };
    },
  };
}

type KnownOffsets = WeakMap<object, ReadonlyMap<string, number>>;

/**
 * Index of a value in the parser's walk: one for each value before it. Every key of a manifest asks for its place, so that what
 * stands before each child is counted once and kept: counted anew, 10,000 keys took half a minute.
 */
function indexOf(root: unknown, path: Path, known: KnownOffsets): { index: number; depth: number; value: unknown } {
  let index = 0;
  let value = root;
  for (const [depth, part] of path.entries()) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return { index, depth, value };
    let offsets = known.get(value);
    if (offsets === undefined) known.set(value, (offsets = offsetsIn(value)));
    index += 1 + (offsets.get(String(part)) ?? 0);
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return { index, depth: path.length, value };
}

/** How many values stand before each one of the same mapping or list. */
function offsetsIn(container: object): ReadonlyMap<string, number> {
  const offsets = new Map<string, number>();
  let before = 0;
  for (const [name, inner] of Object.entries(container)) {
    offsets.set(name, before);
    before += count(inner);
  }
  return offsets;
}

function count(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  let sum = 1;
  for (const inner of Object.values(value)) sum += count(inner);
  return sum;
}

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
  return {
    file,
    value,
    digest: createHash('sha256').update(text).digest('hex'),
    at: (path, of = 'value') => {
      const found = indexOf(value, path);
      // A mapping or list that begins in the line after its name is told by its name.
      const aside = of === 'name' || (found.depth > 0 && typeof found.value === 'object' && found.value !== null);
      const start = found.index * 4 + (aside ? 0 : 2);
      return { line: parsed.places[start] ?? 0, column: parsed.places[start + 1] ?? 0 };
    },
  };
}

/** Index of a value in the parser's walk: one for each value before it. Slow, and used for problems only. */
function indexOf(root: unknown, path: Path): { index: number; depth: number; value: unknown } {
  let index = 0;
  let value = root;
  for (const [depth, part] of path.entries()) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return { index, depth, value };
    index += 1;
    for (const [name, sibling] of Object.entries(value)) {
      if (name === String(part)) break;
      index += count(sibling);
    }
    value = (value as Record<PropertyKey, unknown>)[part];
  }
  return { index, depth: path.length, value };
}

function count(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 1;
  let sum = 1;
  for (const inner of Object.values(value)) sum += count(inner);
  return sum;
}

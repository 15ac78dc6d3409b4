import type { z } from 'zod';

interface Definition {
  readonly type: string;
  readonly shape?: Record<string, z.ZodType>;
  readonly element?: z.ZodType;
  readonly valueType?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly in?: z.ZodType;
  readonly options?: readonly z.ZodType[];
}

const definition = (schema: z.ZodType): Definition => schema.def;

/** The names that a schema knows in the mapping at a path. */
export function namesAt(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  const def = definition(schema);
  const inner = def.innerType ?? def.in;
  if (inner !== undefined) return namesAt(inner, path);
  if (def.options !== undefined) return def.options.flatMap((option) => namesAt(option, path));
  const [part, ...rest] = path;
  if (part === undefined) return Object.keys(def.shape ?? {});
  const next = def.shape?.[String(part)] ?? def.element ?? def.valueType;
  return next === undefined ? [] : namesAt(next, rest);
}

/** The known name that is at most a third away from what was written, or null. */
export function nearestName(name: string, known: readonly string[]): string | null {
  let best: string | null = null;
  let least = Math.max(1, Math.floor(Math.min(name.length, 64) / 3)) + 1;
  for (const candidate of known) {
    const far = distance(name.slice(0, 64).toLowerCase().replaceAll('-', '_'), candidate.toLowerCase());
    if (far < least) [best, least] = [candidate, far];
  }
  return best;
}

/** Fewest insertions, deletions, replacements that turn one text into the other, row by row. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i += 1) {
    const next = [i];
    for (let j = 1; j <= other.length; j += 1) {
      const replaced = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(replaced, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
}

import type { z } from 'zod';
import { schema } from './schema.js';

/** One value that the configuration holds, as its documentation and its comparison see it. */
export interface Field {
  /** Dotted; `[]` stands for each item of a list. */
  readonly path: string;
  readonly schema: z.ZodType;
  readonly description: string;
  /** Undefined when it must be given or may stay away. */
  readonly fallback: unknown;
  readonly required: boolean;
  /** True when a change takes effect only after a restart. */
  readonly restart: boolean;
  /** True for a value that is compared as a whole: everything but fields of list items. */
  readonly leaf: boolean;
}

interface Definition {
  readonly type: string;
  readonly shape?: Record<string, z.ZodType>;
  readonly element?: z.ZodType;
  readonly innerType?: z.ZodType;
  readonly defaultValue?: unknown;
}

const definition = (of: z.ZodType): Definition => of.def;

/** A schema without its wrappers, with what the wrappers said. */
function bare(wrapped: z.ZodType): {
  inner: z.ZodType;
  fallback: unknown;
  optional: boolean;
  restart: boolean;
  description: string;
} {
  let inner = wrapped;
  const found = { fallback: undefined as unknown, optional: false, restart: false, description: '' };
  for (;;) {
    const def = definition(inner);
    found.restart ||= inner.meta()?.['restart'] === true;
    found.description ||= inner.description ?? '';
    if (def.type === 'optional' || def.type === 'default' || def.type === 'prefault') found.optional = true;
    if (def.type === 'default') found.fallback = def.defaultValue;
    if (def.innerType === undefined) return { inner, ...found };
    inner = def.innerType;
  }
}

function walk(shape: Record<string, z.ZodType>, prefix: string, leaf: boolean): Field[] {
  return Object.entries(shape).flatMap(([name, wrapped]) => {
    const { inner, fallback, optional, restart, description } = bare(wrapped);
    const path = prefix + name;
    const def = definition(inner);
    if (def.shape !== undefined) return walk(def.shape, `${path}.`, leaf);
    const field = { path, schema: wrapped, description, fallback, required: !optional, restart, leaf };
    const item = def.element === undefined ? {} : (definition(bare(def.element).inner).shape ?? {});
    return [field, ...walk(item, `${path}[].`, false)];
  });
}

/** Every field of the configuration, in the order of the schema. */
export const fields = (): readonly Field[] => walk(schema.shape, '', true);

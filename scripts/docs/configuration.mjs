import { z } from 'zod';
import { cell, code, generated, table } from './tables.mjs';

/** A JSON Schema in a few words. */
function words(schema) {
  if (schema.anyOf !== undefined) return schema.anyOf.map(words).join(' or ');
  if (schema.enum !== undefined) return schema.enum.map((value) => code(value)).join(', ');
  if (schema.type === 'array')
    return schema.items?.type === 'object' ? 'list of mappings' : `list of ${words(schema.items ?? {})}`;
  if (schema.type === 'integer' || schema.type === 'number')
    return `${schema.type === 'integer' ? 'whole number' : 'number'}${range(schema)}`;
  if (schema.type === 'object') return 'mapping';
  return { string: 'text', boolean: '`true` or `false`', null: '`null`' }[schema.type] ?? 'any';
}

function range({ minimum, maximum }) {
  const low = minimum > Number.MIN_SAFE_INTEGER ? minimum : undefined;
  const high = maximum < Number.MAX_SAFE_INTEGER ? maximum : undefined;
  if (low !== undefined && high !== undefined) return `, ${low} to ${high}`;
  return low === undefined ? '' : `, at least ${low}`;
}

function fallback({ required, fallback: value }) {
  if (required) return 'must be given';
  return value === undefined ? '' : code(typeof value === 'string' ? value : JSON.stringify(value));
}

const row = (field) => [
  code(field.path),
  words(z.toJSONSchema(field.schema, { io: 'input' })),
  fallback(field),
  field.restart ? 'restart' : 'reload',
  cell(field.description),
];

export function configurationDoc(fields) {
  const groups =
    Map.groupBy?.(fields, group) ??
    fields.reduce((map, field) => map.set(group(field), [...(map.get(group(field)) ?? []), field]), new Map());
  const sections = [...groups].map(
    ([name, members]) =>
      `## ${name}\n\n${table(['field', 'value', 'default', 'change by', 'meaning'], members.map(row))}\n`,
  );
  return `${generated('src/config')}
# Configuration

One YAML file, \`config/memgate.yaml\` for example, holds everything that memgate can be told. It is checked as a whole:
all problems are told at once with line and column, and an unknown name is a problem. \`memgate check-config FILE\`
checks without starting anything. Editors can use [the JSON Schema](../../config/memgate.schema.json).

- Relative paths start at the directory of the configuration file.
- Secrets never stand in the file: \`from_env\` names an environment variable, \`from_file\` a file. An empty, short (under 16
  characters) or placeholder secret refuses the start.
- _reload_: a changed value takes effect with \`memgate reload\`. _restart_: a reload that finds such a change is refused as a
  whole and names the field; restart the process instead.
- The file is YAML 1.2 of at most 1 MiB, without aliases, tags and duplicate names.

${sections.join('\n')}`;
}

const group = ({ path }) => (path.includes('.') ? path.split(/[.[]/)[0] : 'top level');

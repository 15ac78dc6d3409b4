import { z } from 'zod';
import { cell, code, generated, table } from './tables.mjs';

/** Mappings whose members are told elsewhere on the page. */
const toldElsewhere = new Set(['space.carriers[]']);

/** A JSON Schema in a few words. */
function words(schema) {
  const parts = schema.anyOf ?? schema.oneOf;
  if (parts !== undefined) return [...new Set(parts.map(words))].join(' or ');
  if (schema.const !== undefined) return code(JSON.stringify(schema.const).replaceAll('"', ''));
  if (schema.enum !== undefined) return schema.enum.map((value) => code(value)).join(', ');
  if (schema.type === 'array')
    return `list of ${schema.items?.type === 'object' ? 'mappings' : words(schema.items ?? {})}`;
  if (schema.type === 'integer') return 'whole number';
  if (schema.type === 'object') return 'mapping';
  return { string: 'text', number: 'number', boolean: '`true` or `false`', null: '`null`' }[schema.type] ?? 'any';
}

const shown = (value) => code(typeof value === 'string' ? value : JSON.stringify(value));

/** Rows of a mapping and of what is in it, in the order of the schema. */
function rows(schema, prefix = '') {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const path = prefix + name;
    const isRequired = schema.required?.includes(name) === true && field.default === undefined;
    const fallback = isRequired ? 'must be given' : field.default === undefined ? '' : shown(field.default);
    const inner = [field, ...(field.anyOf ?? field.oneOf ?? [])].flatMap((one) => {
      if (one.type === 'array') return toldElsewhere.has(`${path}[]`) ? [] : rows(one.items ?? {}, `${path}[].`);
      const named = typeof one.additionalProperties === 'object' ? rows(one.additionalProperties, `${path}.NAME.`) : [];
      return [...rows(one, `${path}.`), ...named];
    });
    return [[code(path), words(field), fallback, cell(field.description ?? '')], ...inner];
  });
}

const head = ['field', 'value', 'default', 'meaning'];

export function profileFileDoc(schema, kinds) {
  const { properties, required = [] } = z.toJSONSchema(schema, { io: 'input' });
  const { space, routes, ...others } = properties;
  const of = (named) => table(head, rows({ properties: named, required }));
  const carriers = Object.entries(kinds).map(([kind, { example, says }]) => [code(kind), code(example), cell(says)]);
  return `${generated('src/resolve')}
# The profile file

A profile says what memgate must know of one memory server: its routes, what each of them does, and every place in which the server
looks for a space. memgate brings profiles of many servers in \`config/profiles\`; \`memgate profile check FILE\` reads one of your
own. What a profile does not list is refused. The file is YAML, read like [the configuration](configuration.md): all problems at once,
each with its line and column, and an unknown name is one.

## The server

${of(others)}

## Spaces

${of({ space })}

## Routes

\`METHOD /path\` is matched segment by segment: \`{name}\` takes one segment, \`{*name}\` at the end takes the rest. A fixed segment is
narrower than \`{name}\`, and that than \`{*name}\`. Two routes of one method that a request could both mean, neither of them narrower in
every segment, are refused at load.

${of({ routes })}

## Carriers

A carrier is a place of a request in which the server looks for the space. A route lists in \`space\` those that it obeys, each as
\`KIND:NAME\`; \`space.carriers\` lists those that are looked at on every route, each as \`KIND: NAME\`. In documents the name is a field of
the top level, or a JSON pointer that goes through objects.

${table(['kind', 'example', 'what is read'], carriers)}

How the space follows from them:

1. Every carrier of the server and of the route is read, also those that the route does not obey. All that are present must state
   the same space, or the same set of spaces, each in the form of \`space.pattern\`; otherwise 400.
2. A carrier stands once. What is not text is no space: numbers, objects and lists where one name is wanted are 400.
3. \`null\` or an empty list is 400, except where the route says \`empty: ALL\`. No carrier at all means what \`absent\` says. Every space
   needs the right to every space.
4. The first header or query carrier that the route obeys is written with the decided space, all other headers and query keys among
   the carriers are taken out. Paths, documents and forms stay as they came; \`rewrite_body: true\` writes JSON bodies anew.
5. What only a carrier states that the route does not obey, and that cannot be written anywhere, the server would never see: 400.

Bodies are read whole and strictly on every route that does not say \`body: stream\`. \`strict_keys: true\` is for servers with a query
language: the key of a carrier may then stand at its place only. \`{"user_id":"a","filters":{"AND":[{"user_id":"b"}]}}\` is refused, and so
are \`USER_ID\`, \`payload.user_id\` and \`user_id__in\` anywhere in it. \`refuse_body_keys\` refuses keys everywhere.

## What is refused at load

- a \`space.pattern\` that is not one anchored class of visible characters with a length, or that matches \`*\` or a comma;
- a default or fixed space that has not that form, or is a dot segment;
- two routes for one request, or of one id; a template that is none; a \`path\` carrier that the template lacks;
- an unknown kind of carrier; a body carrier on GET, on a streamed body or on a form; a form carrier on JSON;
- two readings of one header or query key; a pattern that matches the character at which a carrier is cut;
- \`absent: own\` where the server could not be told the space; \`absent: default\` without a default; \`empty: ALL\` without a document;
- keys that no careful reader accepts: \`__proto__\`, \`constructor\`, \`prototype\`.
`;
}

const header = '[A-Za-z][A-Za-z0-9_-]{0,63}';
const name = '[A-Za-z0-9_.-]{1,64}';
const pointer = '(?:/[A-Za-z0-9_.$@:~-]{1,64}){1,8}';
const field = `(?:${name}|${pointer})`;

/** Every place in which a memory server looks for a space. `form` is what stands behind the colon. */
export const carrierKinds = {
  header: { form: header, example: 'header:X-Memory-Space', says: 'A header. It is written where it stands first.' },
  'header-tail': {
    form: header,
    example: 'header-tail:X-Soma-Namespace',
    says: 'What follows the last `:` of a header; all of it where there is none. What stands before it is passed on where this carrier is the one that is written.',
  },
  query: { form: name, example: 'query:space', says: 'A query key. It is written where it stands first.' },
  'query-first': {
    form: name,
    example: 'query-first:namespace',
    says: 'The first label of a query key whose value is joined by dots. The labels behind it are passed on where this carrier is the one that is written.',
  },
  'query-json': {
    form: `${name}${pointer}`,
    example: 'query-json:filters/user_id',
    says: 'A string or a list of strings in the JSON object that a query key holds, by a JSON pointer. The text is read as strictly as a body, and stays.',
  },
  path: {
    form: '[a-z][a-z0-9_]*',
    example: 'path:tenant',
    says: 'A segment of the path, by the name that the template gives it.',
  },
  'path-head': {
    form: '[a-z][a-z0-9_]*',
    example: 'path-head:crn',
    says: 'What stands before the first `:` of a segment.',
  },
  body: {
    form: field,
    example: 'body:user_id',
    says: 'A string in a JSON body: a field, or a JSON pointer such as `/params/arguments/project`.',
  },
  'body-list': {
    form: field,
    example: 'body-list:group_ids',
    says: 'A list of strings in a JSON body: a set of spaces.',
  },
  'body-any': { form: field, example: 'body-any:group_ids', says: 'A string, or a list of strings, in a JSON body.' },
  'body-first': {
    form: field,
    example: 'body-first:namespace',
    says: 'The first of a list of labels in a JSON body.',
  },
  'body-uri': {
    form: field,
    example: 'body-uri:identifier',
    says: 'The authority of a URI in a JSON body, as in `memory://SPACE/note`. A string without `://` states no space.',
  },
  form: {
    form: name,
    example: 'form:user_id',
    says: 'A field of an `application/x-www-form-urlencoded` body (`body: form`).',
  },
  claim: {
    form: name,
    example: 'claim:sub',
    says: "A claim of the caller's credential, and of the one that is made for the server. For servers that read the space from a token alone.",
  },
} as const satisfies Record<string, { form: string; example: string; says: string }>;

export type CarrierKind = keyof typeof carrierKinds;

const kinds = Object.keys(carrierKinds) as CarrierKind[];
export const carrierText = new RegExp(`^(?:${kinds.map((kind) => `${kind}:${carrierKinds[kind].form}`).join('|')})$`);
export const carrierForms = Object.fromEntries(
  kinds.map((kind) => [kind, new RegExp(`^${carrierKinds[kind].form}$`)]),
) as Readonly<Record<CarrierKind, RegExp>>;
export const carrierWish = kinds.map((kind) => `${kind}:${kind === 'query-json' ? 'NAME/POINTER' : 'NAME'}`).join(', ');

/** A carrier of a profile, taken apart. */
export interface Carrier {
  readonly kind: CarrierKind;
  /** As the profile spells it, with its kind. */
  readonly text: string;
  /** Lower case for headers. Of the body kinds what `pointer` says in one text. */
  readonly name: string;
  /** As the profile spells it. */
  readonly label: string;
  /** Keys from the document's root to the value; empty for the kinds that are not in a document. */
  readonly pointer: readonly string[];
}

const inBody: ReadonlySet<CarrierKind> = new Set(['body', 'body-list', 'body-any', 'body-first', 'body-uri']);

export const isInBody = ({ kind }: Carrier): boolean => inBody.has(kind);

/** The space can be written there, whatever the caller sent. */
export const isWritable = ({ kind }: Carrier): boolean =>
  kind === 'header' || kind === 'header-tail' || kind === 'query' || kind === 'query-first';

/** Takes a text apart that the schema has let through. */
export function parseCarrier(text: string): Carrier {
  const colon = text.indexOf(':');
  const kind = text.slice(0, colon) as CarrierKind; // the schema's pattern allows these words only
  const label = text.slice(colon + 1);
  const slash = label.indexOf('/');
  if (kind === 'query-json')
    return { kind, text, name: label.slice(0, slash), label, pointer: keysOf(label.slice(slash)) };
  const isHeader = kind === 'header' || kind === 'header-tail';
  return {
    kind,
    text,
    name: isHeader ? label.toLowerCase() : label,
    label,
    pointer: inBody.has(kind) ? keysOf(label) : [],
  };
}

/** A JSON pointer's keys; a text without a slash in front is one key. @see RFC 6901 */
export const keysOf = (pointerText: string): readonly string[] =>
  pointerText.startsWith('/')
    ? pointerText
        .slice(1)
        .split('/')
        .map((key) => key.replaceAll('~1', '/').replaceAll('~0', '~'))
    : [pointerText];

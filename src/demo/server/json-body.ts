export type FieldType = 'string' | 'number' | 'boolean' | 'strings' | 'numbers' | 'anything';

/** Fields that a body is read into. A name that ends in `!` must be there; other names are passed over, whatever they hold. */
export type Shape = Readonly<Record<string, FieldType>>;

export type Fields = ReadonlyMap<string, unknown>;

export type BodyReading =
  | { readonly ok: true; readonly fields: Fields }
  | { readonly ok: false; readonly status: 400 | 413 | 415 | 422; readonly message: string };

/** Bytes of the largest body that is read. */
export const bodyBytesMax = 2 * 1024 * 1024;
const depthMax = 128;

const wrong = (status: 400 | 413 | 415 | 422, message: string): BodyReading => ({ ok: false, status, message });

/** Reads a body into a shape: 415 by its label, 413 by its size, 400 for what is no JSON, 422 for JSON of another shape. */
export function readJsonBody(shape: Shape, contentType: string | undefined, body: Buffer): BodyReading {
  if (!/^application\/(?:json|[^;\s]+\+json)\s*(?:;|$)/i.test(contentType ?? ''))
    return wrong(415, 'expected a body labelled application/json');
  if (body.length > bodyBytesMax) return wrong(413, 'length limit exceeded');
  const text = body.toString('utf8');
  const value = Buffer.from(text, 'utf8').equals(body) ? parsed(text) : undefined;
  if (value === undefined) return wrong(400, 'the body is not JSON');
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return wrong(422, 'the body is not an object');
  return intoShape(shape, value as Record<string, unknown>, topLevelKeys(text));
}

function parsed(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isTooDeep(value, depthMax) || hasLoneSurrogate(value) ? undefined : value;
}

const isTooDeep = (value: unknown, depth: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (depth === 0 || Object.values(value).some((inner) => isTooDeep(inner, depth - 1)));

const loneSurrogate = /\p{Surrogate}/u;

function hasLoneSurrogate(value: unknown): boolean {
  if (typeof value === 'string') return loneSurrogate.test(value);
  if (typeof value !== 'object' || value === null) return false;
  return Object.entries(value).some(([name, inner]) => loneSurrogate.test(name) || hasLoneSurrogate(inner));
}

function intoShape(shape: Shape, value: Record<string, unknown>, keys: readonly string[]): BodyReading {
  const fields = new Map<string, unknown>();
  for (const [label, type] of Object.entries(shape)) {
    const name = label.replace('!', '');
    const times = keys.filter((key) => key === name).length;
    if (times > 1) return wrong(422, `duplicate field \`${name}\``);
    const inner = times === 1 ? value[name] : null;
    if (inner === null || inner === undefined) {
      if (label.endsWith('!')) return wrong(422, `missing field \`${name}\``);
    } else if (!isA(type, inner)) {
      return wrong(422, `invalid type of field \`${name}\``);
    } else {
      fields.set(name, inner);
    }
  }
  return { ok: true, fields };
}

function isA(type: FieldType, value: unknown): boolean {
  switch (type) {
    case 'strings':
      return Array.isArray(value) && value.every((inner) => typeof inner === 'string');
    case 'numbers':
      return Array.isArray(value) && value.every((inner) => typeof inner === 'number');
    case 'anything':
      return true;
    default:
      return typeof value === type;
  }
}

/** Keys of the outermost object in their order, duplicates among them. The text is known to be one JSON object. */
function topLevelKeys(text: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  let isKeyNext = false;
  for (const [token] of text.matchAll(/"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\],]/g)) {
    if (token.startsWith('"')) {
      if (isKeyNext) keys.push(JSON.parse(token) as string);
      isKeyNext = false;
    } else if (token === '{' || token === '[') {
      depth += 1;
      isKeyNext = token === '{' && depth === 1;
    } else if (token === '}' || token === ']') {
      depth -= 1;
    } else if (token === ',') {
      isKeyNext = depth === 1;
    }
  }
  return keys;
}

import { delicateWord, folded, isHealth, verbOf } from './draft-words.js';
import type { Operation } from './openapi.js';

/** A route as it stands in a profile; `space` is YAML. */
export interface DraftRoute {
  readonly match: string;
  readonly action: string;
  readonly permission: string;
  readonly class: string;
  readonly space: string;
  readonly stream: boolean;
}

/** A route that the document says enough about, or why it does not and what would have to stand there. */
export interface Judged {
  readonly route: DraftRoute;
  /** Null for a route that is allowed. */
  readonly why: string | null;
}

/** A carrier of an operation: as a profile writes it, and the folded name. */
interface Carrier {
  readonly text: string;
  readonly word: string;
}

const segmentForm = /^(?:[A-Za-z0-9\-._~!$&'()*+,=:@]+|\{[A-Za-z_][A-Za-z0-9_-]*\})$/;

/** Judges one operation. Whatever is open keeps it out: a draft never lets more through than its document says. */
export function judge(operation: Operation, isSpaceWord: (word: string) => boolean): Judged {
  const carriers = carriersOf(operation, isSpaceWord);
  const route = routeOf(operation, carriers);
  if (isHealth(operation.path) && operation.method === 'GET' && operation.parameters.length === 0)
    return {
      route: { ...route, action: 'system:health', permission: 'SystemHealth', class: 'metrics', space: 'NONE' },
      why: null,
    };
  return { route, why: unreadable(operation) ?? doubt(operation, carriers) };
}

/** Why the operation cannot become a route as the document has it. */
function unreadable({ method, path, leadsAway, body }: Operation): string | null {
  if (method === 'HEAD') return 'HEAD is decided as the GET of the same path; it needs no route of its own';
  if (method === 'TRACE') return 'TRACE is never let through';
  if (method === 'OPTIONS') return 'OPTIONS is a question about the server: list it if a caller needs it';
  const odd = path
    .split('/')
    .slice(1)
    .find((segment, index, all) => !(segment === '' && index === all.length - 1) && !segmentForm.test(segment));
  if (odd !== undefined || !path.startsWith('/'))
    return 'a part of the path is neither fixed text nor one whole {name}: write the template by hand';
  if (leadsAway) return 'a part of its description stands in another document, or nowhere';
  if (body !== null && !body.types.includes('application/json'))
    return 'its body is not application/json: body: stream with a body_reason, or a form carrier';
  return null;
}

/** Why a route could be the wrong one to allow. */
function doubt({ method, path, parameters, body }: Operation, carriers: readonly Carrier[]): string | null {
  const word = delicateWord(path);
  if (word !== undefined) return `"${word}" in the path is an operator's matter, or a way to a credential`;
  const words = [...new Set(carriers.map((one) => one.word))];
  if (words.length === 0)
    return 'no parameter or field of it names a space: say where the space comes from, or UNSCOPED, NONE, ALL';
  if (words.length > 1) return `${words.join(' and ')} may each name the space: say which does`;
  const objects = parameters.filter((one) => one.in === 'path' && folded(one.name) !== words[0]);
  if (objects.length > 0)
    return `{${objects.map((one) => snake(one.name)).join('}, {')}} names an object: whether the server looks for it inside the space is not told here`;
  if (carriers.some(({ text }) => text === '')) return `${words.join()} is neither text nor a list of texts`;
  if (body !== null && body.fields === null)
    return 'its body is not an object with named fields: it may name a space anywhere';
  if (method !== 'GET' && path.endsWith('}')) return 'it changes the space itself, not what is in it';
  return null;
}

/** Every place of the operation whose name is that of a space; text '' where the value has no form that can be compared. */
function carriersOf({ parameters, body }: Operation, isSpaceWord: (word: string) => boolean): Carrier[] {
  const found: Carrier[] = [];
  for (const { in: where, name, kind } of parameters) {
    const word = folded(name);
    if (!isSpaceWord(word) || where === 'cookie') continue;
    const isPlain = kind === 'text' && /^[A-Za-z][A-Za-z0-9_-]{0,63}$/.test(name);
    found.push({ text: isPlain ? `${where}:${where === 'path' ? snake(name) : name}` : '', word });
  }
  for (const [name, kind] of body?.fields ?? []) {
    const word = folded(name);
    if (!isSpaceWord(word)) continue;
    const prefix = { text: 'body', list: 'body-list', 'text or list': 'body-any', other: '' }[kind];
    const isPlain = prefix !== '' && /^[A-Za-z0-9_.-]{1,64}$/.test(name);
    found.push({ text: isPlain ? `${prefix}:${name}` : '', word });
  }
  return found;
}

function routeOf({ method, path, isStream }: Operation, carriers: readonly Carrier[]): DraftRoute {
  const texts = carriers.flatMap(({ text }) => (text === '' ? [] : [text]));
  return {
    match: `${method} ${path.replaceAll(/\{([^}/]*)\}/g, (_, name: string) => `{${snake(name)}}`)}`,
    ...verbOf(method, path),
    class: 'content',
    space: texts.length === 0 ? 'UNSCOPED' : `[${texts.map((text) => `'${text}'`).join(', ')}]`,
    stream: isStream,
  };
}

/** The spelling that templates have. */
const snake = (name: string): string =>
  name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1_$2')
    .toLowerCase()
    .replaceAll('-', '_')
    .replace(/^_+/, '');

import { isJsonArray, isJsonObject, type JsonArray, type JsonObject, type JsonTree } from '../base/json-tree.js';
import { refuse, type Refusal, type RefusalCode } from '../model/codes.js';
import type { Carrier, CarrierKind } from './carriers.js';
import type { Statement } from './statement.js';

interface TreeCarrier {
  readonly kind: CarrierKind;
  readonly text: string;
  readonly isObeyed: boolean;
}

/** A place in a document on the way to a carrier. */
interface Place {
  readonly inner: Map<string, Place>;
  /** The keys of `inner` by their folded spelling. */
  readonly folded: Map<string, string>;
  carrier: TreeCarrier | null;
  /** No carrier, but a key that may stand here only, as a string. */
  isText: boolean;
}

/** What is looked for in a JSON document; made once per route. */
export interface TreeRules {
  readonly root: Place;
  /** Folded keys of carriers that may stand at their place only. */
  readonly bound: ReadonlySet<string>;
  /** Folded keys that may stand nowhere. */
  readonly refused: ReadonlySet<string>;
  /** Folded keys that hold an object, or a list of objects. */
  readonly objects: ReadonlySet<string>;
  /** Keys of letters, digits and single underscores only: others are operators of some query language. */
  readonly isPlain: boolean;
  /** Null, or an empty list, in a carrier that the route obeys. */
  readonly empty: 'refuse' | 'ALL';
  /** Every key of the document is looked at, not only those on the way to a carrier. */
  readonly isDeep: boolean;
  /** What is refused that is no carrier: the body, or the query. */
  readonly code: RefusalCode;
}

export interface TreeOptions extends Pick<TreeRules, 'empty' | 'isPlain' | 'code'> {
  /** Those that the route obeys stand first: where two read one place, the first counts. */
  readonly carriers: readonly { readonly carrier: Carrier; readonly isObeyed: boolean }[];
  readonly isStrict: boolean;
  readonly refusedKeys: readonly string[];
  /** Keys that may stand at the top only, as strings. */
  readonly topKeys: readonly string[];
  readonly objectKeys: readonly string[];
}

/** One spelling for all that a server may take for the same key: upper case first, as some read U+017F as an s. */
export const foldCase = (key: string): string => key.toUpperCase().toLowerCase();

/** True when a key is one of these, or names one among the words that paths and operators of query languages are joined of. */
export function mentions(folded: string, keys: ReadonlySet<string>): boolean {
  if (keys.size === 0) return false;
  return keys.has(folded) || folded.split(/__|[^a-z0-9_]+/).some((word) => keys.has(word));
}

const newPlace = (): Place => ({ inner: new Map(), folded: new Map(), carrier: null, isText: false });

export function compileTree({ carriers, isStrict, refusedKeys, topKeys, objectKeys, ...rest }: TreeOptions): TreeRules {
  const root = newPlace();
  const bound = new Set<string>();
  for (const { carrier, isObeyed } of carriers) {
    const place = placeAt(root, carrier.pointer);
    place.carrier ??= { kind: carrier.kind, text: carrier.text, isObeyed };
    if (isStrict) bound.add(foldCase(carrier.pointer.at(-1) ?? ''));
  }
  for (const key of topKeys) {
    placeAt(root, [key]).isText = true;
    bound.add(foldCase(key));
  }
  const refused = new Set(refusedKeys.map(foldCase));
  const objects = new Set(objectKeys.map(foldCase));
  const isDeep = rest.isPlain || [bound, refused, objects].some(({ size }) => size > 0);
  return { root, bound, refused, objects, isDeep, ...rest };
}

function placeAt(root: Place, pointer: readonly string[]): Place {
  let place = root;
  for (const key of pointer) {
    let next = place.inner.get(key);
    if (next === undefined) place.inner.set(key, (next = newPlace()));
    place.folded.set(foldCase(key), key);
    place = next;
  }
  return place;
}

/** Adds what the carriers in a document state, and refuses keys that stand where they must not. */
export function statedInTree(tree: JsonObject, rules: TreeRules, stated: Statement): Refusal | null {
  return readObject(tree, rules.root, { rules, stated });
}

interface Reading {
  readonly rules: TreeRules;
  readonly stated: Statement;
}

const plainKey = /^[A-Za-z0-9]+(?:_[A-Za-z0-9]+)*$/;

function readObject(object: JsonObject, place: Place | null, reading: Reading): Refusal | null {
  const { rules } = reading;
  for (const [key, value] of object) {
    const folded = foldCase(key);
    const known = place?.folded.get(folded);
    const inner = known === undefined ? null : (place?.inner.get(known) ?? null);
    if (known !== undefined && known !== key)
      return refuse('space.malformed', 'a key that differs from a space carrier only by case');
    if (rules.isPlain && !plainKey.test(key)) return refuse(rules.code, 'a key that is not plain');
    if (mentions(folded, rules.refused)) return refuse(rules.code, 'a key that is not accepted');
    if (rules.objects.has(folded) && !holdsObjects(value))
      return refuse(rules.code, 'something other than objects under a key that holds them');
    if ((inner?.carrier ?? null) === null && inner?.isText !== true && mentions(folded, rules.bound))
      return refuse('space.malformed', 'a space carrier, or a key of the top, that stands where it is none');
    const wrong = readValue(value, inner, reading);
    if (wrong !== null) return wrong;
  }
  return null;
}

/** Some servers read a list in the place of an object by the order of its items: no key would be named in it. */
const holdsObjects = (value: JsonTree): boolean =>
  value === null || isJsonObject(value) || (isJsonArray(value) && value.every(isJsonObject));

function readValue(value: JsonTree, place: Place | null, reading: Reading): Refusal | null {
  if (place !== null && place.carrier !== null) {
    const wrong = readCarrier(value, place.carrier, reading);
    if (wrong !== null || typeof value === 'string') return wrong;
  }
  if (place?.isText === true && place.carrier === null)
    return typeof value === 'string' ? null : refuse('space.malformed', 'a key of the top that is not a string');
  if (isJsonObject(value)) return place !== null || reading.rules.isDeep ? readObject(value, place, reading) : null;
  if (place !== null && place.carrier === null && value !== null)
    return refuse('space.malformed', 'something other than an object on the way to a space carrier');
  return isJsonArray(value) && reading.rules.isDeep ? readItems(value, reading) : null;
}

function readItems(items: JsonArray, reading: Reading): Refusal | null {
  for (const item of items) {
    const wrong = readValue(item, null, reading);
    if (wrong !== null) return wrong;
  }
  return null;
}

function readCarrier(value: JsonTree, carrier: TreeCarrier, { rules, stated }: Reading): Refusal | null {
  const { kind, text, isObeyed } = carrier;
  if (kind === 'body-uri') return readUri(value, carrier, stated);
  if (value === null || (isJsonArray(value) && value.length === 0 && kind !== 'body')) {
    return isObeyed && rules.empty === 'ALL' ? stated.everything() : refuse('space.malformed', `${text} is empty`);
  }
  if (typeof value === 'string' && takesText.has(kind)) return stated.one(value, isObeyed);
  if (!isJsonArray(value) || kind === 'body') return refuse('space.malformed', `${text} is not ${wish[kind] ?? ''}`);
  const names = value.filter((item) => typeof item === 'string');
  if (names.length < value.length) return refuse('space.malformed', `${text} is not ${wish[kind] ?? ''}`);
  return kind === 'body-first' ? stated.one(names[0] ?? '', isObeyed) : stated.set(names, isObeyed);
}

const takesText: ReadonlySet<CarrierKind> = new Set(['body', 'body-any', 'query-json']);
const wish: Partial<Record<CarrierKind, string>> = {
  body: 'a string',
  'body-list': 'a list of strings',
  'body-first': 'a list of strings',
  'body-any': 'a string or a list of strings',
  'query-json': 'a string or a list of strings',
};

const uri = /^[A-Za-z][A-Za-z0-9+.-]*:\/\/([^/?#]*)(?:[/?#]|$)/;

function readUri(value: JsonTree, { text, isObeyed }: TreeCarrier, stated: Statement): Refusal | null {
  if (value === null) return null;
  if (typeof value !== 'string') return refuse('space.malformed', `${text} is not a string`);
  if (!value.includes('://')) return null;
  const space = uri.exec(value)?.[1];
  return space === undefined ? refuse('space.malformed', `${text} is not one URI`) : stated.one(space, isObeyed);
}

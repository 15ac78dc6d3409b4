import { isJsonArray, isJsonObject, type JsonObject, type JsonTree } from '../base/json-tree.js';
import type { Carrier } from './carriers.js';

/** JSON text of a tree; numbers have the text that they came with. */
export function writeJson(tree: JsonTree): string {
  if (isJsonObject(tree))
    return `{${[...tree].map(([key, value]) => `${JSON.stringify(key)}:${writeJson(value)}`).join(',')}}`;
  if (isJsonArray(tree)) return `[${tree.map(writeJson).join(',')}]`;
  return typeof tree === 'object' && tree !== null ? tree.number : JSON.stringify(tree);
}

/** How a body states the decided space. */
export interface BodyRewrite {
  /** Stands in the body already, or is written there. */
  readonly carrier: Carrier;
  /** Null where the body's own statement stays: a set, or every space. */
  readonly space: string | null;
  readonly leavesOut: readonly Carrier[];
}

/** The body anew: the space where the route looks for it, the server's other body carriers left out. */
export function rewrittenBody(tree: JsonObject, { carrier, space, leavesOut }: BodyRewrite): Buffer {
  const kept = leavesOut.reduce((body, { pointer }) => without(body, pointer), tree);
  return Buffer.from(writeJson(space === null ? kept : withSpace(kept, carrier.pointer, valueOf(carrier, space))));
}

const valueOf = ({ kind }: Carrier, space: string): JsonTree =>
  kind === 'body-list' || kind === 'body-first' ? [space] : space;

function without(tree: JsonObject, [key, ...rest]: readonly string[]): JsonObject {
  const inner = key === undefined ? undefined : tree.get(key);
  if (key === undefined || inner === undefined) return tree;
  const copy = new Map(tree);
  if (rest.length === 0) copy.delete(key);
  else if (isJsonObject(inner)) copy.set(key, without(inner, rest));
  return copy;
}

/** Sets the value where nothing stands; what stands there was compared, and stays with all that is around it. */
function withSpace(tree: JsonObject, [key, ...rest]: readonly string[], value: JsonTree): JsonObject {
  if (key === undefined) return tree;
  const inner = tree.get(key);
  const copy = new Map(tree);
  if (rest.length > 0) copy.set(key, withSpace(isJsonObject(inner) ? inner : new Map(), rest, value));
  else if (inner === undefined) copy.set(key, value);
  return copy;
}

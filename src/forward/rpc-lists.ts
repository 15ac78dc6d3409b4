import { Fault } from '../model/codes.js';
import type { Would } from '../model/proofs.js';
import { listKinds, type ListKind } from '../model/rpc.js';
import type { RpcLists } from '../model/target.js';

/** By what an item of a list is used. */
const keys: Readonly<Record<ListKind, string>> = {
  tools: 'name',
  resources: 'uri',
  resourceTemplates: 'uriTemplate',
  prompts: 'name',
};

type Fields = Record<string, unknown>;

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Takes out of the lists of an answer what the caller may not use. */
export class ListFilter {
  readonly #lists: RpcLists;
  readonly #would: Would;
  readonly #namesMax: number;
  #asked = 0;

  /** @param namesMax names that the policy is asked about for one answer */
  constructor(lists: RpcLists, would: Would, namesMax: number) {
    this.#lists = lists;
    this.#would = would;
    this.#namesMax = namesMax;
  }

  /**
   * @param text one JSON-RPC message; nothing at all is nothing to look at
   * @throws Fault `upstream.unchecked` for anything else
   */
  message(text: string): string {
    if (text.trim() === '') return text;
    const message = parsed(text);
    const { result } = message;
    if (!isFields(result)) return text;
    const found = listKinds.filter((kind) => Object.hasOwn(result, kind));
    if (found.length === 0) return text;
    const kept: Fields = { ...result, cacheScope: 'private' };
    for (const kind of found) kept[kind] = this.#usable(kind, result[kind]);
    return JSON.stringify({ ...message, result: kept });
  }

  #usable(kind: ListKind, items: unknown): unknown[] {
    if (!Array.isArray(items)) throw new Fault('upstream.unchecked', `${kind} that are no list`);
    return items.filter((item: unknown) => {
      const name = isFields(item) ? item[keys[kind]] : undefined;
      return typeof name === 'string' && this.#isUsable(kind, name);
    });
  }

  #isUsable(kind: ListKind, name: string): boolean {
    const facts = this.#lists[kind](name);
    if (facts === null) return false;
    this.#asked += 1;
    if (this.#asked > this.#namesMax)
      throw new Fault('upstream.unchecked', `a list of over ${String(this.#namesMax)} names`);
    return this.#would(facts);
  }
}

function parsed(text: string): Fields {
  let message: unknown;
  try {
    message = JSON.parse(text);
  } catch (cause) {
    throw new Fault('upstream.unchecked', 'not JSON', { cause });
  }
  if (!isFields(message)) throw new Fault('upstream.unchecked', 'not one JSON-RPC message');
  return message;
}

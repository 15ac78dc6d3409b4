import { refuse, type Refusal } from '../model/codes.js';

/** Members of a set that a request may state. */
const idsMax = 256;

/** What the carriers of one request have stated so far; all that are present must state the same. */
export class Statement {
  readonly #isCanonical: (name: string) => boolean;
  #ids: readonly string[] | null = null;
  #isAll = false;
  #isRead = false;

  constructor(isCanonical: (name: string) => boolean) {
    this.#isCanonical = isCanonical;
  }

  /** Sorted and unique; null where nothing was stated, or everything. */
  get ids(): readonly string[] | null {
    return this.#ids;
  }

  get isAll(): boolean {
    return this.#isAll;
  }

  get isEmpty(): boolean {
    return this.#ids === null && !this.#isAll;
  }

  /** True when a carrier that the route obeys, and that stays as it is, holds the value: then the server sees it. */
  get isRead(): boolean {
    return this.#isRead;
  }

  /** One carrier states one space. @param isRead the route obeys it, and it stays in the request */
  one(name: string, isRead: boolean): Refusal | null {
    if (isRead) this.#isRead = true;
    if (this.#ids !== null && this.#ids.length === 1 && this.#ids[0] === name) return null;
    if (!this.#isCanonical(name)) return refuse('space.malformed', 'a space that is not in canonical form');
    if (!this.isEmpty) return refuse('space.conflict', 'carriers disagree');
    this.#ids = [name];
    return null;
  }

  /** One carrier states a set. */
  set(names: readonly string[], isRead: boolean): Refusal | null {
    if (names.length === 1) return this.one(names[0] ?? '', isRead);
    if (names.length > idsMax) return refuse('space.malformed', `over ${String(idsMax)} spaces`);
    if (isRead) this.#isRead = true;
    if (!names.every(this.#isCanonical)) return refuse('space.malformed', 'a space that is not in canonical form');
    const ids = [...new Set(names)].sort();
    if (this.isEmpty) this.#ids = ids;
    return !this.#isAll && this.#ids?.join() === ids.join() ? null : refuse('space.conflict', 'carriers disagree');
  }

  /** One carrier that the route obeys states every space. */
  everything(): Refusal | null {
    this.#isRead = true;
    if (this.#ids !== null) return refuse('space.conflict', 'carriers disagree');
    this.#isAll = true;
    return null;
  }
}

import { hopByHop } from '../model/hop-by-hop.js';
import { canonicalName, singleFields } from './names.js';

// haproxy refuses a longer name and others do not: what is forwarded is what all of them read.
const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,255}$/;
const notForwarded: ReadonlySet<string> = new Set([...hopByHop, 'host', 'expect', 'content-length']);
/** Names that are kept read. Callers choose names, so that there must be an end; callers also repeat themselves. */
const knownMax = 1_024;
const knownLengthMax = 64;

/** What a header name is to us. */
export interface NameFacts {
  /** Lower case. */
  readonly key: string;
  /**
   * `protected` names have one meaning to us, an `alias` is one of them as a lenient server sees it, a `single` field may stand once.
   */
  readonly kind: 'malformed' | 'protected' | 'alias' | 'single' | 'other';
  /** A protected name or an alias of one. */
  readonly isProtected: boolean;
  /** May travel on: no hop-by-hop, framing, Host or Expect. */
  readonly isForwarded: boolean;
}

/** The header names of a configuration; each spelling is looked at once. */
export class HeaderNames {
  readonly #exact: ReadonlySet<string>;
  readonly #canonical: ReadonlySet<string>;
  readonly #known = new Map<string, NameFacts>();

  /** @param protectedNames names that have one meaning to us, in any case */
  constructor(protectedNames: Iterable<string>) {
    this.#exact = new Set([...protectedNames].map((name) => name.toLowerCase()));
    this.#canonical = new Set([...this.#exact].map(canonicalName));
  }

  of(name: string): NameFacts {
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const facts = this.#read(name);
    if (name.length <= knownLengthMax) {
      if (this.#known.size >= knownMax) this.#known.clear();
      this.#known.set(name, facts);
    }
    return facts;
  }

  #read(name: string): NameFacts {
    const key = name.toLowerCase();
    const isProtected = this.#canonical.has(canonicalName(key));
    return { key, kind: this.#kindOf(name, key), isProtected, isForwarded: !notForwarded.has(key) };
  }

  #kindOf(name: string, key: string): NameFacts['kind'] {
    if (!token.test(name)) return 'malformed';
    if (this.#exact.has(key)) return 'protected';
    if (this.#canonical.has(canonicalName(key))) return 'alias';
    return singleFields.has(key) ? 'single' : 'other';
  }
}

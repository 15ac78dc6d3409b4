/** A piece of a text, its end left out. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/** An answer that cannot be judged: it is not what the profile says, and nobody may see it. */
export class Unreadable extends Error {
  override readonly name = 'Unreadable';
}

const blanks = /[ \t\n\r]*/y;
const plainRun = /[^"\\]*/y;
const index = /^(?:0|[1-9]\d{0,5})$/;
const untilMark = /[^"[\]{}]*/y;

/**
 * Pieces of a JSON document by their place in its text, so that what passes on passes byte for byte. An object on the way that holds
 * the wanted key twice is unreadable; whatever stands beside the way is as free as JSON is: others may have put it there.
 *
 * @see RFC 8259
 */
export class JsonSpans {
  readonly text: string;
  readonly root: Span;

  /** @throws Unreadable for a text that is not one JSON document */
  constructor(text: string) {
    try {
      JSON.parse(text); // from here on the text is known to be well-formed
    } catch {
      throw new Unreadable('not JSON');
    }
    this.text = text;
    const start = this.#after(blanks, 0);
    this.root = { start, end: this.#valueEnd(start) };
  }

  /** The text of a piece. */
  slice({ start, end }: Span): string {
    return this.text.slice(start, end);
  }

  /** @returns the value behind these keys, one object in the other; null where there is none */
  at(from: Span, keys: readonly string[]): Span | null {
    let found: Span | null = from;
    for (const key of keys) {
      if (found === null) return null;
      if (this.text[found.start] === '[' && index.test(key)) found = this.items(found)?.[Number(key)] ?? null;
      else found = this.text[found.start] === '{' ? this.#member(found, key) : null;
    }
    return found;
  }

  /** @returns the items of an array; null for anything else */
  items(of: Span): readonly Span[] | null {
    if (this.text[of.start] !== '[') return null;
    const items: Span[] = [];
    let at = this.#after(blanks, of.start + 1);
    while (this.text[at] !== ']') {
      const item = { start: at, end: this.#valueEnd(at) };
      items.push(item);
      at = this.#next(item.end);
    }
    return items;
  }

  /** @returns a string's value; null for anything else */
  string(of: Span): string | null {
    return this.text[of.start] === '"' ? (JSON.parse(this.slice(of)) as string) : null;
  }

  #member(object: Span, wanted: string): Span | null {
    let found: Span | null = null;
    let at = this.#after(blanks, object.start + 1);
    while (this.text[at] !== '}') {
      const key = { start: at, end: this.#stringEnd(at) };
      const start = this.#after(blanks, this.#after(blanks, key.end) + 1); // behind the colon
      const value = { start, end: this.#valueEnd(start) };
      if (this.string(key) === wanted) {
        if (found !== null) throw new Unreadable('a key that stands twice');
        found = value;
      }
      at = this.#next(value.end);
    }
    return found;
  }

  /** Behind the comma, where there is one. */
  #next(end: number): number {
    const at = this.#after(blanks, end);
    return this.text[at] === ',' ? this.#after(blanks, at + 1) : at;
  }

  #valueEnd(start: number): number {
    const first = this.text[start];
    if (first === '"') return this.#stringEnd(start);
    if (first === '{' || first === '[') return this.#nestEnd(start);
    return this.#after(/[^,\]} \t\n\r]*/y, start);
  }

  /** Counts brackets: the text is well-formed, so that they match. */
  #nestEnd(start: number): number {
    let depth = 0;
    let at = start;
    do {
      const mark = this.text[at];
      if (mark === '"') {
        at = this.#stringEnd(at);
      } else {
        depth += mark === '{' || mark === '[' ? 1 : -1;
        at += 1;
      }
      if (depth > 0) at = this.#after(untilMark, at);
    } while (depth > 0);
    return at;
  }

  #stringEnd(start: number): number {
    let at = this.#after(plainRun, start + 1);
    while (this.text[at] === '\\') at = this.#after(plainRun, at + 2);
    return at + 1;
  }

  #after(pattern: RegExp, from: number): number {
    pattern.lastIndex = from;
    pattern.test(this.text); // each of them matches, if only nothing
    return pattern.lastIndex;
  }
}

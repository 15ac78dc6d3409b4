import { Composer, isAlias, isMap, isScalar, isSeq, Lexer, LineCounter, Parser, type Document } from 'yaml';
import { capped } from './encoding.js';
import type { Place } from './problem.js';

/** What is wrong with the text, before it is known which file it came from. */
export interface TextProblem extends Place {
  readonly path: string;
  readonly message: string;
}

/**
 * A parsed text in a form that passes between threads without being copied value by value.
 * `places` holds four numbers for each value, in the order of a walk that visits a value before what is in it and
 * names in the order of JavaScript: line and column of its name, line and column of the value itself.
 */
export type ParsedText =
  | { readonly ok: true; readonly json: string; readonly places: Uint32Array }
  | { readonly ok: false; readonly problems: readonly TextProblem[] };

// Deeper than any file of ours. The composer of the library recurses: at some ten thousand levels the engine of regular
// expressions runs out of stack and takes the whole process with it, from a worker thread too.
const depthMax = 64;
// After that many nobody reads on.
const problemsMax = 100;
const refusedNames = new Set(['__proto__', 'constructor', 'prototype']);

class Stop extends Error {}

/** Parses one YAML 1.2 document into plain values. Aliases, tags, directives, duplicate names and warnings are problems. */
export function parseText(text: string): ParsedText {
  const reading = new Reading();
  try {
    const document = reading.compose(text);
    const value = reading.plain(document.contents, [], { name: 0, depth: 0 });
    if (reading.problems.length === 0) {
      return { ok: true, json: JSON.stringify(value), places: Uint32Array.from(reading.places) };
    }
  } catch (thrown) {
    if (!(thrown instanceof Stop)) reading.blame(0, [], 'cannot be parsed as YAML');
  }
  return { ok: false, problems: reading.problems };
}

type Path = readonly (string | number)[];

/** One pass over one text. */
class Reading {
  readonly problems: TextProblem[] = [];
  readonly places: number[] = [];
  readonly #lines = new LineCounter();

  blame(offset: number, path: Path, message: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.problems.push({ line, column: col, path: path.join('.'), message });
    if (this.problems.length >= problemsMax) throw new Stop();
  }

  /** Token by token, so that the depth is known before anything recurses. */
  compose(text: string): Document.Parsed {
    this.#lines.addNewLine(0);
    const parser = new Parser(this.#lines.addNewLine);
    const tokens = [];
    let offset = 0;
    for (const lexeme of new Lexer().lex(text)) {
      for (const token of parser.next(lexeme)) tokens.push(token);
      offset += lexeme.length;
      if (parser.stack.length > depthMax) this.#fatal(Math.min(offset, text.length), 'is nested too deeply');
    }
    tokens.push(...parser.end());
    // Duplicates are found below, in linear time.
    const composer = new Composer({ schema: 'core', strict: true, stringKeys: true, uniqueKeys: false });
    const [document, second] = [...composer.compose(tokens, true, text.length)];
    if (document === undefined || !('directives' in document)) this.#fatal(0, 'is empty');
    if (second !== undefined) this.#fatal(second.range[0], 'holds a second document; one is wanted');
    this.#syntax(document);
    if (this.problems.length > 0) throw new Stop();
    return document;
  }

  #fatal(offset: number, message: string): never {
    this.blame(offset, [], message);
    throw new Stop();
  }

  #syntax(document: Document.Parsed): void {
    if (document.directives.yaml.explicit === true || Object.keys(document.directives.tags).length > 1) {
      this.blame(0, [], 'holds a directive (a line that begins with %); none are accepted');
    }
    for (const fault of [...document.errors, ...document.warnings]) {
      const tag = fault.code === 'TAG_RESOLVE_FAILED';
      this.blame(fault.pos[0], [], tag ? 'holds a tag; tags are not accepted' : capped(fault.message, 200));
    }
    if (document.contents === null || (isScalar(document.contents) && document.contents.source === '')) {
      this.blame(0, [], 'is empty');
    }
  }

  /** The plain value of a node, noting its place; `at.name` is the offset of its name. */
  plain(node: unknown, path: Path, at: { name: number; depth: number }): unknown {
    const offset = rangeStart(node) ?? at.name;
    this.#place(path.length === 0 ? offset : at.name, offset);
    if (isAlias(node)) this.blame(offset, path, 'is an alias; aliases are not accepted, write the value out');
    else if (hasTag(node)) this.blame(offset, path, 'holds a tag; tags are not accepted');
    else if (isMap(node)) return this.#mapping(node.items, path, at.depth);
    else if (isSeq(node)) {
      return node.items.map((item, index) => {
        return this.plain(item, [...path, index], { name: rangeStart(item) ?? offset, depth: at.depth + 1 });
      });
    } else if (isScalar(node)) return this.#scalar(node.value, offset, path);
    return null;
  }

  #scalar(value: unknown, offset: number, path: Path): unknown {
    if (typeof value !== 'number') return value;
    if (!Number.isFinite(value)) this.blame(offset, path, 'must be a finite number');
    else if (Number.isInteger(value) && !Number.isSafeInteger(value)) {
      this.blame(offset, path, 'is a number that would lose digits; put it between quotes');
    }
    return value;
  }

  #mapping(items: readonly { key: unknown; value: unknown }[], path: Path, depth: number): unknown {
    const found = new Map<string, { offset: number; value: unknown }>();
    for (const { key, value } of items) {
      const name = isScalar(key) ? String(key.value) : '';
      const offset = rangeStart(key) ?? 0;
      if (!isScalar(key) || hasTag(key)) this.blame(offset, path, 'has a name that is not plain text');
      else if (refusedNames.has(name)) this.blame(offset, path, `the name "${name}" is not accepted`);
      else if (found.has(name)) this.blame(offset, [...path, name], 'stands here a second time');
      else found.set(name, { offset, value });
    }
    // JavaScript moves names that look like numbers to the front; the places follow its order.
    const ordered: Record<string, unknown> = Object.fromEntries(found);
    for (const name of Object.keys(ordered)) {
      const { offset = 0, value = null } = found.get(name) ?? {};
      ordered[name] = this.plain(value, [...path, name], { name: offset, depth: depth + 1 });
    }
    return ordered;
  }

  #place(name: number, value: number): void {
    const from = this.#lines.linePos(name);
    const own = this.#lines.linePos(value);
    this.places.push(from.line, from.col, own.line, own.col);
  }
}

const rangeStart = (node: unknown): number | undefined =>
  typeof node === 'object' && node !== null && 'range' in node && Array.isArray(node.range)
    ? (node.range as number[])[0]
    : undefined;

const hasTag = (node: unknown): boolean =>
  typeof node === 'object' && node !== null && 'tag' in node && node.tag !== undefined;

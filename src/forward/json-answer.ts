import { isUtf8 } from 'node:buffer';
import type { AnswerRule } from '../model/target.js';
import { JsonSpans, Unreadable, type Span } from './json-spans.js';

/** What a rule finds in an answer. */
export interface Judged {
  /** The text that may pass; null where none may. */
  readonly text: string | null;
  /** Items that were taken out. */
  readonly removed: number;
}

/** May the caller see what is of this space? */
export type Sees = (space: string) => boolean;

/**
 * Reads an answer whose bytes must be one JSON document in UTF-8.
 *
 * @throws Unreadable
 */
export function spansOf(bytes: Buffer): JsonSpans {
  if (!isUtf8(bytes)) throw new Unreadable('not UTF-8');
  return new JsonSpans(bytes.toString('utf8'));
}

/** @throws Unreadable for an answer that is not what the rule says */
export function judge(spans: JsonSpans, rule: AnswerRule, sees: Sees): Judged {
  return rule.kind === 'check' ? checked(spans, rule, sees) : filtered(spans, rule, sees);
}

const listOf = (spans: JsonSpans, { items }: AnswerRule): readonly Span[] => {
  if (items === null) return [spans.root];
  const list = spans.at(spans.root, items);
  const found = list === null ? null : spans.items(list);
  if (found === null) throw new Unreadable('no list where the profile says');
  return found;
};

/** The space of an item; null where it names none. */
function spaceOf(spans: JsonSpans, item: Span, field: readonly string[]): string | null {
  const place = spans.at(item, field);
  return place === null ? null : spans.string(place);
}

function checked(spans: JsonSpans, rule: AnswerRule, sees: Sees): Judged {
  const isOurs = (item: Span): boolean => {
    const space = spaceOf(spans, item, rule.field);
    return space !== null && sees(space);
  };
  return { text: listOf(spans, rule).every(isOurs) ? spans.text : null, removed: 0 };
}

function filtered(spans: JsonSpans, rule: AnswerRule, sees: Sees): Judged {
  const items = listOf(spans, rule);
  const kept = items.filter((item) => {
    const space = spaceOf(spans, item, rule.field);
    return space !== null && sees(space); // what names no space is nobody's
  });
  const list = `[${kept.map((item) => spans.slice(item)).join(',')}]`;
  return { text: rebuilt(spans, rule, list), removed: items.length - kept.length };
}

/** The way to the list, and beside it those members only that are named: a count of all items would tell what was taken out. */
function rebuilt(spans: JsonSpans, { items, keep }: AnswerRule, list: string): string {
  const way = items ?? [];
  let text = list;
  for (let depth = way.length - 1; depth >= 0; depth -= 1) {
    const object = spans.at(spans.root, way.slice(0, depth));
    const beside = keep.flatMap((name) => {
      const value = object === null || name === way[depth] ? null : spans.at(object, [name]);
      return value === null ? [] : [`${JSON.stringify(name)}:${spans.slice(value)}`];
    });
    text = `{${[`${JSON.stringify(way[depth])}:${text}`, ...beside].join(',')}}`;
  }
  return text;
}

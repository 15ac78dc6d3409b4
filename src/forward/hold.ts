import { Fault } from '../model/codes.js';
import type { Permit } from '../model/proofs.js';
import type { AnswerRule } from '../model/target.js';
import type { Forwarded } from './context.js';
import type { Exchange } from './exchange.js';
import { HeldAnswer, type AnswerHolding } from './held-answer.js';
import type { Sees } from './json-answer.js';

/** An answer is judged as the whole that it is: no part of it, no coding of it, and no word that it is the same as before. */
const partial: ReadonlySet<string> = new Set([
  'accept-encoding',
  'range',
  'if-range',
  'if-match',
  'if-none-match',
  'if-modified-since',
  'if-unmodified-since',
]);

/** The headers of a request whose answer is held. */
export const wholeAnswerHeaders = (list: readonly string[]): string[] => [
  ...list.filter((_, index) => !partial.has((list[index - (index % 2)] ?? '').toLowerCase())),
  'Accept-Encoding',
  'identity',
];

/** @returns the rule that the answer of this request is held for; null where it passes as it comes */
export function heldFor({ target, would }: Permit): AnswerRule | null {
  const { answer, spaces } = target.facts;
  if (answer === null || spaces.all) return null;
  // Who may reach every space may see what names none, too.
  const seesAll = answer.kind === 'filter' && spaces.ids.length === 0 && would?.({ spaces: everySpace }) === true;
  return seesAll ? null : answer;
}

const everySpace = { all: true, ids: [], unknown: [], explicit: true };

/** Runs an exchange whose answer is held until it is known whose it is. */
export function runHeld(
  exchange: Exchange,
  permit: Permit,
  facts: { readonly rule: AnswerRule; readonly holding: AnswerHolding },
): Promise<Forwarded> {
  const held = new HeldAnswer(exchange, { ...facts, sees: sightOf(permit, facts.holding.spacesMax) });
  return exchange.run(held).finally(() => {
    held.release();
  });
}

/** The decided spaces; or, where none was stated, those that the policy gives the caller, asked one by one. */
function sightOf({ target, would }: Permit, spacesMax: number): Sees {
  const { ids } = target.facts.spaces;
  if (ids.length > 0) return (space) => ids.includes(space);
  const known = new Map<string, boolean>();
  return (space) => {
    const answer = known.get(space);
    if (answer !== undefined) return answer;
    if (known.size >= spacesMax)
      throw new Fault('upstream.unchecked', `over upstream.objects.filter_space_entries of ${String(spacesMax)}`);
    const sees = would?.({ spaces: { all: false, ids: [space], unknown: [], explicit: true } }) === true;
    known.set(space, sees);
    return sees;
  };
}

// Rounds over all variants of one scenario: each runs once in every round, backwards in every second one, so that whatever changes
// slowly meets all of them alike.
import { isAlike, isValid, pairsOf } from './compare.mjs';
import { measure } from './measure.mjs';

/** Rounds go on beyond `rounds` while a variant and its copy do not come out alike, up to `roundsMax`. */
export function wantsMore(variants, rows, { round, rounds, roundsMax }) {
  if (round < rounds) return true;
  return round < roundsMax && pairsOf(variants, rows).some((pair) => !isAlike(pair));
}

/** A row that other jobs disturbed is measured again, `again` times at most; the last one stays, marked. */
async function measureCalmly(scenario, variant, options) {
  for (let attempt = 0; ; attempt += 1) {
    const row = await measure(scenario, variant, options);
    if (row.foreign <= options.foreignMax) return row;
    if (attempt >= options.again || !isValid(row)) return { ...row, isDisturbed: true };
  }
}

/**
 * One scenario, from where its rows end, until it has enough of them or its variants are to be started anew.
 *
 * @param to where it goes to: all `rows` of the scenario so far, to which it appends; `say` is told of every round, `save` called after each
 */
export async function runRounds(scenario, live, { options, rows, say, save }) {
  const present = live.filter((variant) => takesPart(scenario, variant));
  const from = roundsIn(rows);
  for (const variant of options.warmSeconds === 0 ? [] : present)
    await measure(scenario, variant, { ...options, seconds: options.warmSeconds, patienceSeconds: 0 });
  for (
    let round = from;
    round < from + options.restart && wantsMore(present, rows, { round, ...options });
    round += 1
  ) {
    for (const variant of round % 2 === 0 ? present : present.toReversed()) {
      const measured = await measureCalmly(scenario, variant, options);
      const row = { scenario: scenario.name, variant: variant.name, round, ...measured };
      if (!isValid(row)) say(`${variant.name}: ${row.errors} of ${row.requests} requests went wrong`);
      rows.push(row);
    }
    say(`${scenario.name}: round ${round + 1}`);
    save();
  }
}

/** How many rounds there are. */
export const roundsIn = (rows) => (rows.at(-1)?.round ?? -1) + 1;

export const takesPart = ({ name, variants }, variant) =>
  (variant.scenarios?.includes(name) ?? true) &&
  variant.notApplicable?.[name] === undefined &&
  (variants?.(variant) ?? true);

// Ratios of one run. Two variants are compared round by round, and only where the run could have told a difference:
// a variant and its own copy must have come out alike.
import { spread } from './stats.mjs';

export const alikeFrom = 0.95;
export const alikeTo = 1.05;

/** A row that nothing went wrong in. */
export const isValid = (row) => row.errors === 0 && row.requests > 0 && Number.isFinite(row.cpuUs);

/** A row that counts: nothing went wrong, and other jobs left it alone (judged by their load, never by the result). */
export const isUsable = (row) => isValid(row) && row.isDisturbed !== true;

/** Ratios of processor time per request of `a` to `b`, one for each round in which both have a usable row. */
export function pairedRatios(rows, a, b) {
  const below = new Map(rows.filter((row) => row.variant === b && isUsable(row)).map((row) => [row.round, row.cpuUs]));
  return rows
    .filter((row) => row.variant === a && isUsable(row) && below.has(row.round))
    .map((row) => row.cpuUs / below.get(row.round));
}

/** The pairs of a run: each copy beside what it is a copy of. */
export function pairsOf(variants, rows) {
  const present = new Set(rows.map((row) => row.variant));
  return variants
    .filter(({ name, copyOf }) => copyOf !== undefined && present.has(name) && present.has(copyOf))
    .map(({ name, copyOf }) => ({ name, copyOf, ...spread(pairedRatios(rows, name, copyOf)) }));
}

export const isAlike = ({ median }) => median >= alikeFrom && median <= alikeTo;

/**
 * The ratio of `a` to `b`, or why there is none.
 *
 * @param run `variants` with their `copyOf`, and the `rows` of one scenario
 * @returns `{ isResolved: true, ratio }`, or `{ isResolved: false, why, ratio: null }`; `pairs` in both
 */
export function compare({ variants, rows }, a, b) {
  const pairs = pairsOf(variants, rows).filter(({ copyOf }) => copyOf === a || copyOf === b);
  const unresolved = (why) => ({ isResolved: false, why, pairs, ratio: null });
  if (pairs.length === 0) return unresolved('no A/A pair of either side in this run');
  const off = pairs.filter((pair) => !isAlike(pair));
  if (off.length > 0)
    return unresolved(off.map(({ name, copyOf, median }) => `${name} / ${copyOf} is ${median.toFixed(2)}`).join(', '));
  const ratios = pairedRatios(rows, a, b);
  if (ratios.length === 0) return unresolved('no round in which both have a usable row');
  return { isResolved: true, pairs, ratio: spread(ratios) };
}

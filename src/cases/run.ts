import { setImmediate as nextTurn } from 'node:timers/promises';
import { isDeepStrictEqual } from 'node:util';
import type { Problem } from '../base/document.js';
import { capped } from '../base/encoding.js';
import { messageOf } from '../base/log.js';
import type { Decision } from '../model/decision.js';
import type { Case } from './case-file.js';

/** One field that is not as wanted, both sides in words. */
interface Difference {
  readonly field: string;
  readonly wanted: string;
  readonly got: string;
}

/** A case whose decision is not the wanted one. */
export interface CaseFailure {
  readonly case: Case;
  /** Empty when there is no decision at all. */
  readonly differences: readonly Difference[];
  /** What the evaluation threw, or null. */
  readonly thrown: string | null;
}

const slice = 64;
const shownMax = 400;

/**
 * Asks for every case and gives those that are answered otherwise. It lets other work through between slices of cases, and never
 * stops at the first: what a change does to all cases is the news.
 *
 * @param evaluate The decision for an input; what it throws is that case's failure
 */
export async function runCases(
  cases: readonly Case[],
  evaluate: (inputText: string) => Decision,
): Promise<readonly CaseFailure[]> {
  const failures: CaseFailure[] = [];
  for (const [index, each] of cases.entries()) {
    if (index % slice === slice - 1) await nextTurn();
    const failure = failureOf(each, evaluate);
    if (failure !== null) failures.push(failure);
  }
  return failures;
}

function failureOf(each: Case, evaluate: (inputText: string) => Decision): CaseFailure | null {
  let got: Decision;
  try {
    got = evaluate(each.inputText);
  } catch (error) {
    return { case: each, differences: [], thrown: capped(messageOf(error), shownMax) };
  }
  const wanted = viewOf(each.want);
  const differences = Object.entries(viewOf(got)).flatMap(([field, value]) => {
    const want = wanted[field];
    return isDeepStrictEqual(value, want) ? [] : [{ field, wanted: shown(want), got: shown(value) }];
  });
  return differences.length === 0 ? null : { case: each, differences, thrown: null };
}

/** What is compared. Sets have no order; limits do. */
const viewOf = ({
  allow,
  reasons,
  missing,
  tier,
  limits,
  obligations,
}: Decision): Readonly<Record<string, unknown>> => ({
  allow,
  reasons: [...reasons].sort(),
  missing: [...missing].sort(),
  tier,
  limits: limits.map(({ id, key, algorithm, rate, per, burst, cost }) => ({
    id,
    key: [...key],
    algorithm,
    rate,
    per,
    burst,
    cost,
  })),
  audit: obligations.audit,
});

function shown(value: unknown): string {
  const isTexts = Array.isArray(value) && value.every((item) => typeof item === 'string');
  const text = isTexts ? `[${value.join(', ')}]` : typeof value === 'string' ? value : JSON.stringify(value);
  return capped(text, shownMax);
}

/** A failure as a problem of the case's file: what is, and what was wanted. */
export function describeFailure({ case: { file, line, name }, differences, thrown }: CaseFailure): Problem {
  const told = differences.map(({ field, wanted, got }) => `${field} is ${got}, wanted ${wanted}`).join('; ');
  const what = thrown === null ? told : `there is no decision: ${thrown}`;
  return { file, line, column: 1, path: '', message: `case "${capped(name, 120)}": ${what}` };
}

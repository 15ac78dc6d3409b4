import type { Answer } from '../../wire/support/wire.js';
import { numberHeader } from './finding.js';
import { mutantOf, type Mutant } from './mutants.js';
import { sendMutant, type Target } from './send.js';

/** What became of the mutants. */
export interface Tally {
  mutants: number;
  /** At least one request of it reached the reference servers. */
  forwarded: number;
  /** Nothing of it did, and the gateway said so. */
  refused: number;
  /** No request, so no answer. */
  silent: number;
}

export interface Sent {
  readonly index: number;
  readonly mutant: Mutant;
}

export interface WalkFacts {
  readonly target: Target;
  readonly seeds: readonly string[];
  readonly seed: number;
  /** Number of the first mutant. */
  readonly from: number;
  /** No more than these. */
  readonly mutantsMax: number;
  /** No more when this time is over. */
  readonly secondsMax: number;
  readonly lanes: number;
  /** Told for every mutant, with the answers that it got. */
  readonly done: (sent: Sent, answers: readonly Answer[]) => Promise<void>;
}

/** Numbers of the requests that reached the tee. */
export const numbersIn = (answers: readonly Answer[]): readonly number[] => answers.map(numberOf).filter(isNumber);

const isNumber = (number: number): boolean => number > 0;

/** The number that the tee has given to the request of this answer; 0 for an answer of the gateway itself. */
export const numberOf = (answer: Answer): number => Number(answer.header(numberHeader) ?? 0);

/** Sends one mutant after the other, several at a time, until there are enough of them or the time is over. */
export async function walk(facts: WalkFacts): Promise<Tally> {
  const { target, seeds, seed, from, mutantsMax, secondsMax, lanes, done } = facts;
  const tally: Tally = { mutants: 0, forwarded: 0, refused: 0, silent: 0 };
  const endMs = performance.now() + secondsMax * 1_000;
  let next = from;
  const lane = async (): Promise<void> => {
    while (next < from + mutantsMax && performance.now() < endMs) {
      const index = next;
      next += 1;
      const mutant = mutantOf(seeds, seed, index);
      const answers = await sendMutant(target, mutant, index);
      tally.mutants += 1;
      tally[numbersIn(answers).length > 0 ? 'forwarded' : answers.length > 0 ? 'refused' : 'silent'] += 1;
      await done({ index, mutant }, answers);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  return tally;
}

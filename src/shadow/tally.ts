import { capped } from '../base/encoding.js';
import type { Decision } from '../model/decision.js';
import type { ShadowResult } from '../model/meter.js';
import type { Question } from './question.js';

/** How often the two answers were the same, and what else they were. */
export interface Counts {
  agree: number;
  /** Of those that agree: another tier, other limits, reasons, missing rights or duties. */
  otherTerms: number;
  wouldAllow: number;
  wouldDeny: number;
  failed: number;
}

export interface Row extends Counts {
  readonly route: string;
  /** Names of the spaces, `*` for all, `-` for none. */
  readonly space: string;
}

interface Answer {
  readonly allow: boolean;
  readonly reasons: readonly string[];
}

/** One request that the candidate would have decided otherwise. */
export interface Sample {
  /** Of the decision, under which the audit log tells the rest. */
  readonly id: string;
  readonly atMs: number;
  readonly route: string;
  readonly space: string;
  readonly result: Exclude<ShadowResult, 'agree'>;
  readonly live: Answer;
  /** Null where it gave none. */
  readonly candidate: Answer | null;
  readonly error: string | null;
}

const rowsMax = 1_000;
const samplesMax = 100;
const errorMax = 200;
/** Where there is no room for a row of its own. */
const others = 'others';

const fieldOf = { agree: 'agree', would_allow: 'wouldAllow', would_deny: 'wouldDeny', failed: 'failed' } as const;

const newCounts = (): Counts => ({ agree: 0, otherTerms: 0, wouldAllow: 0, wouldDeny: 0, failed: 0 });

/** What came out of one trial, in bounded memory. */
export class Tally {
  readonly sum: Counts = newCounts();
  readonly #rows = new Map<string, Row>();
  readonly #samples: Sample[] = [];
  #next = 0;

  /** Rows with differences first. */
  get rows(): readonly Row[] {
    const weight = (row: Row): number => row.wouldAllow + row.wouldDeny + row.failed;
    return [...this.#rows.values()].sort((a, b) => weight(b) - weight(a) || b.agree - a.agree);
  }

  /** Newest first. */
  get samples(): readonly Sample[] {
    return [...this.#samples.slice(this.#next), ...this.#samples.slice(0, this.#next)].reverse();
  }

  answered(question: Question, candidate: Decision): ShadowResult {
    const { live } = question;
    const result = live.allow === candidate.allow ? 'agree' : candidate.allow ? 'would_allow' : 'would_deny';
    const row = this.#count(question, result);
    if (result !== 'agree') this.#keep({ ...placeOf(question), result, candidate: answerOf(candidate), error: null });
    else if (termsOf(live) !== termsOf(candidate)) {
      row.otherTerms += 1;
      this.sum.otherTerms += 1;
    }
    return result;
  }

  failed(question: Question, error: string): ShadowResult {
    this.#count(question, 'failed');
    this.#keep({ ...placeOf(question), result: 'failed', candidate: null, error: capped(error, errorMax) });
    return 'failed';
  }

  #count({ route, space }: Question, result: ShadowResult): Row {
    const row = this.#rowOf(route, space);
    row[fieldOf[result]] += 1;
    this.sum[fieldOf[result]] += 1;
    return row;
  }

  #rowOf(route: string, space: string): Row {
    const known = this.#rows.get(`${route} ${space}`);
    if (known !== undefined) return known;
    const name = this.#rows.size < rowsMax ? { route, space } : { route: others, space: others };
    const key = `${name.route} ${name.space}`;
    const row = this.#rows.get(key) ?? { ...name, ...newCounts() };
    this.#rows.set(key, row);
    return row;
  }

  #keep(sample: Sample): void {
    if (this.#samples.length < samplesMax) this.#samples.push(sample);
    else {
      this.#samples[this.#next] = sample;
      this.#next = (this.#next + 1) % samplesMax;
    }
  }
}

const answerOf = ({ allow, reasons }: Decision): Answer => ({ allow, reasons });

const placeOf = ({
  id,
  atMs,
  route,
  space,
  live,
}: Question): Pick<Sample, 'id' | 'atMs' | 'route' | 'space' | 'live'> => ({
  id,
  atMs,
  route,
  space,
  live: answerOf(live),
});

// A policy answers with a few dozen decisions, one object each.
const texts = new WeakMap<Decision, string>();

function termsOf(decision: Decision): string {
  const known = texts.get(decision);
  if (known !== undefined) return known;
  const { reasons, missing, tier, limits, obligations } = decision;
  const text = JSON.stringify([reasons, missing, tier, limits, obligations]);
  texts.set(decision, text);
  return text;
}

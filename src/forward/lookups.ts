import type { Clock } from '../base/clock.js';
import type { Meter } from '../model/meter.js';
import type { FindObject, ObjectQuestion } from '../model/object.js';
import { ask, type AskContext } from './ask.js';
import { KeptAnswers } from './kept-answers.js';
import { Turns } from './turns.js';

/** Writes that may move objects: while one is under way, and over its end, no answer is used again. */
export interface Moves {
  open: number;
  /** Grows with each end. */
  ended: number;
}

export interface LookupOptions {
  readonly concurrency: number;
  readonly queue: number;
  readonly timeoutMs: number;
  readonly maxBytes: number;
  readonly cacheEntries: number;
}

export interface LookupContext extends AskContext {
  readonly clock: Clock;
  readonly meter: Meter;
  readonly options: LookupOptions;
  readonly moves: Moves;
}

/** Asks which space an object has: once for all who ask the same at a time, a few at a time, each within its time. */
export function createLookups(context: LookupContext): FindObject {
  const { clock, meter, moves, options } = context;
  const turns = new Turns(options.concurrency, options.queue);
  const kept = new KeptAnswers(options.cacheEntries);
  const underWay = new Map<string, Promise<string | null>>();

  const asked = async (question: ObjectQuestion, key: string): Promise<string | null> => {
    const startedAt = moves.ended;
    try {
      const found = await turns.take(question.subject, () => ask(context, question));
      meter.objectLookup(found === null ? 'absent' : 'found');
      if (moves.open === 0 && moves.ended === startedAt)
        kept.keep(key, { found, from: startedAt, untilMs: clock.monotonicMs() + lifeMs(question, found) });
      return found;
    } catch (thrown) {
      meter.objectLookup('failed');
      throw thrown;
    }
  };

  return (question) => {
    const key = keyOf(question);
    const known = moves.open > 0 ? undefined : kept.get(key, { from: moves.ended, nowMs: clock.monotonicMs() });
    if (known !== undefined) {
      meter.objectLookup('hit');
      return known.found;
    }
    const flight = `${String(moves.ended)}\n${key}`;
    const running = underWay.get(flight);
    if (running !== undefined) {
      meter.objectLookup('joined');
      return running;
    }
    const answer = asked(question, key).finally(() => underWay.delete(flight));
    underWay.set(flight, answer);
    return answer;
  };
}

/** That an object is unknown may change with the next request. */
const absentMsMax = 1_000;

const lifeMs = ({ rule }: ObjectQuestion, found: string | null): number =>
  found === null ? Math.min(rule.cacheMs, absentMsMax) : rule.cacheMs;

/** None of the parts can hold a line break. */
const keyOf = ({ rule, target, id, spaces }: ObjectQuestion): string =>
  `${rule.name}\n${target}\n${id}\n${spaces.ids.join('\n')}`;

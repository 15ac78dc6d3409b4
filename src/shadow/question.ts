import type { Decision } from '../model/decision.js';
import type { Trail } from '../model/trail.js';

/** What the live policy was asked and has answered. */
export interface Question {
  readonly id: string;
  readonly atMs: number;
  readonly route: string;
  readonly space: string;
  /** The exact JSON text. */
  readonly input: string;
  readonly live: Decision;
}

/** Spaces that a row names one by one. */
const namesMax = 3;

/** Null for a request that was refused before any policy was asked. */
export function questionOf(trail: Trail): Question | null {
  const { raw, input, decision: live } = trail;
  if (input === null || live === null) return null;
  const facts = trail.target?.facts ?? trail.stated;
  const { all = false, ids = [] } = facts?.spaces ?? {};
  const named = ids.length > namesMax ? `${String(ids.length)} spaces` : ids.join(',') || '-';
  return { id: raw.id, atMs: raw.receivedAtMs, route: facts?.route.id ?? '-', space: all ? '*' : named, input, live };
}

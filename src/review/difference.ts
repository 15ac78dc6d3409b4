import type { Decision } from '../model/decision.js';

/** How two answers to one question differ. `fails`: the later policy gives no answer; `failed`: the earlier one gave none. */
export const changeKinds = [
  'would_deny',
  'would_allow',
  'other_reasons',
  'other_limits',
  'other_audit',
  'fails',
  'failed',
] as const;
export type ChangeKind = (typeof changeKinds)[number];

/** The answer of a policy; null where it gave none. */
export type Answer = Decision | null;

const same = (one: unknown, other: unknown): boolean => JSON.stringify(one) === JSON.stringify(other);

/** The weightiest difference between two answers; null where there is none. Lists of both are sorted, and limits have one order of fields. */
export function changeOf(before: Answer, after: Answer): ChangeKind | null {
  if (before === null || after === null) return before === after ? null : after === null ? 'fails' : 'failed';
  if (before.allow !== after.allow) return after.allow ? 'would_allow' : 'would_deny';
  if (!same(before.reasons, after.reasons) || !same(before.missing, after.missing)) return 'other_reasons';
  // Limits of a request that is denied are never taken.
  if (after.allow && (before.tier !== after.tier || !same(before.limits, after.limits))) return 'other_limits';
  return before.obligations.audit === after.obligations.audit ? null : 'other_audit';
}

/** An answer in a word: `allow`, `deny`, or `fails`. */
export const effectOf = (answer: Answer): 'allow' | 'deny' | 'fails' =>
  answer === null ? 'fails' : answer.allow ? 'allow' : 'deny';

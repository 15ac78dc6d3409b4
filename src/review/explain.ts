import type { PolicyData } from '../authorize/authorize.js';
import { faults, refusals } from '../model/codes.js';
import { causeOf, rolesWith } from './causes.js';
import { askedOf, fieldsOf, textOf, textsOf, type Asked, type Fields } from './facts.js';
import { reasonRules, type ReasonRule } from './rules.js';

/** The policy that an explanation compares with. */
export interface PolicyAtHand {
  readonly revision: string;
  readonly data: PolicyData;
  /** Its Rego, by path in the bundle. */
  readonly rego: ReadonlyMap<string, string>;
  /** Of the generation that it belongs to; null where it was read from files. */
  readonly generation: string | null;
}

export interface ExplainedReason {
  readonly code: string;
  /** Null where the policy at hand does not know the reason, or where the record has no input to compare. */
  readonly because: string | null;
  readonly rules: readonly ReasonRule[];
  /** Entries of the policy data that count, by path. */
  readonly entries: Readonly<Record<string, unknown>>;
  /** Any one of them helps. */
  readonly needs: readonly string[];
}

export interface Explanation {
  readonly id: string;
  readonly time: string | null;
  readonly effect: string;
  readonly enforcement: string | null;
  /** Of the refusal or fault; null where it passed. */
  readonly code: string | null;
  /** What the code means; null without one. */
  readonly meaning: string | null;
  readonly detail: string | null;
  readonly subject: unknown;
  readonly method: string | null;
  readonly route: string | null;
  readonly action: string | null;
  readonly permission: string | null;
  readonly spaces: unknown;
  /** False where the request was refused before anybody asked the policy. */
  readonly asked: boolean;
  /** The policy's answer; null where it gave none. */
  readonly allow: boolean | null;
  readonly reasons: readonly ExplainedReason[];
  readonly missing: readonly { readonly permission: string; readonly roles: readonly string[] }[];
  /** What gave the permission and the spaces, where the policy allowed. */
  readonly granted: readonly string[];
  readonly tier: { readonly name: string; readonly from: string; readonly limits: unknown } | null;
  /** The limit that was tightest when it was tried. */
  readonly limit: unknown;
  readonly generation: string | null;
  /** Revision of the policy that decided; null where that is not known. */
  readonly revision: string | null;
  /** The policy that reasons and entries were compared with; null when none was at hand. */
  readonly policy: {
    readonly revision: string;
    /** True when it is that of the decision, false when another generation decided; null when that is not known. */
    readonly decided: boolean | null;
  } | null;
  /** What the policy was asked; null where it was not, or where the record had no room for it. */
  readonly input: unknown;
  readonly notes: readonly string[];
}

/** A record that the log holds, or the answer to a question that nobody sent, in the same form. */
export type DecisionRecord = Fields;

export interface Recorded {
  readonly record: DecisionRecord;
  /** Of the policy that decided; null where that is not known. */
  readonly revision: string | null;
}

/**
 * Says why a decision is what it is, from its record alone; rules and entries are those of the policy at hand, and it is said whether
 * that is the one that decided.
 *
 * @param recorded as `findRecorded` gives it
 * @param policy null where none is at hand: then the record's own facts remain
 */
export function explainDecision({ record, revision }: Recorded, policy: PolicyAtHand | null): Explanation {
  const asked = askedOf(record['input']);
  const decision = fieldsOf(record['decision']);
  const allow = typeof decision['allow'] === 'boolean' ? decision['allow'] : null;
  const code = textOf(record['code']);
  const decided = decidedBy(record, policy);
  return {
    id: textOf(record['id']) ?? '',
    time: textOf(record['time']),
    effect: textOf(record['effect']) ?? '',
    enforcement: textOf(record['enforcement']),
    code,
    meaning: code === null ? null : meaningOf(code),
    detail: textOf(record['detail']),
    subject: record['subject'] ?? null,
    method: textOf(record['method']),
    route: textOf(record['route']),
    action: textOf(record['action']),
    permission: textOf(record['permission']),
    spaces: record['spaces'] ?? null,
    asked: asked !== null || allow !== null || record['input_omitted'] !== undefined,
    allow,
    reasons: reasonsOf(record, asked, policy),
    missing: textsOf(record['missing']).map((permission) => ({
      permission,
      roles: policy === null ? [] : rolesWith(policy.data, permission),
    })),
    granted: allow === true && asked !== null && policy !== null ? grantsOf(asked, policy.data) : [],
    tier: tierOf(decision, asked),
    limit: record['limit'] ?? null,
    generation: textOf(record['generation']),
    revision: decided === true ? (policy?.revision ?? null) : revision,
    policy: policy === null ? null : { revision: policy.revision, decided },
    input: record['input'] ?? null,
    notes: notesOf(record, policy, decided),
  };
}

/** What a caller is told for it. */
function meaningOf(code: string): string | null {
  const codes: Readonly<Record<string, { readonly say: string }>> = { ...refusals, ...faults };
  return codes[code]?.say ?? null;
}

function decidedBy(record: DecisionRecord, policy: PolicyAtHand | null): boolean | null {
  const generation = textOf(record['generation']);
  return policy === null || policy.generation === null || generation === null ? null : policy.generation === generation;
}

function reasonsOf(record: DecisionRecord, asked: Asked | null, policy: PolicyAtHand | null): ExplainedReason[] {
  const rules = reasonRules(policy?.rego ?? new Map());
  const stated = textsOf(record['reasons']);
  // A request that passed under observe, or met a limit, still has the policy's own reasons in its decision.
  const codes = stated.length > 0 ? stated : textsOf(fieldsOf(record['decision'])['reasons']);
  return codes.map((code) => {
    const cause = causeOf(code, asked, policy?.data ?? null);
    const own = rules.get(code) ?? [];
    return {
      code,
      because: cause?.because ?? own[0]?.description ?? null,
      rules: own,
      entries: cause?.entries ?? {},
      needs: cause?.needs ?? [],
    };
  });
}

function grantsOf({ permission, subject, spaces }: Asked, data: PolicyData): string[] {
  const name = permission ?? '';
  const found: string[] = [];
  if (subject.permissions.includes(name)) found.push(`${name} is a permission of the caller`);
  for (const role of rolesWith(data, name))
    if (subject.roles.includes(role)) found.push(`${name} is in roles.${role}.permissions of the policy data`);
  if (Object.hasOwn(data.defaults?.permissions ?? {}, name))
    found.push(`${name} is in defaults.permissions of the policy data`);
  if (subject.spaces.includes('*')) found.push('the caller has every space (*)');
  else if (spaces.ids.length > 0) found.push(`${spaces.ids.join(', ')} is among the spaces of the caller`);
  return found;
}

function tierOf(decision: Fields, asked: Asked | null): Explanation['tier'] {
  const name = textOf(decision['tier']);
  if (name === null) return null;
  const from =
    asked === null ? 'not known' : asked.subject.tier === null ? 'defaults.tier of the policy data' : 'the caller';
  return { name, from, limits: decision['limits'] ?? [] };
}

function notesOf(record: DecisionRecord, policy: PolicyAtHand | null, decided: boolean | null): string[] {
  const notes: string[] = [];
  const omitted = textOf(record['input_omitted']);
  if (omitted !== null) notes.push(`the record does not hold what the policy was asked (${omitted})`);
  else if (record['input'] == null) notes.push('the request was refused before the policy was asked');
  if (record['effect'] === 'would_deny') notes.push('the request passed, as enforcement is observe');
  if (policy === null) notes.push('no policy is at hand to compare with: only the record speaks');
  else if (decided === false)
    notes.push(
      'another generation decided: rules and entries are those of the policy at hand, and may have changed since',
    );
  else if (decided === null && textOf(record['generation']) !== null)
    notes.push('rules and entries are those of the policy that was given; whether it decided is not known');
  return notes;
}

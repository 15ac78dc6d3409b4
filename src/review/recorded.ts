import type { PastRecord } from '../record/record.js';
import type { Decision } from '../model/decision.js';
import { fieldsOf, textOf, textsOf, type Fields } from './facts.js';

/** One decision of the log. */
export interface RecordedDecision {
  readonly id: string;
  readonly atMs: number;
  readonly route: string | null;
  readonly permission: string | null;
  readonly effect: string;
  /** `KIND:ID`; null before authentication. */
  readonly subject: string | null;
  readonly subjectKind: string | null;
  readonly subjectId: string | null;
  /** `*` for all. */
  readonly spaces: readonly string[];
  /** False where the record had no room for every name. */
  readonly hasAllSpaces: boolean;
  /** JSON text that was evaluated; null where it did not come to that, or was left out. */
  readonly input: string | null;
  /** Why there is no input although the policy was asked. */
  readonly omitted: string | null;
  /** The policy's answer; null where it gave none, or where the record had no room for it. */
  readonly decision: Decision | null;
  readonly isDecisionOmitted: boolean;
}

/** Reads a decision record; null for every other record. */
export function recordedDecision(record: PastRecord): RecordedDecision | null {
  if (record.type.startsWith('memory.') || record.type.startsWith('system.')) return null;
  const fields = record.fields();
  const effect = textOf(fields['effect']);
  const id = textOf(fields['id']);
  if (effect === null || id === null) return null;
  const { kind, id: subjectId } = fieldsOf(fields['subject']);
  const omitted = textOf(fields['input_omitted']);
  const input = fields['input'];
  return {
    id,
    atMs: record.atMs,
    route: textOf(fields['route']),
    permission: textOf(fields['permission']),
    effect,
    subject: typeof kind === 'string' ? `${kind}:${String(subjectId)}` : null,
    subjectKind: textOf(kind),
    subjectId: textOf(subjectId),
    ...spacesOf(fields, input),
    input: typeof input === 'object' && input !== null ? JSON.stringify(input) : null,
    omitted,
    decision: decisionOf(fields['decision']),
    isDecisionOmitted: fields['decision_omitted'] !== undefined,
  };
}

function spacesOf(fields: Fields, input: unknown): Pick<RecordedDecision, 'spaces' | 'hasAllSpaces'> {
  const spaces = fieldsOf(fields['spaces']);
  if (spaces['all'] === true) return { spaces: ['*'], hasAllSpaces: true };
  if (spaces['ids_more'] === undefined) return { spaces: textsOf(spaces['ids']), hasAllSpaces: true };
  const asked = textsOf(fieldsOf(fieldsOf(input)['spaces'])['ids']);
  return asked.length > 0
    ? { spaces: asked, hasAllSpaces: true }
    : { spaces: textsOf(spaces['ids']), hasAllSpaces: false };
}

// Our own process wrote it, and its hash holds.
const decisionOf = (value: unknown): Decision | null =>
  typeof fieldsOf(value)['allow'] === 'boolean' ? (value as Decision) : null;

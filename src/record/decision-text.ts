import { kept } from '../base/kept.js';
import type { AuditEvent } from '../model/audit.js';
import type { Fault, Refusal } from '../model/codes.js';
import type { AuditLevel, Decision, LimitState } from '../model/decision.js';
import type { Subject } from '../model/subject.js';
import type { RouteFacts, SpaceSet } from '../model/target.js';
import type { HeadFacts, Outcome, Trail } from '../model/trail.js';
import { bodyBytesMax, listMember, quoted, quotedOrNull, verbatimMember } from './render.js';
import type { AuditEventType } from './events.js';

/** What was decided, in one row. */
export interface Verdict {
  readonly type: AuditEventType;
  readonly severity: AuditLevel;
  readonly effect: 'allow' | 'deny' | 'would_deny';
  readonly why: Refusal | Fault | null;
}

// `type` and `severity` stand before the members, `hash` behind them; the rest of a body is ours.
const membersMax = bodyBytesMax - 120;
interface ListCaps {
  readonly count: number;
  readonly length: number;
}
const usual: ListCaps = { count: 24, length: 64 };
// Small enough for the longest escapes in every field at once.
const tight: ListCaps = { count: 4, length: 48 };

// What requests share is written once: keys and routes live long, and a policy answers with a few dozen decisions, one object each.
const knownSubject = kept(
  ({ kind, id, owner }: Subject) => `{"kind":"${kind}","id":${quoted(id, 64)},"owner":${quotedOrNull(owner, 64)}}`,
);
const subjectText = (subject: Subject | null): string => (subject === null ? 'null' : knownSubject(subject));
const routeText = kept(
  ({ id, action, permission, class: dataClass }: RouteFacts) =>
    `"route":${quoted(id, 96)},"action":${quoted(action, 96)},"permission":"${permission}","class":"${dataClass}"`,
);
const knownDecision = kept((decision: Decision) => verbatimMember('decision', JSON.stringify(decision)));

const spacesText = (spaces: SpaceSet, caps: ListCaps): string =>
  `{"all":${String(spaces.all)},${listMember('ids', spaces.ids, caps)},` +
  `${listMember('unknown', spaces.unknown, caps)},"explicit":${String(spaces.explicit)}}`;

const limitText = (limit: LimitState | null): string =>
  limit === null
    ? 'null'
    : `{"id":${quoted(limit.id, 64)},"limit":${String(limit.limit)},"per_s":${String(limit.perS)},` +
      `"remaining":${String(limit.remaining)},"reset_at_s":${String(limit.resetAtS)}}`;

function targetText(facts: HeadFacts | null, caps: ListCaps): string {
  if (facts === null) return '"route":null,"action":null,"permission":null,"class":null,"spaces":null';
  const { route, spaces } = facts;
  return `${routeText(route)},"spaces":${spacesText(spaces, caps)}`;
}

// The query never goes into a record: it is where callers put what should not be kept.
function pathOf(trail: Trail): string {
  if (trail.request !== null) return trail.request.path;
  const target = trail.raw.target;
  const end = target.search(/[?#]/);
  return end < 0 ? target : target.slice(0, end);
}

const callerText = (trail: Trail): string =>
  `"id":${quoted(trail.raw.id, 64)},"subject":${subjectText(trail.subject)},` +
  `"client_address":${quoted(trail.request?.clientAddress ?? trail.raw.peerAddress, 64)},` +
  `"user_agent":${quotedOrNull(trail.request?.userAgent ?? null, 192)},` +
  `"client_request_id":${quotedOrNull(trail.request?.clientRequestId ?? null, 128)},"session":${quotedOrNull(trail.session ?? null, 64)},` +
  `"method":${quoted(trail.raw.method, 32)},"path":${quoted(pathOf(trail), 256)}`;

function verdictText(trail: Trail, verdict: Verdict, caps: ListCaps): string {
  const { why } = verdict;
  const facts: Partial<Refusal> = why !== null && !(why instanceof Error) ? why : {};
  const decision: Decision | null = trail.decision;
  const detail = why === null ? null : why instanceof Error ? why.message : why.detail;
  return (
    `"effect":"${verdict.effect}","code":${why === null ? 'null' : `"${why.code}"`},"detail":${quotedOrNull(detail, 256)},` +
    `${listMember('reasons', facts.reasons ?? decision?.reasons ?? [], caps)},` +
    `${listMember('missing', facts.missing ?? decision?.missing ?? [], caps)},` +
    `"tier":${quotedOrNull(decision?.tier ?? null, 64)},"limit":${limitText(trail.limit)},` +
    `"generation":${quoted(trail.generation, 80)},"enforcement":"${trail.enforcement}"`
  );
}

const fits = (text: string): boolean =>
  text.length <= membersMax && (text.length * 3 <= membersMax || Buffer.byteLength(text) <= membersMax);

const factsText = (trail: Trail, verdict: Verdict, caps: ListCaps): string =>
  `${callerText(trail)},${targetText(trail.target?.facts ?? trail.stated, caps)},${verdictText(trail, verdict, caps)}`;

/** The members of a decision record. What the policy saw is left out, and said so, where the record would grow too long. */
export function decisionText(trail: Trail, verdict: Verdict): string {
  const facts = factsText(trail, verdict, usual);
  const decision = trail.decision === null ? '"decision":null' : knownDecision(trail.decision);
  const whole = `${facts},${verbatimMember('input', trail.input)},${decision}`;
  if (fits(whole)) return whole;
  const noInput = '"input":null,"input_omitted":"record-full"';
  const withoutInput = `${facts},${noInput},${decision}`;
  if (fits(withoutInput)) return withoutInput;
  const noDecision = `${noInput},"decision":null,"decision_omitted":"record-full"`;
  const bare = `${facts},${noDecision}`;
  return fits(bare) ? bare : `${factsText(trail, verdict, tight)},${noDecision}`;
}

/** The event of a decision; its members are rendered once, here. */
export const decisionEvent = (trail: Trail, verdict: Verdict, atMs: number): AuditEvent => ({
  type: verdict.type,
  severity: verdict.severity,
  atMs,
  fields: verdict.why === null ? {} : { code: verdict.why.code },
  text: decisionText(trail, verdict),
});

/** The event of a yes: the request goes upstream after it, and owes an outcome. */
export const admittedEvent = (trail: Trail, verdict: Verdict, atMs: number): AuditEvent => ({
  opens: trail.raw.id,
  ...decisionEvent(trail, verdict, atMs),
});

const outcomeTypes = {
  completed: { type: 'memory.completed', severity: 'info' },
  interrupted: { type: 'memory.interrupted', severity: 'warning' },
  notForwarded: { type: 'memory.not-forwarded', severity: 'warning' },
} as const;

const outcomeKind = (outcome: Outcome): keyof typeof outcomeTypes =>
  outcome.notForwarded !== null ? 'notForwarded' : outcome.endedBy === 'completed' ? 'completed' : 'interrupted';

const codeText = (code: Outcome['notForwarded']): string => (code === null ? 'null' : `"${code}"`);

const answerText = (answer: Outcome['answer']): string =>
  answer === undefined ? '' : `,"answer":"${answer.result}","items_removed":${String(answer.removed)}`;

/** The event of an outcome: how an admitted request ended. */
export function outcomeEvent(id: string, outcome: Outcome, times: { atMs: number; durationMs: number }): AuditEvent {
  const { type, severity } = outcomeTypes[outcomeKind(outcome)];
  const upstreamMs = outcome.upstreamMs === null ? 'null' : outcome.upstreamMs.toFixed(3);
  const text =
    `"id":${quoted(id, 64)},"status":${String(outcome.status)},"code":${codeText(outcome.code)},` +
    `"request_bytes":${String(outcome.requestBytes)},"response_bytes":${String(outcome.responseBytes)},` +
    `"duration_ms":${times.durationMs.toFixed(3)},"upstream_ms":${upstreamMs},` +
    `"ended_by":"${outcome.endedBy}","not_forwarded":${codeText(outcome.notForwarded)}${answerText(outcome.answer)}`;
  return { type, severity, atMs: times.atMs, fields: {}, text, closes: id };
}

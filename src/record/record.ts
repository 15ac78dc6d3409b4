import { addressGroup } from '../base/address.js';
import type { Clock } from '../base/clock.js';
import type { AuditEvent } from '../model/audit.js';
import type { Fault, Refusal, RefusalCode } from '../model/codes.js';
import type { Meter } from '../model/meter.js';
import type { DataClass } from '../model/permissions.js';
import { Observed, Receipt, type Admission } from '../model/proofs.js';
import type { Outcome, Trail } from '../model/trail.js';
import type { AuditLog } from './log.js';
import { admittedEvent, decisionEvent, outcomeEvent } from './decision-text.js';
import { allowed, denied, typeOf, wouldDeny } from './verdicts.js';

export { openAuditLog } from './open.js';
export type { AuditLog, AuditLogOptions, AuditLogPorts, AuditLogStatus } from './log.js';
export { verifyAuditLog, readAuditTail, type AuditVerdict } from './verify.js';
export { readObserved, type ObservedCaller, type ObservedReport } from './observed.js';
export type { AuditProblem } from './checker.js';
export {
  findDecision,
  findRevision,
  readHistory,
  type HistoryFacts,
  type HistoryRange,
  type PastRecord,
} from './history.js';
export { createMeter, type ScrapedMeter } from './metrics.js';
export { auditEventTypes, type AuditEventType } from './events.js';

/** What is known of bytes that never became a request. */
export interface Malformed {
  readonly id: string;
  readonly address: string;
  readonly code: RefusalCode;
}

/** What is known of a request that was turned away unread. */
export interface Unread extends Malformed {
  readonly method: string;
  readonly status: number;
}

/** The stage that makes decisions durable before they take effect, and tells how requests ended. */
export interface RecordStage {
  /** Returns when the decision is on disk, or queued where reads are buffered. @throws Fault `record.unavailable`; then nothing may go upstream */
  decision(admission: Admission, trail: Trail): Promise<Receipt>;
  /** Enforcement observe: notes what enforce would have done (`why` null: it would have passed), for unknown callers under the budget. A loss is counted and blocks nothing. */
  observed(trail: Trail, why: Refusal | Fault | null): Promise<Observed>;
  /** A no, unless the request was admitted before: then its outcome tells. Waits for the disk where the caller is known, counts under the budget where not. Never throws. */
  refusal(trail: Trail, why: Refusal | Fault): Promise<void> | void;
  /** Bytes that never became a request. */
  malformed(facts: Malformed): void;
  /** A request that was turned away before anything of it was read: counted, and recorded under the budget. */
  shed(facts: Unread): void;
  /** How a request ended: a record where it was admitted or observed, and the metrics always. */
  outcome(trail: Trail, outcome: Outcome): void;
}

export interface RecordContext {
  readonly log: AuditLog;
  readonly meter: Meter;
  readonly clock: Clock;
  /** For reads only: `buffered` does not wait for a disk that works. */
  readonly durability: Readonly<Record<DataClass, 'strict' | 'buffered'>>;
}

const reads: ReadonlySet<string> = new Set(['MemoryRead', 'SpaceList', 'SystemHealth', 'SystemMetrics']);

// Without a credential a caller is as many as it likes, so what it causes is counted by address.
const isKnown = (trail: Trail): boolean => trail.subject !== null && trail.subject.kind !== 'anonymous';

// What the proof holds is what is recorded, whatever the trail says.
function admitted({ permit, limit }: Admission, trail: Trail): Trail {
  const { identity, target, decision, input } = permit;
  return { ...trail, request: target.request, subject: identity.subject, target, decision, input, limit };
}

const isBuffered = ({ permit }: Admission, durability: RecordContext['durability']): boolean => {
  const { route } = permit.target.facts;
  return durability[route.class] === 'buffered' && reads.has(route.permission);
};

const unreadEvent = ({ id, address, code }: Malformed, atMs: number): AuditEvent => ({
  type: typeOf(code),
  severity: 'warning',
  atMs,
  fields: { id, client_address: address, effect: 'deny', code },
});

/** The stage over an open log. */
export function createRecord(context: RecordContext): RecordStage {
  const { log, clock, meter, durability } = context;
  const groupOf = (trail: Trail): string => addressGroup(trail.request?.clientAddress ?? trail.raw.peerAddress);

  return {
    async decision(admission, trail) {
      const facts = admitted(admission, trail);
      const event = admittedEvent(facts, allowed(facts), clock.nowMs());
      // A log that takes nothing lets nothing pass: then a read waits, and fails, like everything else.
      if (isBuffered(admission, durability) && log.status().ready) log.note(event);
      else await log.commit(event);
      trail.standing = 'owed';
      return Receipt.recorded(admission);
    },
    observed(trail, why) {
      const { request } = trail;
      if (request === null) return Promise.reject(new Error('a request that the gate refused cannot be observed'));
      const verdict = why === null ? allowed(trail) : wouldDeny(why);
      if (why !== null) meter.observedRefusal(why.code);
      // Beside enforce it is the request alone that is observed.
      const enforcement = trail.enforcement === 'enforce' ? 'observe' : trail.enforcement;
      const event = decisionEvent({ ...trail, enforcement }, verdict, clock.nowMs());
      if (isKnown(trail)) {
        log.note({ opens: trail.raw.id, ...event });
        trail.standing = 'owed';
      } else trail.standing = log.noteUnderBudget(event, groupOf(trail)) ? 'offered' : 'folded';
      return Promise.resolve(Observed.recorded(request, trail.target, trail.stated?.route));
    },
    refusal(trail, why) {
      if (trail.standing !== null) return; // decided and recorded already: its outcome tells how it went on
      const event = decisionEvent(trail, denied(why), clock.nowMs());
      if (!isKnown(trail)) log.noteUnderBudget(event, groupOf(trail));
      else return log.commit({ yieldsReserve: true, ...event }).catch(() => undefined); // the log has counted the loss
    },
    ...unread(context),
    outcome: outcomes(context),
  };
}

/** What was never read: counted, and recorded under the budget. */
const unread = ({ log, meter, clock }: RecordContext): Pick<RecordStage, 'malformed' | 'shed'> => ({
  malformed: (facts) => {
    meter.refusal(facts.code);
    log.noteUnderBudget(unreadEvent(facts, clock.nowMs()), addressGroup(facts.address));
  },
  shed: (facts) => {
    const { method, status, code } = facts;
    meter.request({ method, route: 'none', status, durationS: 0, code });
    log.noteUnderBudget(unreadEvent(facts, clock.nowMs()), addressGroup(facts.address));
  },
});

const outcomes =
  ({ log, meter, clock }: RecordContext): RecordStage['outcome'] =>
  (trail, outcome) => {
    const durationMs = Math.max(0, clock.monotonicMs() - trail.raw.startedMs);
    const { status, code } = outcome;
    const { id, method } = trail.raw;
    const route = trail.target?.facts.route.id ?? 'none';
    meter.request({ method, route, status, durationS: durationMs / 1_000, code });
    if (code?.startsWith('upstream.') === true) meter.upstreamError(code);
    const { standing } = trail;
    trail.standing = null; // one outcome for each decision
    if (standing === null || standing === 'folded') return;
    const event = outcomeEvent(id, outcome, { atMs: clock.nowMs(), durationMs });
    log.note(standing === 'owed' ? event : { yieldsReserve: true, ...event });
  };

import type { Clock } from '../base/clock.js';
import { no, ok, type Result } from '../base/result.js';
import { Fault, refuse, type Refusal } from '../model/codes.js';
import type { AllowDecision, Decision } from '../model/decision.js';
import type { Meter } from '../model/meter.js';
import { Permit, type Identity, type Target } from '../model/proofs.js';
import type { Asked, HeadFacts, Trail } from '../model/trail.js';
import { createInputWriter } from './input.js';
import { undefinedDecision } from './parse-decision.js';
import type { Policy } from './policy.js';

export { loadPolicy, type Policy, type PolicyOptions } from './policy.js';
export type { PolicyPorts } from './ports.js';
export { startWatchdog, watchdogExitCode, type Watchdog, type WatchdogOptions } from './watchdog.js';

/** What the stage works with; all of one generation. */
export interface AuthorizeContext {
  readonly policy: Policy;
  /** The read-only switch, as the policy is told. */
  readonly readonly: boolean;
  readonly clock: Clock;
  readonly meter: Meter;
}

/** Identity and target → permit. */
export interface Authorize {
  /**
   * One evaluation. What was asked and answered is on the trail before it answers.
   *
   * Refuses `authorize.denied` (with the missing permissions and the reasons), `space.unknown` where that is the only reason,
   * `policy.undefined` where the policy has no opinion, and `authorize.too-large` for more than may be asked (nothing is evaluated then).
   *
   * @throws Fault `policy.failed` when the evaluation threw or its answer is not the documented one
   */
  (identity: Identity, target: Target, trail: Trail): Result<Permit, Refusal>;
}

/** Makes the stage. */
export function createAuthorize({ policy, readonly, clock }: AuthorizeContext): Authorize {
  const inputOf = createInputWriter();
  return (identity, target, trail) => {
    const { request, facts } = target;
    const bytes = facts.body?.length ?? request.body.length;
    const input = inputOf({ subject: identity.subject, request, facts, bytes, nowMs: clock.nowMs(), readonly });
    if (!input.ok) return input;
    trail.input = input.value;
    const decision = policy.evaluate(input.value);
    trail.decision = decision;
    return isAllow(decision)
      ? ok(Permit.grant(identity, target, { decision, input: input.value }))
      : no(refusalOf(decision));
  };
}

/**
 * Would what the head of a request states be allowed? For a client that waits for `100 Continue`, and for what lasts; makes no permit. A no is noted on
 * the trail like any other decision; a yes is not, for it is asked again with the body.
 *
 * @throws Fault `policy.failed`
 */
export type Preview = (identity: Identity, facts: HeadFacts, trail: Asked) => Refusal | null;

/** Makes the preview. */
export function createPreview({ policy, readonly, clock }: AuthorizeContext): Preview {
  const inputOf = createInputWriter();
  return ({ subject }, facts, trail) => {
    const { request } = trail;
    if (request === null) throw new Fault('self.bug', 'a preview before the gate');
    const input = inputOf({ subject, request, facts, bytes: request.body.length, nowMs: clock.nowMs(), readonly });
    if (!input.ok) return input.why;
    const decision = policy.evaluate(input.value);
    if (decision.allow) return null;
    trail.stated = facts;
    trail.input = input.value;
    trail.decision = decision;
    return refusalOf(decision);
  };
}

const isAllow = (decision: Decision): decision is AllowDecision => decision.allow;

function refusalOf(decision: Decision): Refusal {
  const { reasons, missing } = decision;
  if (decision === undefinedDecision) return refuse('policy.undefined', 'the decision is undefined', { reasons });
  // Only to somebody who may use the name: to others it would tell which spaces exist.
  const isUnknownSpace = reasons.length === 1 && reasons[0] === 'space.unknown';
  const detail = reasons.length === 0 ? 'denied without a reason' : reasons.join(', ');
  return refuse(isUnknownSpace ? 'space.unknown' : 'authorize.denied', detail, { missing, reasons });
}

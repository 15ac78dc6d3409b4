import type { Clock } from '../base/clock.js';
import { no, ok, type Result } from '../base/result.js';
import { Fault, refuse, type Refusal } from '../model/codes.js';
import type { AllowDecision, Decision } from '../model/decision.js';
import type { Meter } from '../model/meter.js';
import { Permit, type Identity, type Target, type Would } from '../model/proofs.js';
import type { Asked, HeadFacts, Trail } from '../model/trail.js';
import { createInputWriter } from './input.js';
import { undefinedDecision } from './parse-decision.js';
import type { Policy } from './policy.js';

export { hostileInputs } from './activation.js';
export { parseDecision, undefinedDecision } from './parse-decision.js';
export { loadPolicy, type Policy, type PolicyOptions } from './policy.js';
export type { PolicyData } from './policy-data.js';
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
   * `policy.undefined` where the policy has no opinion, `object.unknown` for each of these where an object was looked up, and `authorize.too-large` for more than may be asked (nothing is evaluated then).
   *
   * @throws Fault `policy.failed` when the evaluation threw or its answer is not the documented one
   */
  (identity: Identity, target: Target, trail: Trail): Result<Permit, Refusal>;
}

/** Makes the stage. */
export function createAuthorize(context: AuthorizeContext): Authorize {
  const { policy, readonly, clock } = context;
  const inputOf = createInputWriter();
  return (identity, target, trail) => {
    const { request, facts } = target;
    const bytes = facts.body?.length ?? request.body.length;
    const input = inputOf({ subject: identity.subject, request, facts, bytes, nowMs: clock.nowMs(), readonly });
    if (!input.ok) return input;
    trail.input = input.value;
    const decision = policy.evaluate(input.value);
    trail.decision = decision;
    if (!isAllow(decision)) return no(facts.isLookedUp ? hidden(decision) : refusalOf(decision));
    const would =
      facts.answer === null && facts.rpc?.lists == null ? null : asker(context, { identity, target, bytes });
    return ok(Permit.grant(identity, target, { decision, input: input.value, would }));
  };
}

interface Permitted {
  readonly identity: Identity;
  readonly target: Target;
  readonly bytes: number | null;
}

/** More questions about one request, as its answer raises them. */
function asker({ policy, readonly, clock }: AuthorizeContext, { identity, target, bytes }: Permitted): Would {
  const inputOf = createInputWriter();
  const { request } = target;
  return (others) => {
    const facts = { ...target.facts, ...others };
    const input = inputOf({ subject: identity.subject, request, facts, bytes, nowMs: clock.nowMs(), readonly });
    return input.ok && policy.evaluate(input.value).allow;
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

/** Who may not use an object is not told that it is there; the record is. */
function hidden(decision: Decision): Refusal {
  const { detail, reasons = [] } = refusalOf(decision);
  return refuse('object.unknown', `denied: ${detail}`, { reasons });
}

function refusalOf(decision: Decision): Refusal {
  const { reasons, missing } = decision;
  if (decision === undefinedDecision) return refuse('policy.undefined', 'the decision is undefined', { reasons });
  // Only to somebody who may use the name: to others it would tell which spaces exist.
  const isUnknownSpace = reasons.length === 1 && reasons[0] === 'space.unknown';
  const detail = reasons.length === 0 ? 'denied without a reason' : reasons.join(', ');
  return refuse(isUnknownSpace ? 'space.unknown' : 'authorize.denied', detail, { missing, reasons });
}

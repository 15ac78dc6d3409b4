// Checked by the compiler alone: what stands below a line that expects an error must not compile, or the check of types fails.
// A request that skipped a stage cannot be forwarded, since no proof can be made, guessed or exchanged.
import type { Forward, ForwardReply } from '../../src/forward/forward.js';
import type { Decision } from '../../src/model/decision.js';
import { Admission, Identity, Observed, Permit, Receipt, Target } from '../../src/model/proofs.js';
import { CleanRequest, type CleanFacts, type RawRequest } from '../../src/model/request.js';

declare const forward: Forward;
declare const reply: ForwardReply;
declare const raw: RawRequest;
declare const facts: CleanFacts;
declare const request: CleanRequest;
declare const identity: Identity;
declare const target: Target;
declare const permit: Permit;
declare const admission: Admission;
declare const receipt: Receipt;
declare const observed: Observed;
declare const decision: Decision;

/** The only two ways out. */
export const allowed = [() => forward(receipt, reply), () => forward(observed, reply)];

export const skipped = [
  // @ts-expect-error -- limit and record were skipped
  () => forward(permit, reply),
  // @ts-expect-error -- record was skipped: the decision is not on disk
  () => forward(admission, reply),
  // @ts-expect-error -- everything after identify was skipped
  () => forward(identity, reply),
  // @ts-expect-error -- everything after resolve was skipped
  () => forward(target, reply),
  // @ts-expect-error -- everything after the gate was skipped
  () => forward(request, reply),
  // @ts-expect-error -- everything was skipped
  () => forward(raw, reply),
  // @ts-expect-error -- an object of the right shape is no proof
  () => forward({ admission }, reply),
  // @ts-expect-error -- nor is one that guesses the mark
  () => forward({ proof: 'receipt', admission }, reply),
  // @ts-expect-error -- nothing at all
  () => forward(null, reply),
];

export const exchanged = [
  // @ts-expect-error -- a permit is not an admission: the limits were skipped
  () => Receipt.recorded(permit),
  // @ts-expect-error -- an identity is not a permit: the policy was skipped
  () => Admission.admit(identity, null),
  // @ts-expect-error -- what was only observed is never admitted
  () => Receipt.recorded(observed),
  // @ts-expect-error -- an admission that an observed request never had
  (): Receipt => observed,
  // @ts-expect-error -- one proof does not stand for another
  (): Permit => admission,
  // @ts-expect-error -- a target is read from a clean request only
  () => Target.resolved(raw, target.facts),
];

export const made = [
  // @ts-expect-error -- the constructor belongs to the class
  () => new CleanRequest(facts),
  // @ts-expect-error -- the constructor belongs to the class
  () => new Identity(identity.subject, identity.live),
  // @ts-expect-error -- the constructor belongs to the class
  () => new Target(request, target.facts),
  // @ts-expect-error -- the constructor belongs to the class
  () => new Permit(identity, target, permit.decision, ''),
  // @ts-expect-error -- the constructor belongs to the class
  () => new Admission(permit, null),
  // @ts-expect-error -- the constructor belongs to the class
  () => new Receipt(admission),
  // @ts-expect-error -- the constructor belongs to the class
  () => new Observed(request, target),
];

export const granted = [
  () => Permit.grant(identity, target, { decision: { ...decision, allow: true }, input: '' }),
  // @ts-expect-error -- a decision that may be a no
  () => Permit.grant(identity, target, { decision, input: '' }),
  // @ts-expect-error -- the policy said no
  () => Permit.grant(identity, target, { decision: { ...decision, allow: false }, input: '' }),
  // @ts-expect-error -- a truthy answer is no yes
  () => Permit.grant(identity, target, { decision: { ...decision, allow: 'true' }, input: '' }),
  // @ts-expect-error -- a bare flag is no decision
  () => Permit.grant(identity, target, { decision: { allow: true }, input: '' }),
];

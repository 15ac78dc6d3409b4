import { no, ok, type Result } from '../base/result.js';
import { Fault, type Refusal } from '../model/codes.js';
import type { Admission } from '../model/proofs.js';
import type { CleanRequest } from '../model/request.js';
import type { SpaceSet } from '../model/target.js';
import type { Trail } from '../model/trail.js';
import type { Sendable } from '../forward/forward.js';
import type { FirstMessage, LaterMessage } from './body.js';
import type { CallGeneration } from './stages.js';

/** One message of a call, and what it is judged under. */
export interface Question {
  readonly generation: CallGeneration;
  readonly trail: Trail;
  readonly body: FirstMessage | LaterMessage;
  /** The spaces of the call's first message; null in that message itself. */
  readonly first: SpaceSet | null;
}

/**
 * One message, from its head to its record: the same order as that of a request. What is not a message is refused in every mode.
 *
 * @throws Fault where something is broken; then nothing may go upstream
 */
export async function decide(question: Question): Promise<Result<Sendable, Refusal>> {
  const { generation, trail, body } = question;
  const { stages, enforcement, observes } = generation;
  const request = stages.gate(trail.raw);
  if (!request.ok) return request;
  trail.request = request.value;

  const admission = await admit(question, request.value).catch((thrown: unknown) => {
    if (enforcement !== 'enforce' && thrown instanceof Fault) return no(thrown);
    throw thrown;
  });
  const isObserved = admission.ok ? enforcement !== 'enforce' : observes?.(trail, admission.why) === true;
  if (isObserved) {
    const message = await body.collect(); // what was read already is not read again
    if (!message.ok) return message;
    const proof = await stages.record.observed(trail, admission.ok ? null : admission.why);
    return ok({ proof, message: message.value });
  }
  if (!admission.ok) return admission.why instanceof Fault ? Promise.reject(admission.why) : no(admission.why);
  const proof = await stages.record.decision(admission.value, trail); // on disk, or a Fault
  const { body: message } = admission.value.permit.target.facts;
  if (message === null) throw new Fault('self.bug', 'a message that was not read');
  return ok({ proof, message });
}

async function admit(question: Question, request: CleanRequest): Promise<Result<Admission, Refusal | Fault>> {
  const { generation, trail, body, first } = question;
  const { stages } = generation;
  const identity = await stages.identify(request);
  if (!identity.ok) return identity;
  trail.subject = identity.value.subject;

  const head = stages.resolve(request, first);
  if (!head.ok) return head;
  body.streaming = head.value.streaming;

  const target = await head.value.complete();
  if (!target.ok) return target;
  trail.target = target.value;

  const permit = stages.authorize(identity.value, target.value, trail);
  if (!permit.ok) return permit;
  return stages.limit(permit.value, trail);
}

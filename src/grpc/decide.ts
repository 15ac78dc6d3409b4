import { no, ok, type Result } from '../base/result.js';
import { Fault, type Refusal } from '../model/codes.js';
import type { SpaceSet } from '../model/target.js';
import type { Trail } from '../model/trail.js';
import type { Sendable } from '../forward/forward.js';
import { admit, type AdmittingStages } from '../gateway/gateway.js';
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
 * One message, from its head to its record, in the order of a request. What is not a message is refused in every mode.
 *
 * @throws Fault where something is broken; then nothing may go upstream
 */
export async function decide(question: Question): Promise<Result<Sendable, Refusal>> {
  const { generation, trail, body } = question;
  const { stages, enforcement, observes } = generation;
  const request = stages.gate(trail.raw);
  if (!request.ok) return request;
  trail.request = request.value;

  const admission = await admit(stagesFor(question), request.value, trail).catch((thrown: unknown) => {
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

/** The steps of a request; what resolve finds out about the call is told to the body, which is read by it. */
function stagesFor({ generation: { stages }, body, first }: Question): AdmittingStages {
  return {
    ...stages,
    resolve: (request) => {
      const head = stages.resolve(request, first);
      if (head.ok) body.streaming = head.value.streaming;
      return head;
    },
  };
}

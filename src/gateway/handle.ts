import type { ServerResponse } from 'node:http';
import { ok, type Result } from '../base/result.js';
import { Fault, type Refusal } from '../model/codes.js';
import type { Admission } from '../model/proofs.js';
import type { CleanRequest, RawRequest } from '../model/request.js';
import { newTrail, type Outcome, type Trail } from '../model/trail.js';
import { answerHeaders, asFault, respond } from './respond.js';
import type { AdmittingStages, Generation } from './stages.js';

export type Handle = (raw: RawRequest, response: ServerResponse, generation: Generation) => Promise<void>;

/** One request, from its head to its record. Nothing is forwarded without a Receipt, and every request ends in one outcome. */
export function createHandle(bug: (thrown: unknown) => void): Handle {
  return async (raw, response, generation) => {
    const { stages, answers } = generation;
    const trail = newTrail(raw, generation);
    let outcome: Outcome;
    try {
      outcome = await pass(generation, trail, response);
    } catch (thrown) {
      const fault = asFault(thrown, bug);
      await stages.record.refusal(trail, fault);
      outcome = await respond({ why: fault, trail, response, answers });
    }
    stages.record.outcome(trail, outcome);
  };
}

async function pass(
  { enforcement, observes, stages, answers }: Generation,
  trail: Trail,
  response: ServerResponse,
): Promise<Outcome> {
  const refused = async (why: Refusal): Promise<Outcome> => {
    await stages.record.refusal(trail, why);
    return respond({ why, trail, response, answers });
  };

  const request = stages.gate(trail.raw);
  if (!request.ok) return refused(request.why);
  trail.request = request.value;

  const admission = await admit(stages, request.value, trail).catch((thrown: unknown) => {
    if (enforcement !== 'enforce' && thrown instanceof Fault) return { ok: false, why: thrown } as const;
    throw thrown;
  });

  const isObserved = admission.ok ? enforcement !== 'enforce' : observes?.(trail, admission.why) === true;
  if (isObserved) {
    const observed = await stages.record.observed(trail, admission.ok ? null : admission.why);
    const passed = await stages.forward(observed, { response, ownHeaders: answerHeaders(trail, answers) });
    return passed.ok ? passed.value : refused(passed.why);
  }

  if (!admission.ok) return admission.why instanceof Fault ? Promise.reject(admission.why) : refused(admission.why);
  const receipt = await stages.record.decision(admission.value, trail); // on disk, or a Fault: then nothing is forwarded
  const forwarded = await stages.forward(receipt, { response, ownHeaders: answerHeaders(trail, answers) });
  return forwarded.ok ? forwarded.value : respond({ why: forwarded.why, trail, response, answers });
}

/** Who, what, whether and how often, in this order for requests and for the messages of calls. */
export async function admit(
  stages: AdmittingStages,
  request: CleanRequest,
  trail: Trail,
): Promise<Result<Admission, Refusal | Fault>> {
  const identified = stages.identify(request); // a promise on a cache miss only
  const identity = identified instanceof Promise ? await identified : identified;
  if (!identity.ok) return identity;
  trail.subject = identity.value.subject;

  const head = stages.resolve(request, trail.subject);
  if (!head.ok) return head;
  const isEarly = request.expectsContinue || head.value.asksFirst; // who waits for 100, or makes us ask, is told what the head alone can refuse
  const early = isEarly ? head.value.preview : null;
  const wrong = early === null ? null : stages.preview(identity.value, early, trail);
  if (wrong !== null) return { ok: false, why: wrong };

  const completed = head.value.complete(); // a promise where the decision needs the body
  const target = completed instanceof Promise ? await completed : completed;
  if (!target.ok) return target;
  trail.target = target.value;

  const permit = stages.authorize(identity.value, target.value, trail);
  if (!permit.ok) return permit;

  const limited = stages.limit(permit.value, trail); // a promise for a shared limiter only
  const admission = limited instanceof Promise ? await limited : limited;
  return admission.ok ? ok(admission.value) : admission;
}

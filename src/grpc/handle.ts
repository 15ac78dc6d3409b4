import type { Clock } from '../base/clock.js';
import { newDecisionId } from '../base/ids.js';
import type { CallExchange, Sendable } from '../forward/forward.js';
import { answerHeaders, asFault } from '../gateway/gateway.js';
import type { Fault, Refusal } from '../model/codes.js';
import { freePlace } from '../model/place.js';
import { Receipt } from '../model/proofs.js';
import type { RawRequest } from '../model/request.js';
import type { SpaceSet } from '../model/target.js';
import { newTrail, type Outcome } from '../model/trail.js';
import { refuseCall, refusedOutcome, type StreamAnswer } from './answer.js';
import { LaterMessage, type FirstMessage } from './body.js';
import { decide, type Question } from './decide.js';
import type { Messages } from './messages.js';
import type { CallGeneration } from './stages.js';

export interface IncomingCall {
  readonly raw: RawRequest;
  readonly body: FirstMessage;
  readonly messages: Messages;
  readonly answer: StreamAnswer;
}

export interface HandlePorts {
  readonly clock: Clock;
  /** In force at this moment: a later message of a call is judged by what holds when it comes. */
  readonly generation: () => CallGeneration;
  readonly bug: (thrown: unknown) => void;
}

/** One call, from its head to its record. Each message needs a receipt of its own, and every call ends in one outcome. */
export function createCallHandle(ports: HandlePorts): (call: IncomingCall) => Promise<void> {
  return async (call) => {
    const generation = ports.generation();
    const { raw, body, answer } = call;
    const question: Question = { generation, trail: newTrail(raw, generation), body, first: null };
    const { trail } = question;
    let outcome: Outcome;
    try {
      outcome = await pass(call, question, ports);
    } catch (thrown) {
      const fault = asFault(thrown, ports.bug);
      await generation.stages.record.refusal(trail, fault);
      outcome = refuseCall({ why: fault, trail, answer, generation });
    }
    generation.stages.record.outcome(trail, outcome);
  };
}

async function pass(call: IncomingCall, question: Question, ports: HandlePorts): Promise<Outcome> {
  const { generation, trail } = question;
  const { answer, body } = call;
  const refused = (why: Refusal): Outcome => refuseCall({ why, trail, answer, generation });

  const first = await decide(question);
  if (!first.ok) {
    await generation.stages.record.refusal(trail, first.why);
    return refused(first.why);
  }
  const ownHeaders = answerHeaders(trail, generation.answers);
  const exchange = generation.stages.forward(first.value, { answer, ownHeaders, isStream: body.isStream });
  void pump(call, { exchange, first: first.value, ports }).catch((thrown: unknown) => {
    exchange.end(asFault(thrown, ports.bug));
  });
  const forwarded = await exchange.done;
  return forwarded.ok ? forwarded.value : refused(forwarded.why);
}

interface Pumping {
  readonly exchange: CallExchange;
  readonly first: Sendable;
  readonly ports: HandlePorts;
}

/** Passes the first message on, and every later one when it is decided. */
async function pump(call: IncomingCall, pumping: Pumping): Promise<void> {
  const { exchange, first } = pumping;
  let hasRoom = await exchange.send(first);
  while (hasRoom && call.body.isOpen) {
    const message = await call.messages.next();
    if (!message.ok) {
      exchange.end(message.why);
      return;
    }
    if (message.value === null) break;
    hasRoom = await passLater(call, pumping, message.value);
  }
  if (hasRoom) exchange.finish();
}

const spacesOf = ({ proof }: Sendable): SpaceSet | null =>
  (proof instanceof Receipt ? proof.admission.permit.target : proof.target)?.facts.spaces ?? null;

/** A later message is a request of its own: an id, a decision, a record, a token of the limits. @returns whether there is room for another */
async function passLater(call: IncomingCall, pumping: Pumping, message: Buffer): Promise<boolean> {
  const { exchange, ports } = pumping;
  const { clock } = ports;
  const generation = ports.generation();
  const { record } = generation.stages;
  const nowMs = clock.nowMs();
  const body = new LaterMessage(message);
  const own = { id: newDecisionId(nowMs), receivedAtMs: nowMs, startedMs: clock.monotonicMs(), place: freePlace, body };
  const trail = { ...newTrail({ ...call.raw, ...own }, generation), session: call.raw.id };
  const refused = async (why: Refusal | Fault): Promise<false> => {
    await record.refusal(trail, why);
    record.outcome(trail, refusedOutcome(why, { isOpen: !call.answer.isClosed, requestBytes: message.length }));
    exchange.end(why);
    return false;
  };
  try {
    const decided = await decide({ generation, trail, body, first: spacesOf(pumping.first) });
    if (!decided.ok) return await refused(decided.why);
    const went = await exchange.send(decided.value);
    record.outcome(trail, passed(message.length, went));
    return went;
  } catch (thrown) {
    return refused(asFault(thrown, ports.bug));
  }
}

const passed = (bytes: number, went: boolean): Outcome => ({
  status: went ? 200 : 0,
  endedBy: went ? 'completed' : 'client',
  notForwarded: went ? null : 'client.left',
  code: null,
  requestBytes: bytes,
  responseBytes: 0,
  upstreamMs: null,
});

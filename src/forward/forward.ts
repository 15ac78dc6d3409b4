import type { ServerResponse } from 'node:http';
import type { Clock } from '../base/clock.js';
import type { Refusal } from '../model/codes.js';
import { Observed, Receipt } from '../model/proofs.js';
import type { CleanRequest } from '../model/request.js';
import type { Outcome } from '../model/trail.js';
import { admittedHeaders, observedHeaders, type RequestHeaderRules } from './header-list.js';
import type { AnswerRules } from './answer.js';
import { Exchange } from './exchange.js';
import type { Upstream } from './upstream.js';

export type { IdentityHeaders, UpstreamCredential } from './header-list.js';
export { createUpstream, type Upstream } from './upstream.js';

export interface ForwardContext {
  /** Read per request: reload may replace it. */
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly request: RequestHeaderRules;
  readonly answer: AnswerRules;
  /** Longest silence within an answer, and within a stream, in ms. */
  readonly bodyTimeoutMs: number;
  readonly streamIdleTimeoutMs: number;
  /** Longest time of a whole exchange that is no stream, in ms. */
  readonly deadlineMs: number;
}

/** How forwarding ended, or the refusal when the credential did not hold any more at the first byte. */
export type Forwarded = { readonly ok: true; readonly value: Outcome } | { readonly ok: false; readonly why: Refusal };

export interface ForwardReply {
  readonly response: ServerResponse;
  /** Names and values that every answer carries. */
  readonly ownHeaders: readonly string[];
}

/**
 * Sends an admitted or observed request upstream and its answer back, streaming both ways with backpressure.
 * Takes nothing but a proof of the record room: a skipped step does not compile.
 *
 * @throws Fault `upstream.*` when nothing was answered yet
 */
export type Forward = (proof: Receipt | Observed, reply: ForwardReply) => Promise<Forwarded>;

export function createForward(context: ForwardContext): Forward {
  return (proof, reply) => {
    const isReceipt = proof instanceof Receipt;
    const target = isReceipt ? proof.admission.permit.target : proof.target;
    const request = isReceipt ? proof.admission.permit.target.request : proof.request;
    const headers = isReceipt ? admittedHeaders(proof, context.request) : observedHeaders(proof, context.request);
    const isStream = target?.facts.route.stream === 'sse';
    return new Exchange({
      context,
      reply,
      request,
      live: isReceipt ? proof.admission.permit.identity.live : () => null,
      send: {
        method: request.method,
        target: isReceipt ? proof.admission.permit.target.facts.forwardTarget : originalTarget(request),
        headers,
        body: target?.facts.body ?? streamed(request),
        bodyTimeoutMs: isStream ? context.streamIdleTimeoutMs : context.bodyTimeoutMs,
      },
      deadlineMs: isStream ? null : context.deadlineMs,
      answer: isReceipt ? context.answer : { ...context.answer, injectsCredential: false },
    }).run();
  };
}

const streamed = ({ body }: CleanRequest): ReturnType<CleanRequest['body']['stream']> | null =>
  body.framing === 'none' || body.length === 0 ? null : body.stream();

const originalTarget = ({ path, query }: CleanRequest): string =>
  query.length === 0 ? path : `${path}?${query.map(({ raw }) => raw).join('&')}`;

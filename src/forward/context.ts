import type { ServerResponse } from 'node:http';
import type { Clock } from '../base/clock.js';
import type { Refusal } from '../model/codes.js';
import type { Leases } from '../model/lease.js';
import type { Permit } from '../model/proofs.js';
import type { CleanRequest, Upgrade } from '../model/request.js';
import type { WebSocketFacts } from '../model/target.js';
import type { LiveCheck } from '../model/subject.js';
import type { Outcome } from '../model/trail.js';
import type { AnswerRules } from './answer.js';
import type { AnswerHolding } from './held-answer.js';
import type { RequestHeaderRules } from './header-list.js';
import type { Offer } from './switch-head.js';
import type { Upstream, UpstreamRequest } from './port.js';

export interface ForwardContext {
  /** Read per request: reload may replace it. */
  readonly upstream: Upstream;
  readonly clock: Clock;
  readonly leases: Leases;
  readonly tunnel: TunnelLimits;
  readonly request: RequestHeaderRules;
  readonly answer: AnswerRules;
  readonly holding: AnswerHolding;
  /** Longest silence within an answer, and within a stream, in ms. */
  readonly bodyTimeoutMs: number;
  readonly streamIdleTimeoutMs: number;
  /** Longest time of a whole exchange that is no stream, in ms. */
  readonly deadlineMs: number;
}

/** How forwarding ended, or the refusal: the credential did not hold any more at the first byte, or the body came too slowly behind it. */
export type Forwarded = { readonly ok: true; readonly value: Outcome } | { readonly ok: false; readonly why: Refusal };

export interface ForwardReply {
  readonly response: ServerResponse;
  /** Names and values that every answer carries. */
  readonly ownHeaders: readonly string[];
}

/** One request under way and its answer. */
export interface ExchangeFacts {
  readonly context: ForwardContext;
  readonly reply: ForwardReply;
  readonly request: CleanRequest;
  /** Null where the request was only observed. */
  readonly permit: Permit | null;
  readonly live: LiveCheck;
  readonly send: UpstreamRequest;
  /** Null for a stream. */
  readonly deadlineMs: number | null;
  readonly answer: AnswerRules;
}

/** Bytes that are held for decisions by all requests together. */
export interface HeldMessages {
  held: number;
  readonly max: number;
}

export interface TunnelLimits {
  readonly held: HeldMessages;
  /** Largest message that is held for a decision. */
  readonly messageMaxBytes: number;
  /** Longest wait for the first message, where it decides. */
  readonly firstMessageMs: number;
}

/** One WebSocket. */
export interface TunnelFacts extends Omit<ExchangeFacts, 'deadlineMs'> {
  readonly upgrade: Upgrade;
  readonly rules: WebSocketFacts;
  readonly offer: Offer;
}

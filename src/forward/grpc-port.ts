import type { ClientHttp2Stream } from 'node:http2';
import type { Fault, Refusal } from '../model/codes.js';
import type { Observed, Permit, Receipt } from '../model/proofs.js';
import type { CleanRequest } from '../model/request.js';
import type { AnswerRules } from './answer.js';
import type { ForwardContext, Forwarded } from './context.js';

/** What a call ends with, as header fields. */
export type CallTrailers = Readonly<Record<string, string>>;

/** Whoever must know how the caller takes the answer. */
export interface AnswerWatcher {
  drained(): void;
  /** @param isWhole the caller has got everything */
  closed(isWhole: boolean): void;
}

/** The caller's side of a call. */
export interface CallAnswer {
  readonly isClosed: boolean;
  watch(watcher: AnswerWatcher): void;
  /** @param headers names and values alternating */
  head(headers: readonly string[]): void;
  /** @returns false to pause until it is drained */
  data(chunk: Buffer): boolean;
  /** @param headers go first where there was no head */
  end(trailers: CallTrailers, headers?: readonly string[]): void;
}

export interface CallReply {
  readonly answer: CallAnswer;
  /** Names and values that every answer carries. */
  readonly ownHeaders: readonly string[];
  /** Either side may send several messages. */
  readonly isStream: boolean;
}

/** A message that may go on: admitted or observed, with its prefix. */
export interface Sendable {
  readonly proof: Receipt | Observed;
  readonly message: Buffer;
}

/** A call under way. */
export interface CallExchange {
  readonly done: Promise<Forwarded>;
  /** One more message. @returns when there is room for the next one; false when it did not go */
  send(one: Sendable): Promise<boolean>;
  /** The caller has said everything. */
  finish(): void;
  /** Breaks it off. */
  end(why: Refusal | Fault): void;
}

/** Takes nothing but proofs of the record room, for each message: a skipped step does not compile. */
export type ForwardCall = (first: Sendable, reply: CallReply) => CallExchange;

/** What a call is made of. */
export interface CallFacts {
  readonly context: Pick<ForwardContext, 'clock' | 'leases'>;
  readonly request: CleanRequest;
  /** Null where it was only observed. */
  readonly permit: Permit | null;
  /** Either side may send several messages: it holds its lease from the first moment on. */
  readonly isStream: boolean;
  readonly reply: CallReply;
  readonly answer: AnswerRules;
  /** Opens the call towards the memory server. */
  readonly open: () => ClientHttp2Stream;
  /** Longest time of the whole call; null for one without an end of its own. */
  readonly deadlineMs: number | null;
  /** Longest silence before the head of the answer, and within it. */
  readonly silenceMs: { readonly head: number; readonly body: number };
  /** Told once, when it is over. */
  readonly over: () => void;
}

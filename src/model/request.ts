import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { Result } from '../base/result.js';
import type { Refusal } from './codes.js';
import type { Place } from './place.js';

/** A body on its way in. Exactly one of `collect` and `stream` is used, once; the first use sends `100 Continue` where the client waits for it. */
export interface RequestBody {
  readonly framing: 'none' | 'length' | 'chunked';
  /** Declared bytes; null when chunked. */
  readonly length: number | null;
  /** The whole body, or 413 as soon as it is known to be over `maxBytes`, or 408 when it comes too slowly. */
  collect(maxBytes: number): Promise<Result<Buffer, Refusal>>;
  /** The bytes as they come, with backpressure; what `collect` has read stands before them. */
  stream(): Readable;
  /** True when the last byte has arrived. */
  readonly isComplete: boolean;
  /** Bytes that have arrived. */
  readonly received: number;
  /** Reads the rest away for a moment, so that closing the connection does not reset an answer under way; then resolves. */
  discard(): Promise<void>;
}

/** A client that asks for a WebSocket. */
export interface Upgrade {
  /** Its connection, for the frames behind a 101. */
  readonly socket: Socket;
  /** Bytes behind the head: it has to wait for the answer. */
  readonly surplusBytes: number;
}

/** What the listener hands over: nothing merged, nothing decoded. */
export interface RawRequest {
  /** Our id of the request and its decision. */
  readonly id: string;
  readonly receivedAtMs: number;
  readonly startedMs: number;
  readonly method: string;
  /** The request target as it was sent. */
  readonly target: string;
  /** `1.1`, as the parser read it. */
  readonly httpVersion: string;
  /** Names and values alternating, as they were sent. */
  readonly rawHeaders: readonly string[];
  /** Normal form of the socket's address. */
  readonly peerAddress: string;
  readonly body: RequestBody;
  readonly place: Place;
  readonly upgrade?: Upgrade | null;
}

export interface HeaderField {
  /** As it was sent. */
  readonly name: string;
  /** Lower case. */
  readonly key: string;
  /** Latin-1 text as it was sent. */
  readonly value: string;
}

/** One `name=value` piece of the query: as it was sent, and percent-decoded once for comparison. */
export interface QueryPair {
  readonly raw: string;
  readonly name: string;
  readonly value: string;
}

/** One canonical request: what is decided on is byte for byte what is forwarded. Made by the gate alone. */
export class CleanRequest {
  protected readonly proof = true;
  readonly id: string;
  readonly receivedAtMs: number;
  readonly startedMs: number;
  readonly method: string;
  /** Raw path, made only of allowed characters. */
  readonly path: string;
  /** Raw query pieces in the order they were sent; empty when there is no `?`. */
  readonly query: readonly QueryPair[];
  /** End-to-end headers only: hop-by-hop and nominated ones, framing, Host and Expect are gone. */
  readonly headers: readonly HeaderField[];
  /** Lower-cased, validated. */
  readonly host: string;
  /** Client address after the trusted proxies, in normal form. */
  readonly clientAddress: string;
  /** The client's own `X-Request-Id`, when it had an acceptable form. */
  readonly clientRequestId: string | null;
  readonly userAgent: string | null;
  readonly expectsContinue: boolean;
  readonly body: RequestBody;
  readonly place: Place;
  /** Null for a request of HTTP and nothing else. */
  readonly upgrade: Upgrade | null;

  private constructor(facts: CleanFacts) {
    this.id = facts.id;
    this.receivedAtMs = facts.receivedAtMs;
    this.startedMs = facts.startedMs;
    this.method = facts.method;
    this.path = facts.path;
    this.query = facts.query;
    this.headers = facts.headers;
    this.host = facts.host;
    this.clientAddress = facts.clientAddress;
    this.clientRequestId = facts.clientRequestId;
    this.userAgent = facts.userAgent;
    this.expectsContinue = facts.expectsContinue;
    this.body = facts.body;
    this.place = facts.place;
    this.upgrade = facts.upgrade ?? null;
  }

  /** For the gate. */
  static passed(facts: CleanFacts): CleanRequest {
    return new CleanRequest(facts);
  }

  /** A message on the connection that this request opened: decided like a request of its own, from the same caller. */
  message(own: Pick<CleanFacts, 'id' | 'receivedAtMs' | 'startedMs' | 'body'>): CleanRequest {
    const { method, path, query, headers, host, clientAddress, clientRequestId, userAgent, place, upgrade } = this;
    const caller = { method, path, query, headers, host, clientAddress, clientRequestId, userAgent, place, upgrade };
    return new CleanRequest({ ...caller, expectsContinue: false, ...own });
  }

  /** Value of the only header of that lower-case name; the gate has refused duplicates of every name that anything reads. */
  header(key: string): string | undefined {
    for (const field of this.headers) if (field.key === key) return field.value;
    return undefined;
  }
}

export type CleanFacts = Pick<
  CleanRequest,
  | 'id'
  | 'receivedAtMs'
  | 'startedMs'
  | 'method'
  | 'path'
  | 'query'
  | 'headers'
  | 'host'
  | 'clientAddress'
  | 'clientRequestId'
  | 'userAgent'
  | 'expectsContinue'
  | 'body'
  | 'place'
> &
  Partial<Pick<CleanRequest, 'upgrade'>>;

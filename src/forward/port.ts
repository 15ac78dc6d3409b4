import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import type { BodyFailure } from '../model/body-failure.js';
import type { Fault } from '../model/codes.js';

export interface UpstreamOptions {
  /** `http://HOST:PORT`. */
  readonly origin: string;
  readonly connections: number;
  /** Requests that may wait for a connection, those of one subject in turn with those of others. */
  readonly queue: number;
  /** Streams that may be open, in sum and for one subject. */
  readonly streamConnections: number;
  readonly streamsPerSubject: number;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
}

/** Each kind has connections of its own: neither open streams nor a full queue keep a probe or a short request waiting. */
export interface UpstreamUse {
  readonly kind: 'request' | 'stream' | 'probe';
  /** Whose it is: nobody may have all places. Null where nobody is known: then only the sum counts. */
  readonly subject: string | null;
}

export interface UpstreamRequest {
  readonly use: UpstreamUse;
  readonly method: string;
  readonly target: string;
  /** Names and values alternating. */
  readonly headers: string[];
  readonly body: Buffer | Readable | null;
  /** Longest silence within the answer, in ms. */
  readonly bodyTimeoutMs: number;
}

/** Who takes the answer. Everything but `begin` happens after the request was written. */
export interface UpstreamSink {
  /** Right before the first byte is sent; false sends nothing and ends the call without a word. */
  begin(): boolean;
  /** @param headers names and values alternating, Latin-1. A throw ends the call. */
  head(status: number, headers: readonly string[]): void;
  /** @returns false to pause until `resume` */
  data(chunk: Buffer): boolean;
  end(): void;
  /** @param why the client's own body, or whatever else broke */
  failed(why: Fault | BodyFailure): void;
}

/** A server that has agreed to a WebSocket. */
export interface Peer {
  /** Of its answer, names and values alternating. */
  readonly headers: readonly string[];
  readonly socket: Socket;
  /** What it has said already. */
  readonly surplus: Buffer;
}

/** Who takes the answer to the wish for a WebSocket; told of exactly one of the three last. */
export interface SwitchSink extends Pick<UpstreamSink, 'begin'> {
  switched(peer: Peer): void;
  /** It gave another answer. */
  declined(status: number): void;
  failed(why: Fault): void;
}

export interface UpstreamCall {
  abort(): void;
  resume(): void;
}

/** The upstream client, small enough to be swapped. */
export interface Upstream {
  /** @throws Fault `upstream.busy` at once where there is no room */
  send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall;
  /**
   * Asks for a WebSocket on a connection of its own, which has the place of a stream until `abort`.
   *
   * @throws Fault `upstream.busy` at once where there is no room
   */
  switch(request: UpstreamRequest, sink: SwitchSink): UpstreamCall;
  stats(): { readonly connected: number; readonly pending: number; readonly running: number };
  /** A reload has put another in its place: once idle it gives its connections back, and says so. It still takes a latecomer. */
  retire(spent: () => void): void;
  close(): Promise<void>;
}

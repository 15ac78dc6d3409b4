import type { Readable } from 'node:stream';
import type { Fault } from '../model/codes.js';

export interface UpstreamOptions {
  /** `http://HOST:PORT`. */
  readonly origin: string;
  readonly connections: number;
  /** Requests that may wait for a connection. */
  readonly queue: number;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
}

export interface UpstreamRequest {
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
  failed(fault: Fault): void;
}

export interface UpstreamCall {
  abort(): void;
  resume(): void;
}

/** The upstream client, small enough to be swapped. */
export interface Upstream {
  send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall;
  stats(): { readonly connected: number; readonly pending: number; readonly running: number };
  /** A reload has put another in its place: once idle it gives its connections back. */
  retire(): void;
  close(): Promise<void>;
}

import type { ReadRequest } from '../../wire/support/strict-reader.js';

/** What went wrong, and with which bytes. */
export interface Finding {
  /** Number of the request at the tee, as its answer tells the client; null when it concerns a whole connection. */
  readonly number: number | null;
  readonly what: readonly string[];
  /** As they came from the gateway. */
  readonly bytes: Buffer;
}

/** A request that all have read, for the comparison with what was decided. */
export interface Forwarded {
  readonly number: number;
  readonly request: ReadRequest;
}

/** Where a connection tells what it has seen. */
export interface TeeReport {
  nextNumber(): number;
  forwarded(forwarded: Forwarded): void;
  found(finding: Finding): void;
}

/** Names the number of a request in the answer. */
export const numberHeader = 'x-garden-request';

import type { Fault, Refusal } from './codes.js';
import type { Permit } from './proofs.js';
import type { CleanRequest } from './request.js';

/** The right of something that lasts to go on: a stream, a tunnel, a long upload or answer. */
export interface Lease {
  readonly request: CleanRequest;
  /** Null where the request was only observed: nobody has permitted it. */
  readonly permit: Permit | null;
  /** The right is lost. Told once; whoever holds the lease gives it back. */
  lost(why: Refusal | Fault): void;
}

/** Where leases are held and looked at again. */
export interface Leases {
  /** @returns gives it back, once however often it is called */
  take(lease: Lease): () => void;
}

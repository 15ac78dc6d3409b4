import type { Result } from '../base/result.js';
import type { Fault, Refusal } from './codes.js';
import type { Permit } from './proofs.js';
import type { CleanRequest } from './request.js';

/** The right of something that lasts to go on: a stream, a tunnel, a long upload or answer. */
export interface Lease {
  readonly request: CleanRequest;
  /** Null where the request was only observed: nobody has permitted it. */
  readonly permit: Permit | null;
  /** It is a gRPC call. */
  readonly isCall?: true;
  /** What the messages of a tunnel were let to, by spaces, and is asked again with the rest; null where one passed unjudged. */
  readonly entered?: Map<string, Permit | null>;
  /** The right is lost. Told once; whoever holds the lease gives it back. */
  lost(why: Refusal | Fault): void;
}

/** A whole text message of a client on a tunnel. */
export interface TunnelMessage {
  readonly text: Buffer;
  /** The first one has to name its space. */
  readonly isFirst: boolean;
}

/** A yes is on disk before it is given; the caller says whether the message then went on. */
export type MessageVerdict = Result<(wasForwarded: boolean) => void, Refusal | Fault>;

/** Where leases are held and looked at again. */
export interface Leases {
  /** @returns gives it back, once however often it is called */
  take(lease: Lease): () => void;
  /** A decision on a message, as of a request of its own, under the generation in force. */
  message(lease: Lease, message: TunnelMessage): Promise<MessageVerdict>;
}

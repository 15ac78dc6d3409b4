import type { ForwardCall } from '../forward/forward.js';
import type { Generation, Stages } from '../gateway/gateway.js';
import type { ResolveCall } from '../resolve/resolve.js';

/** The steps of a message. They are those of a request; only the message and the way on are different. */
export type CallStages = Omit<Stages, 'resolve' | 'forward'> & {
  readonly resolve: ResolveCall;
  readonly forward: ForwardCall;
};

/** What one message is judged under. */
export interface CallGeneration extends Omit<Generation, 'stages' | 'published'> {
  readonly stages: CallStages;
  readonly maxMessageBytes: number;
}

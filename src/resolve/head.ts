import type { Result } from '../base/result.js';
import type { Refusal } from '../model/codes.js';
import type { Target } from '../model/proofs.js';
import type { HeadFacts } from '../model/target.js';

/** What the head alone says. `preview` is null where the body must be read to know more. */
export interface Head {
  readonly preview: HeadFacts | null;
  /** Completing it asks the memory server: what the preview alone can refuse is refused before. */
  readonly asksFirst: boolean;
  /** Reads the body where the decision needs it. */
  complete(): Result<Target, Refusal> | Promise<Result<Target, Refusal>>;
}

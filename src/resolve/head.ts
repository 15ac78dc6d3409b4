import type { Result } from '../base/result.js';
import type { Refusal } from '../model/codes.js';
import type { Target } from '../model/proofs.js';
import type { HeadFacts, RouteFacts } from '../model/target.js';

/** What the head alone says. `preview` is null where the body must be read to know more. */
export interface Head {
  readonly preview: HeadFacts | null;
  /** Completing it asks the memory server: what the preview alone can refuse is refused before. */
  readonly asksFirst: boolean;
  /** What a request that was decided as `then` is by now; null where the profile has that no more. For what the preview does not tell. */
  routeNow(then: RouteFacts): RouteFacts | null;
  /** Reads the body where the decision needs it. */
  complete(): Result<Target, Refusal> | Promise<Result<Target, Refusal>>;
}

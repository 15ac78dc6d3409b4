import type { BuiltGeneration } from './build.js';
import { GenerationHolder } from './holder.js';
import type { Reloader, ReloaderContext } from './port.js';

export type { BuiltGeneration, LongLived } from './build.js';
export { buildGeneration } from './build.js';
export type { Difference } from './difference.js';
export { firstSources } from './first.js';
export { openObjectBook } from './objects.js';
export { readPolicy } from './policy.js';
export { loadCandidate, type Candidate, type CandidateSource } from './candidate.js';
export { openPromotions, type Promotions } from './promotion.js';
export type { Reloader, ReloaderContext, ReloadFacts, ReloadFailure, ReloadWish } from './port.js';
export { closeSources, readSources, type Sources, type SourceContext } from './sources.js';
export { watchSources } from './watching.js';

/** Holds the one reference to the generation in force. */
export function createReloader(first: BuiltGeneration, context: ReloaderContext): Promise<Reloader> {
  return GenerationHolder.of(first, context);
}

import { describeProblem, type Problem } from '../base/document.js';
import { ok, type Result } from '../base/result.js';
import type { BuiltGeneration } from './build.js';
import type { Reading } from './reading.js';
import { closeSources, readSources, type SourceContext, type Sources } from './sources.js';

export interface ReadServed {
  readonly sources: Sources;
  /** Why it is not the bundle that the server offers; empty where it is. */
  readonly declined: readonly Problem[];
}

interface Present {
  readonly current: BuiltGeneration;
  readonly told: (seen: Sources['seen']) => void;
}

/**
 * Reads what a reload is made of. A bundle server that offers what is refused must not keep a revoked key alive: what has changed
 * besides is then taken with the bundle in force.
 *
 * @returns the problems of the offered bundle where nothing else has changed, or where that does not work either
 */
export async function readServed(
  context: SourceContext,
  reading: Reading,
  { current, told }: Present,
): Promise<Result<ReadServed, readonly Problem[]>> {
  const read = await readSources(context, reading, told);
  if (read.ok) return ok({ sources: read.value, declined: [] });
  const inForce = bundleInForce(context, reading, current);
  const rest = inForce === null ? read : await readSources(context, { ...reading, served: inForce }, told);
  if (!rest.ok) return read;
  if (rest.value.hash === current.hash) {
    closeSources(rest.value);
    return read;
  }
  const kept = read.why.map((problem) => `${describeProblem(problem)}; the bundle in force stays`);
  const sources = { ...rest.value, warnings: [...rest.value.warnings, ...kept] };
  return ok({ sources, declined: read.why });
}

/** Null where the reload does not take what the server offers, or where that is in force. */
function bundleInForce({ server }: SourceContext, reading: Reading, { sources }: BuiltGeneration): Buffer | null {
  const offered = server?.latest() ?? null;
  const isTaken = reading.content === null && (reading.promotion ?? null) === null && sources.promotion === null;
  return offered === null || !isTaken || offered.equals(sources.content.bundle) ? null : sources.content.bundle;
}

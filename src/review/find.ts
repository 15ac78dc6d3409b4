import { findDecision, findRevision } from '../record/record.js';
import type { Recorded } from './explain.js';
import { textOf } from './facts.js';

export type { Recorded } from './explain.js';

/** A decision of a log by its id, with the revision of the policy that decided; null where the log does not hold it. */
export async function findRecorded(dir: string, id: string): Promise<Recorded | null> {
  const record = await findDecision(dir, id);
  if (record === null) return null;
  const generation = textOf(record['generation']);
  const atMs = Date.parse(textOf(record['time']) ?? '');
  return { record, revision: generation === null ? null : await findRevision(dir, generation, atMs) };
}

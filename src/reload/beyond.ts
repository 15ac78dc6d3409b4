import { fileProblem, type Problem } from '../base/problem.js';
import type { Difference } from './difference.js';
import type { Sources } from './sources.js';

/** What a change of keys alone would bring with it. */
export function beyondKeys(
  { configuration, profile, policy, data }: Difference,
  { loaded }: Sources,
): readonly Problem[] {
  const parts = [...data.added, ...data.removed, ...data.changed];
  const changed = [
    ...configuration.map((field) => `the field ${field} of the configuration`),
    ...(profile ? ['the profile'] : []),
    ...(policy === null ? [] : ['the policy']),
    ...parts.map((part) => `the policy data ${part}`),
  ];
  const message = 'has changed too: nothing was applied; `memgate reload` takes all of it over';
  return changed.map((what) => fileProblem(loaded.file, `${what} ${message}`));
}

/** What takes effect only after a restart. */
export const restartProblems = ({ needs_restart: fields }: Difference, after: Sources): readonly Problem[] =>
  fields.map((path) => ({
    file: after.loaded.file,
    line: 0,
    column: 0,
    path,
    message: 'needs a restart: nothing of this reload was applied',
  }));

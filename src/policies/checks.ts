import { join } from 'node:path';
import { hostileInputs } from '../authorize/authorize.js';
import { fileProblem } from '../base/problem.js';
import { compareBundle } from './bundle-check.js';
import { caseCheck } from './case-check.js';
import { itemsFrom, type Found } from './found.js';
import type { CheckName } from './report.js';
import { coverageCheck, testCheck } from './test-check.js';
import { placed, type Work } from './work.js';

/** A check, and those that must have passed before it can say anything of its own. */
interface Step {
  readonly after: readonly CheckName[];
  readonly run: (work: Work) => Promise<Found>;
}

const alive = ['check', 'entrypoint', 'hostile inputs'] as const;

export const steps: Readonly<Record<CheckName, Step>> = {
  format: { after: [], run: checkFormat },
  check: { after: [], run: checkSources },
  entrypoint: { after: ['check'], run: checkEntrypoint },
  'hostile inputs': { after: ['check', 'entrypoint'], run: checkHostile },
  tests: { after: ['check'], run: testCheck },
  coverage: { after: ['check', 'tests'], run: coverageCheck },
  // A policy that fails for most inputs would have the compiler started anew for each of them.
  'cases by the compiler': { after: alive, run: (work) => caseCheck(work, 'compiler') },
  'cases by WebAssembly': { after: alive, run: (work) => caseCheck(work, 'WebAssembly') },
  bundle: { after: ['check', 'entrypoint'], run: compareBundle },
};

async function checkFormat({ compiler, sources, layout }: Work): Promise<Found> {
  const formatted = await compiler.format(sources);
  if (!formatted.ok)
    return {
      items: itemsFrom(
        'format',
        formatted.why.map((each) => placed(layout, each)),
      ),
      note: '',
    };
  const items = [...sources.files.keys()]
    .filter((name) => name.endsWith('.rego'))
    .map((name) => {
      const file = join(layout.bundleDir, name);
      const problem = formatted.value.has(name) ? fileProblem(file, 'is not formatted: run memgate policy fmt') : null;
      return { name, problem };
    });
  return { items, note: `${items.length} files` };
}

async function checkSources({ compiler, sources, layout }: Work): Promise<Found> {
  const problems = await compiler.check(sources);
  return {
    items: itemsFrom(
      'strict, with capabilities',
      problems.map((each) => placed(layout, each)),
    ),
    note: '',
  };
}

async function checkEntrypoint({ bundle }: Work): Promise<Found> {
  const read = await bundle();
  return { items: itemsFrom('exactly one entrypoint', read.ok ? [] : read.why), note: '' };
}

async function checkHostile({ policy }: Work): Promise<Found> {
  const loaded = await policy();
  const note = loaded.ok ? `a whole decision for ${hostileInputs().length} inputs` : '';
  return { items: itemsFrom('a whole decision for every input', loaded.ok ? [] : loaded.why), note };
}

import { steps } from './checks.js';
import type { Found } from './found.js';
import { checkNames, type Check, type CheckName, type Report } from './report.js';
import { createWork, type Work, type WorkParts } from './work.js';

/** Makes the named checks in their order. One whose ground another has taken away is left out, so that each mistake is told once. */
export async function runChecks(
  names: readonly CheckName[],
  parts: WorkParts,
): Promise<{ report: Report; work: Work }> {
  const work = createWork(parts);
  const checks: Check[] = [];
  const found: Found[] = [];
  for (const name of checkNames.filter((each) => names.includes(each))) {
    const startMs = parts.clock.monotonicMs();
    const cause = steps[name].after.find((other) =>
      checks.some((check) => check.name === other && check.outcome !== 'passed'),
    );
    const one: Found =
      cause === undefined
        ? await steps[name].run(work)
        : { items: [], note: `"${cause}" comes first`, isLeftOut: true };
    found.push(one);
    checks.push({
      name,
      outcome: outcomeOf(one),
      note: one.note,
      items: one.items,
      ms: parts.clock.monotonicMs() - startMs,
    });
  }
  const { kind, version } = parts.compiler;
  const report = {
    ok: checks.every(({ outcome }) => outcome !== 'failed'),
    revision: parts.sources.revision,
    compiler: `${kind} opa ${version}`,
    checks,
    coverage: found.find(({ coverage }) => coverage !== undefined)?.coverage ?? null,
    differences: found.flatMap(({ differences = [] }) => differences),
  };
  return { report, work };
}

const outcomeOf = ({ items, isLeftOut = false }: Found): Check['outcome'] =>
  isLeftOut ? 'left out' : items.some(({ problem }) => problem !== null) ? 'failed' : 'passed';

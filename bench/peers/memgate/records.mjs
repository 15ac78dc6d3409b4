// What memgate recorded of its decisions, and the same decisions by the other engine.
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Records with a decision of the policy; requests that were refused before have none. */
export const recordedDecisions = (auditDir) =>
  readdirSync(auditDir)
    .filter((name) => name.endsWith('.jsonl'))
    .flatMap((name) => readFileSync(join(auditDir, name), 'utf8').trim().split('\n'))
    .map((line) => JSON.parse(line))
    .filter(
      ({ type, decision }) =>
        /^authorization[.](?:allowed|denied)$/.test(type) && decision !== undefined && decision !== null,
    );

const textOf = ({ allow, reasons, missing, tier, limits }) =>
  JSON.stringify([allow, [...reasons].sort(), [...missing].sort(), tier, limits]);

/** Decides on each recorded input with `opa eval`. Gives how many there were, and how many decisions differ from the recorded ones. */
export function evaluatedAgain(records, { opa, sources }) {
  const query = '[decision | some each in input.inputs; decision := data.memgate.authz.decision with input as each]';
  const decisions = JSON.parse(
    execFileSync(opa, ['eval', ...sources.flatMap((path) => ['-d', path]), '-I', '--format', 'raw', query], {
      encoding: 'utf8',
      maxBuffer: 1 << 28,
      input: JSON.stringify({ inputs: records.map(({ input }) => input) }),
    }),
  );
  // The data directory of the comparison takes the limits away, which these sources alone still have.
  const withoutLimits = (decision) => textOf({ ...decision, limits: [] });
  const differing = records.filter(
    ({ decision }, index) => withoutLimits(decision) !== withoutLimits(decisions[index]),
  ).length;
  return { count: records.length, differing };
}

import { visible } from '../base/encoding.js';
import type { ExplainedReason, Explanation, Trace } from '../review/review.js';
import { facts, table } from './print.js';

const listed = (value: unknown): string => (Array.isArray(value) ? value.map(String).join(', ') : '');

const memberOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : undefined;

function spacesText(spaces: unknown): string | null {
  if (memberOf(spaces, 'all') === true) return '* (all)';
  return listed(memberOf(spaces, 'ids')) || null;
}

function subjectText(subject: unknown): string | null {
  const [kind, id, owner] = ['kind', 'id', 'owner'].map((name) => memberOf(subject, name));
  if (typeof kind !== 'string' || typeof id !== 'string') return null;
  return `${kind} ${id}${typeof owner === 'string' ? ` of ${owner}` : ''}`;
}

function policyText({ policy, generation, revision }: Explanation): string | null {
  const when = generation === null ? '' : `; generation ${generation}`;
  if (policy === null) return revision === null ? null : `revision ${revision} decided${when}`;
  return `revision ${policy.revision} (${decidedText(policy, revision)}${when})`;
}

function decidedText(policy: NonNullable<Explanation['policy']>, revision: string | null): string {
  if (policy.decided === true) return 'it decided';
  if (revision !== null)
    return revision === policy.revision
      ? 'a generation with the same revision decided'
      : `revision ${revision} decided`;
  return policy.decided === null ? 'whether it decided is not known' : 'another generation decided';
}

function tierText({ tier, limit }: Explanation): string | null {
  if (tier === null) return null;
  const [id, remaining] = [memberOf(limit, 'id'), memberOf(limit, 'remaining')];
  const left = typeof id === 'string' ? `; limit ${id} had ${JSON.stringify(remaining)} left` : '';
  return `${tier.name}, from ${tier.from}${left}`;
}

function resultText({ effect, code, meaning, detail }: Explanation): string {
  if (code === null) return effect;
  return `${effect}: ${code}${meaning === null ? '' : ` (${meaning})`}${detail === null ? '' : `; ${detail}`}`;
}

const indented = (text: string, by: string): string =>
  text
    .split('\n')
    .map((line) => `${by}${visible(line.replaceAll('\t', '  '))}\n`)
    .join('');

function reasonText({ code, because, rules, entries, needs }: ExplainedReason): string {
  const parts = [`${code}\n`];
  if (because !== null) parts.push(`  because  ${visible(because)}\n`);
  for (const { file, rule, text } of rules)
    parts.push(`  rule     ${rule} in ${file}\n`, indented(text, '             '));
  for (const [path, value] of Object.entries(entries))
    parts.push(`  data     ${visible(`${path} = ${value === null ? 'nothing' : JSON.stringify(value)}`)}\n`);
  for (const [index, need] of needs.entries())
    parts.push(`  ${index === 0 ? 'needs    ' : 'or       '}${visible(need)}\n`);
  return parts.join('');
}

/** A decision in words: what it was, which rules said so, and what would change it. */
export function showExplanation(explanation: Explanation): string {
  const { id, time, subject, method, route, action, permission, spaces, reasons, granted, missing, notes } =
    explanation;
  const asked = [method, route].filter((part) => part !== null).join(' ');
  const right = permission === null ? null : `${permission} (${action ?? ''})`;
  const head = facts([
    ['decision', id === '' ? null : id],
    ['time', time],
    ['result', resultText(explanation)],
    ['who', subjectText(subject)],
    ['asked for', asked === '' ? null : asked],
    ['permission', right],
    ['spaces', spacesText(spaces)],
    ['tier', tierText(explanation)],
    ['policy', policyText(explanation)],
    ...granted.map((text, index): readonly [string, string] => [index === 0 ? 'granted by' : '', text]),
    ...missing.map(({ permission: name, roles }): readonly [string, string] => [
      'missing',
      roles.length === 0 ? name : `${name} (roles that have it: ${roles.join(', ')})`,
    ]),
    ...notes.map((note): readonly [string, string] => ['note', note]),
  ]);
  return [head, ...reasons.map(reasonText)].join('\n');
}

/** The steps of the second evaluator, in their order. */
export const showTrace = ({ value, steps }: Trace): string =>
  `\ntrace by the compiler's own evaluator: ${visible(value === undefined ? 'undefined' : JSON.stringify(value))}\n` +
  table(
    ['STEP', 'TIMES', 'PLACE', 'RULE OR EXPRESSION'],
    steps.map(({ step, times, file, row, rule, text }) => [step, times, `${file}:${String(row)}`, rule || text.trim()]),
  );

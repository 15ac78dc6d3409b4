import { visible } from '../base/encoding.js';
import type { FieldChange, KeyChange, KeyRights, LintFinding } from '../manifests/manifests.js';
import type { ReportFormat } from './format.js';
import type { Plan } from './keys-plan.js';
import { code, markdownRows } from './markdown.js';
import { jsonLine, table } from './print.js';

const kinds = ['added', 'removed', 'revoked', 'restored', 'changed'] as const;

/** How many keys differ, by kind, and how many can do more than before. */
export function counted(changes: readonly KeyChange[]): Readonly<Record<string, number>> {
  const of = (kind: KeyChange['change']): number => changes.filter(({ change }) => change === kind).length;
  const widened = changes.filter(({ widens }) => widens).length;
  return { ...Object.fromEntries(kinds.map((kind) => [kind, of(kind)])), widened };
}

const keys = (count: number): string => (count === 1 ? '1 key' : `${String(count)} keys`);

function summary(changes: readonly KeyChange[]): string {
  if (changes.length === 0) return 'no key differs';
  const { widened = 0, ...rest } = counted(changes);
  const parts = Object.entries(rest).flatMap(([kind, count]) => (count === 0 ? [] : [`${String(count)} ${kind}`]));
  return `${parts.join(', ')}${widened === 0 ? '' : `; ${keys(widened)} can do more than before`}`;
}

/** One thing to say of a change: the words, and whether they mean more rights. */
interface Said {
  readonly what: string;
  readonly widens: boolean;
}

const listed = (names: readonly string[]): string => names.join(', ');

function saidOf({ field, before, after, widens }: FieldChange): Said {
  if (typeof before === 'object' && typeof after === 'object' && before !== null && after !== null) {
    const plus = after.filter((name) => !before.includes(name)).map((name) => `+${name}`);
    const minus = before.filter((name) => !after.includes(name)).map((name) => `-${name}`);
    return { what: `${field} ${[...plus, ...minus].join(' ')}`, widens };
  }
  const shown = (value: FieldChange['before']): string =>
    value === null ? 'none' : typeof value === 'string' ? value : listed(value);
  return { what: `${field} ${shown(before)} → ${shown(after)}`, widens };
}

function rightsText({
  owner,
  spaces,
  permissions,
  roles,
  tier,
  not_before: from,
  expires_at: until,
}: KeyRights): string {
  return [
    `spaces ${listed(spaces)}`,
    ...(permissions.length === 0 ? [] : [`permissions ${listed(permissions)}`]),
    ...(roles.length === 0 ? [] : [`roles ${listed(roles)}`]),
    ...(tier === null ? [] : [`tier ${tier}`]),
    ...(owner === null ? [] : [`owner ${owner}`]),
    ...(from === null ? [] : [`from ${from}`]),
    until === null ? 'without end' : `until ${until}`,
  ].join('; ');
}

const saidAll = ({ change, rights, fields }: KeyChange): readonly Said[] =>
  change === 'added' || change === 'removed' ? [{ what: rightsText(rights), widens: false }] : fields.map(saidOf);

/** What differs, what ends soon, and what else there is to know. */
export function showPlan(plan: Plan, format: ReportFormat): string {
  if (format === 'json') return jsonLine({ ...plan, summary: counted(plan.changes) });
  return format === 'markdown' ? planMarkdown(plan) : planTable(plan);
}

function planTable({ before, after, changes, expiring, expiring_within_days: days, notes }: Plan): string {
  const rows = changes.flatMap((change) =>
    saidAll(change).map(({ what, widens }, index) => {
      const { id, name, file } = change;
      const first = index === 0 ? [change.change, id, name, file] : ['', '', '', ''];
      return [...first, `${what}${widens ? '  (MORE)' : ''}`];
    }),
  );
  const parts = [`${visible(`${before} → ${after}`)}: ${summary(changes)}\n`];
  if (rows.length > 0) parts.push(table(['CHANGE', 'ID', 'NAME', 'FILE', 'WHAT'], rows));
  if (expiring.length > 0)
    parts.push(
      `${keys(expiring.length)} within ${String(days)} days of the end:\n`,
      table(
        ['ID', 'NAME', 'OWNER', 'ENDS', 'BECAUSE OF'],
        expiring.map(({ id, name, owner, ends_at: at, because }) => [id, name, owner, at, because]),
      ),
    );
  if (notes.length > 0) parts.push(notes.map((note) => `${visible(note)}\n`).join(''));
  return parts.join('\n');
}

function planMarkdown({ before, after, changes, expiring, expiring_within_days: days, notes }: Plan): string {
  const said = (change: KeyChange): string =>
    saidAll(change)
      .map(({ what, widens }) => `${code(what)}${widens ? ' **more**' : ''}`)
      .join('<br>');
  const parts = [`### Keys: ${code(before)} → ${code(after)}\n`, `${summary(changes)}\n`];
  if (changes.length > 0)
    parts.push(
      markdownRows(
        ['change', 'id', 'name', 'file', 'what'],
        changes.map((change) => [
          change.change,
          code(change.id),
          code(change.name),
          code(change.file ?? ''),
          said(change),
        ]),
      ),
    );
  if (expiring.length > 0)
    parts.push(
      `${keys(expiring.length)} within ${String(days)} days of the end:\n`,
      markdownRows(
        ['id', 'name', 'owner', 'ends', 'because of'],
        expiring.map(({ id, name, owner, ends_at: at, because }) => [
          code(id),
          code(name),
          code(owner ?? ''),
          code(at),
          because,
        ]),
      ),
    );
  if (notes.length > 0) parts.push(notes.map((note) => `- ${code(note)}\n`).join(''));
  return parts.join('\n');
}

/** Manifests that would not load. */
export function showUnread(problems: readonly string[], format: ReportFormat): string {
  if (format === 'json') return jsonLine({ problems });
  const head = 'these manifests would not load';
  return format === 'markdown'
    ? `### Keys: ${head}\n\n${problems.map((one) => `- ${code(one)}\n`).join('')}`
    : `${head}:\n${problems.map((one) => `${visible(one)}\n`).join('')}`;
}

export interface LintReport {
  readonly errors: number;
  readonly warnings: number;
  readonly findings: readonly LintFinding[];
  readonly notes: readonly string[];
}

export function showLint(report: LintReport, format: ReportFormat): string {
  if (format === 'json') return jsonLine(report);
  const { errors, warnings, findings, notes } = report;
  const count = `${String(errors)} errors, ${String(warnings)} warnings`;
  const at = ({ file, line }: LintFinding): string => (line === 0 ? file : `${file}:${String(line)}`);
  if (format === 'markdown') {
    const rows = findings.map((one) => [
      one.level,
      code(one.code),
      code(at(one)),
      code(one.id ?? ''),
      code(one.name ?? ''),
      code(one.message),
    ]);
    const found = rows.length === 0 ? [] : [markdownRows(['level', 'code', 'place', 'id', 'name', 'what'], rows)];
    const noted = notes.length === 0 ? [] : [notes.map((note) => `- ${code(note)}\n`).join('')];
    return [`### Keys: ${count}\n`, ...found, ...noted].join('\n');
  }
  const lines = findings.map((one) => {
    const key = one.id === null ? '' : `key ${one.id} (${one.name ?? ''}) `;
    return `${visible(`${at(one)}: ${one.level} ${one.code}: ${key}${one.message}`)}\n`;
  });
  return [...lines, ...notes.map((note) => `${visible(note)}\n`), `${count}\n`].join('');
}

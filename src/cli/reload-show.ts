import { visible } from '../base/encoding.js';
import type { JsonValue } from '../model/audit.js';
import { linesOf, listOf, partOf, textOf, type Part, type Row } from './answer-parts.js';
import { facts } from './print.js';

/** What a reload has changed or would change, or every problem that kept everything as it is. */
export function showReload(answer: JsonValue): { readonly text: string; readonly isDone: boolean } {
  const { generation, problems, difference, reloaded, dry_run: dryRun } = partOf(answer);
  const isDone = reloaded === true || dryRun === true;
  const changes = partOf(difference);
  if (isDone) return { text: `${headline(changes, dryRun === true)}${changeLines(generation, changes)}`, isDone };
  const kept = `nothing was changed; generation ${visible(String(textOf(generation)))} stays in force\n`;
  const wouldBe = difference === undefined ? '' : changeLines(generation, changes);
  return { text: `${kept}${linesOf(listOf(problems))}${wouldBe}`, isDone };
}

function headline({ changed }: Part, isDryRun: boolean): string {
  if (isDryRun)
    return changed === true ? 'a reload would change this; nothing was changed\n' : 'a reload would change nothing\n';
  return changed === true ? 'reloaded\n' : 'reloaded; nothing has changed\n';
}

function changeLines(generation: JsonValue | undefined, changes: Part): string {
  const rows: readonly Row[] = [
    ['generation', textOf(changes['dry_run'] === true ? changes['after'] : generation)],
    ['before', textOf(changes['before'])],
    ['configuration', namesOf(changes['configuration'])],
    ['needs a restart', namesOf(changes['needs_restart'])],
    ['profile', changes['profile'] === true ? 'changed' : null],
    ...changedNames('routes', changes['routes']),
    ['policy', policyText(partOf(changes['policy']))],
    ...changedNames('data', changes['data']),
    ['tiers', changes['tiers'] === true ? 'changed' : null],
    ...['added', 'removed', 'changed'].map((how): Row => [`keys ${how}`, namesOf(partOf(changes['keys'])[how])]),
    ...listOf(changes['key_changes']).map(partOf).map(keyRow),
  ];
  return `${facts(rows)}${listed('keys left out', changes['refused_keys'])}${listed('warnings', changes['warnings'])}`;
}

function listed(title: string, values: JsonValue | undefined): string {
  const lines = listOf(values);
  return lines.length === 0 ? '' : `${title}:\n${linesOf(lines, '  ')}`;
}

function policyText({ before, after, serial_before: from, serial_after: to }: Part): string | null {
  if (after === undefined) return null;
  const serial = (value: JsonValue | undefined): string =>
    typeof value === 'number' ? ` (serial ${String(value)})` : '';
  if (before === after && from === to) return `data changed, revision ${String(textOf(after))}${serial(to)}`;
  return `${String(textOf(before))}${serial(from)} → ${String(textOf(after))}${serial(to)}`;
}

/** Only what there is: most reloads touch one of these. */
const changedNames = (what: string, changes: JsonValue | undefined): readonly Row[] =>
  Object.entries(partOf(changes)).flatMap(([how, names]): readonly Row[] => {
    const text = namesOf(names);
    return text === null ? [] : [[`${what} ${how}`, text]];
  });

function keyRow({ id, fields, gained, lost }: Part): Row {
  const rights = [
    ...listOf(gained).map((name) => `+${String(textOf(name))}`),
    ...listOf(lost).map((name) => `-${String(textOf(name))}`),
  ];
  return [`  ${String(textOf(id))}`, [...rights, ...(rights.length === 0 ? [namesOf(fields) ?? ''] : [])].join(' ')];
}

const namesOf = (value: JsonValue | undefined): string | null => listOf(value).map(textOf).join(', ') || null;

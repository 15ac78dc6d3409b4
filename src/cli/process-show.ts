import { visible } from '../base/encoding.js';
import type { JsonValue } from '../model/audit.js';
import { facts, table } from './print.js';

type Part = Readonly<Record<string, JsonValue>>;
type Row = readonly [name: string, value: string | number | null];

// The process that answers may be of another version: what it leaves out is left out here.
const partOf = (value: JsonValue | undefined): Part =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Part) : {};
const listOf = (value: JsonValue | undefined): readonly JsonValue[] =>
  Array.isArray(value) ? (value as readonly JsonValue[]) : [];
const textOf = (value: JsonValue | undefined): string | number | null => {
  if (value === undefined || value === null) return null;
  return typeof value === 'string' || typeof value === 'number' ? value : JSON.stringify(value);
};
const linesOf = (values: readonly JsonValue[], indent = ''): string =>
  values.map((value) => `${indent}${visible(String(textOf(value)))}\n`).join('');

/** What a running process is and how it does, for people. */
export function showStatus(answer: JsonValue): string {
  const status = partOf(answer);
  const [generation, audit, resources] = ['generation', 'audit', 'resources'].map((name) => partOf(status[name]));
  const states = Object.entries(partOf(status['components'])).map(([name, state]) => {
    const { ready, reason } = partOf(state);
    return [name, ready === true ? 'ready' : 'NOT READY', textOf(reason)];
  });
  const rows: readonly Row[] = [
    ['version', textOf(status['version'])],
    ['up for', `${String(textOf(status['uptime_seconds']))} s`],
    ['generation', textOf(generation?.['hash'])],
    ['in force for', `${String(textOf(generation?.['age_seconds']))} s`],
    ['enforcement', textOf(generation?.['enforcement'])],
    ['profile', textOf(generation?.['profile'])],
    ['policy revision', textOf(generation?.['policy_revision'])],
    ['side doors', listOf(generation?.['side_doors']).map(textOf).join(', ') || null],
    ['around memgate', aroundText(partOf(status['side_doors']))],
    ['keys', textOf(status['keys'])],
    ['audit log', `record ${String(textOf(audit?.['last_sequence']))}, ${mebibytes(audit?.['bytes'])} MiB`],
    ['audit queue', textOf(audit?.['queued'])],
    ['audit file system', textOf(audit?.['file_system'])],
    ['memory', `${mebibytes(resources?.['rss_bytes'])} MiB`],
    ['node', textOf(resources?.['node'])],
  ];
  return `${facts(rows)}${failureLines(status['last_reload_failure'])}\n${table(['COMPONENT', 'STATE', 'REASON'], states)}`;
}

/** What can be reached without a key, or why nobody looked. */
function aroundText({ looked_at: at, skipped, addresses, open, accepted }: Part): string | null {
  if (at === undefined) return null;
  if (at === null) return 'not looked at yet';
  if (skipped !== null && skipped !== undefined) return `not looked at: ${String(textOf(skipped))}`;
  const found = listOf(open).map(textOf).join(', ');
  const known = listOf(accepted).map(textOf).join(', ');
  const said = found === '' ? `nothing open at ${String(textOf(addresses))} addresses` : `OPEN: ${found}`;
  return known === '' ? said : `${said}; accepted: ${known}`;
}

const mebibytes = (bytes: JsonValue | undefined): string =>
  typeof bytes === 'number' ? (bytes / 1_048_576).toFixed(1) : '-';

function failureLines(failure: JsonValue | undefined): string {
  const { at, problems } = partOf(failure);
  return at === undefined
    ? facts([['last failed reload', null]])
    : `${facts([['last failed reload', textOf(at)]])}${linesOf(listOf(problems), '  ')}`;
}

export const isReloaded = (answer: JsonValue): boolean => partOf(answer)['reloaded'] === true;

/** What a reload has changed, or every problem that kept everything as it is. */
export function showReload(answer: JsonValue): string {
  const { generation, problems, difference } = partOf(answer);
  if (!isReloaded(answer))
    return `nothing was changed; generation ${visible(String(textOf(generation)))} stays in force\n${linesOf(listOf(problems))}`;
  const changes = partOf(difference);
  const policy = partOf(changes['policy']);
  const keys = Object.entries(partOf(changes['keys'])).map(([how, ids]): Row => [`keys ${how}`, namesOf(ids)]);
  const rows: readonly Row[] = [
    ['generation', textOf(generation)],
    ['before', textOf(changes['before'])],
    ['configuration', namesOf(changes['configuration'])],
    ['profile', changes['profile'] === true ? 'changed' : null],
    [
      'policy',
      policy['after'] === undefined
        ? null
        : policy['before'] === policy['after']
          ? `data changed, revision ${String(textOf(policy['after']))}`
          : `${String(textOf(policy['before']))} → ${String(textOf(policy['after']))}`,
    ],
    ['tiers', changes['tiers'] === true ? 'changed' : null],
    ...keys,
  ];
  const said = changes['changed'] === true ? 'reloaded\n' : 'reloaded; nothing has changed\n';
  const refused = listOf(changes['refused_keys']);
  return `${said}${facts(rows)}${refused.length === 0 ? '' : `keys left out:\n${linesOf(refused, '  ')}`}`;
}

const namesOf = (value: JsonValue | undefined): string | null => listOf(value).map(textOf).join(', ') || null;

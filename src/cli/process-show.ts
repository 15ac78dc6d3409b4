import type { JsonValue } from '../model/audit.js';
import { linesOf, listOf, partOf, textOf, type Part, type Row } from './answer-parts.js';
import { facts, table } from './print.js';

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
    ['policy serial', textOf(generation?.['policy_serial'])],
    ['candidate', candidateText(partOf(status['candidate']))],
    ['promoted', promotedText(partOf(status['promoted']))],
    ['rolled back', rolledBackText(partOf(generation?.['rolled_back']))],
    ['source', sourceText(partOf(status['source']))],
    ['kept', keptText(listOf(status['kept_generations']))],
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

const candidateText = ({
  revision,
  compared,
  would_allow: allows,
  would_deny: denies,
  failed,
  stopped,
}: Part): string | null => {
  if (revision === undefined) return null;
  const name = `revision ${String(textOf(revision))}`;
  if (compared === undefined) return `${name}, which is in force`;
  const [more, less, none] = [allows, denies, failed].map((count) => String(textOf(count)));
  const told = `${name}: of ${String(textOf(compared))} it would allow ${more ?? ''} and deny ${less ?? ''} more, failed ${none ?? ''}`;
  return stopped === null ? told : `${told}; asked no more: ${String(textOf(stopped))}`;
};

const promotedText = ({ revision, at, by }: Part): string | null =>
  revision === undefined
    ? null
    : `revision ${String(textOf(revision))} at ${String(textOf(at))} by ${String(textOf(by))}`;

const rolledBackText = ({ to, from, at, by }: Part): string | null =>
  to === undefined
    ? null
    : `YES: to ${String(textOf(to))} from ${String(textOf(from))}, at ${String(textOf(at))} by ${String(textOf(by))}; memgate reload ends it`;

function sourceText({ kind, bundle_from: from, looked_seconds_ago: ago, problem }: Part): string | null {
  if (kind === undefined) return null;
  const looked = ago === null || ago === undefined ? 'has not answered yet' : `looked at ${String(textOf(ago))} s ago`;
  const parts = [String(textOf(kind)), looked];
  if (from !== undefined) parts.push(`bundle from ${String(textOf(from))}`);
  if (problem !== null && problem !== undefined) parts.push(`PROBLEM: ${String(textOf(problem))}`);
  return parts.join(', ');
}

const keptText = (kept: readonly JsonValue[]): string | null =>
  kept
    .map(partOf)
    .map(({ hash, at }) => `${String(textOf(hash)).slice(0, 12)} (${String(textOf(at))})`)
    .join(', ') || null;

const mebibytes = (bytes: JsonValue | undefined): string =>
  typeof bytes === 'number' ? (bytes / 1_048_576).toFixed(1) : '-';

function failureLines(failure: JsonValue | undefined): string {
  const { at, problems, needs_restart: restart } = partOf(failure);
  if (at === undefined) return facts([['last failed reload', null]]);
  const needs = listOf(restart).map(textOf).join(', ');
  const rows: readonly Row[] = [
    ['last failed reload', textOf(at)],
    ...(needs === '' ? [] : [['needs a restart', needs] as const]),
  ];
  return `${facts(rows)}${linesOf(listOf(problems), '  ')}`;
}

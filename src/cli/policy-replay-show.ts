import type { ReplayChange, ReplayReport } from '../review/review.js';
import { markdownTable } from './markdown.js';
import { facts, jsonLine, table } from './print.js';

export type ReplayFormat = 'text' | 'markdown' | 'json';

/** What each kind of difference means, in the words of reports. */
export const kindWords = {
  would_deny: 'allowed then, denied now',
  would_allow: 'denied then, allowed now',
  other_reasons: 'denied both times, for other reasons',
  other_limits: 'another tier or other limits',
  other_audit: 'recorded at another level',
  fails: 'fails now',
  failed: 'failed then',
} as const;

const head = ['KIND', 'COUNT', 'ROUTE', 'SUBJECT', 'SPACES', 'THEN', 'NOW', 'FIRST'];

const answerText = ({ effect, reasons, missing, tier }: ReplayChange['before'], kind: ReplayChange['kind']): string => {
  const why = [...reasons, ...missing.map((each) => `needs ${each}`)];
  const more = kind === 'other_limits' && tier !== null ? [`tier ${tier}`] : why;
  return more.length === 0 ? effect : `${effect} (${more.join(', ')})`;
};

const rowOf = (change: ReplayChange): readonly (string | number | null)[] => [
  change.kind,
  change.count,
  change.route,
  change.subject,
  change.spaces.join(', ') || null,
  answerText(change.before, change.kind),
  answerText(change.after, change.kind),
  change.first,
];

const countRows = (report: ReplayReport): readonly (readonly [string, string | number | null])[] => [
  ['revision', report.revision],
  ['records', `${String(report.log.records)} in ${String(report.log.segments)} segments`],
  ['from', report.log.from],
  ['to', report.log.to],
  ['asked again', report.replayed],
  ['same answer', report.same],
  ...Object.entries(report.by_kind)
    .filter(([, count]) => count > 0)
    .map(([kind, count]): readonly [string, number] => [kindWords[kind as keyof typeof kindWords], count]),
  ...Object.entries(report.skipped).map(([why, count]): readonly [string, number] => [`left out: ${why}`, count]),
  ...(report.log.damaged === 0 ? [] : [['lines that are no intact records', report.log.damaged] as const]),
  ...(report.changes_more === 0 ? [] : [['differences not listed', report.changes_more] as const]),
];

/** What another policy would have decided otherwise. */
export function showReplay(report: ReplayReport, format: ReplayFormat): string {
  if (format === 'json') return jsonLine(report);
  const rows = report.changes.map(rowOf);
  if (format === 'markdown') {
    const title = `## Replay of ${String(report.replayed)} decisions: ${verdict(report)}\n\n`;
    return (
      title + markdownTable(['', ''], countRows(report)) + (rows.length === 0 ? '' : `\n${markdownTable(head, rows)}`)
    );
  }
  return `${verdict(report)}\n${facts(countRows(report))}${rows.length === 0 ? '' : `\n${table(head, rows)}`}`;
}

const verdict = ({ replayed, same }: ReplayReport): string =>
  replayed === same ? 'no difference' : `${String(replayed - same)} of ${String(replayed)} decisions differ`;

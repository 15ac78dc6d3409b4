import { visible } from '../base/encoding.js';
import type { Matrix, MatrixCell } from '../review/review.js';
import { code, markdownTable } from './markdown.js';
import { jsonLine, table } from './print.js';

export type MatrixFormat = 'table' | 'markdown' | 'html' | 'json';

/** More columns than a screen takes: then every caller is a row. */
const columnsMax = 8;

/** One cell in words: the spaces in which it is allowed, where there is more than one to tell apart. */
function cellText(cells: readonly MatrixCell[]): string {
  const allowed = cells.filter(({ allow }) => allow);
  if (allowed.length === 0) return '-';
  if (cells.length === 1) return 'yes';
  if (allowed.some(({ space }) => space === '*')) return '*';
  return allowed.map(({ space }) => space ?? '').join(', ');
}

interface Grid {
  readonly head: readonly string[];
  readonly rows: readonly (readonly string[])[];
}

function gridOf({ callers, actions, cells }: Matrix): Grid {
  const places = new Map<string, MatrixCell[]>();
  for (const cell of cells) {
    const name = JSON.stringify([cell.caller, cell.action]);
    places.set(name, [...(places.get(name) ?? []), cell]);
  }
  const text = (caller: string, action: string): string => cellText(places.get(JSON.stringify([caller, action])) ?? []);
  if (callers.length > columnsMax)
    return {
      head: ['', ...actions],
      rows: callers.map((each) => [each, ...actions.map((action) => text(each, action))]),
    };
  return {
    head: ['', ...callers],
    rows: actions.map((each) => [each, ...callers.map((caller) => text(caller, each))]),
  };
}

export function showMatrix(matrix: Matrix, format: MatrixFormat): string {
  if (format === 'json') return jsonLine(matrix);
  const { head, rows } = gridOf(matrix);
  const about = `policy ${matrix.revision}; spaces asked about: ${matrix.spaces.join(', ')}`;
  if (format === 'table') return `${visible(about)}\n\n${table(head, rows)}`;
  return format === 'markdown' ? `${code(about)}\n\n${markdownTable(head, rows)}` : html(about, { head, rows });
}

const escapes: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const escaped = (text: string): string => visible(text).replace(/[&<>"]/g, (character) => escapes[character] ?? '');

/** A page by itself, without scripts. */
function html(about: string, { head, rows }: Grid): string {
  const cells = (name: 'th' | 'td', texts: readonly string[]): string =>
    texts
      .map((text, index) => `<${index === 0 ? 'th' : name}>${escaped(text)}</${index === 0 ? 'th' : name}>`)
      .join('');
  const body = rows.map((row) => `<tr>${cells('td', row)}</tr>`).join('\n');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Access matrix</title>
<style>table{border-collapse:collapse}th,td{border:1px solid #999;padding:.2em .6em;text-align:left}</style>
<p>${escaped(about)}</p>
<table>
<thead><tr>${cells('th', head)}</tr></thead>
<tbody>
${body}
</tbody>
</table>
</html>
`;
}

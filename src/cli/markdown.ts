import { visible } from '../base/encoding.js';

type Cell = string | number | null;

const cellText = (cell: Cell): string =>
  cell === null ? '–' : visible(String(cell)).replace(/[\\`*_[\]<>|&#]/g, (character) => `\\${character}`);

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;

/** A table for a pull request; nothing in a cell can be read as Markdown. */
export const markdownTable = (head: readonly string[], rows: readonly (readonly Cell[])[]): string =>
  markdownRows(
    head,
    rows.map((row) => row.map(cellText)),
  );

/** Text that a page shows letter by letter: no link, no mention, no markup, and no end of a table's cell comes out of it. */
export function code(text: string): string {
  const shown = visible(text);
  if (shown === '') return '';
  const longest = Math.max(0, ...[...shown.matchAll(/`+/g)].map(([run]) => run.length));
  const fence = '`'.repeat(longest + 1);
  const pad = shown.startsWith('`') || shown.endsWith('`') ? ' ' : '';
  return `${fence}${pad}${shown.replaceAll('|', '\\|')}${pad}${fence}`;
}

/** A table; its cells are Markdown already. */
export const markdownRows = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map(line).join('');

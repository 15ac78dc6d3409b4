import { visible } from '../base/encoding.js';

type Cell = string | number | null;

// What pages make a link, a mention or a picture of also where its signs are escaped.
const telling = /[@`<>[\]&#~]|:\/\/|www\./i;

/** Text of somebody else in a line. */
const plain = (text: string): string =>
  telling.test(text) ? code(text) : visible(text).replace(/[\\*_|]/g, (character) => `\\${character}`);

const cellText = (cell: Cell): string => (cell === null ? '–' : plain(String(cell)));

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

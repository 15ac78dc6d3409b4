import { visible } from '../base/encoding.js';

type Cell = string | number | null;

const cellText = (cell: Cell): string =>
  cell === null ? '–' : visible(String(cell)).replace(/[\\`*_[\]<>|&#]/g, (character) => `\\${character}`);

const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |\n`;

/** A table for a pull request; nothing in a cell can be read as Markdown. */
export const markdownTable = (head: readonly string[], rows: readonly (readonly Cell[])[]): string =>
  line(head) + line(head.map(() => '---')) + rows.map((row) => line(row.map(cellText))).join('');

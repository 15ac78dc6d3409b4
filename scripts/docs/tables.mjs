// Small parts that all generated documents share.

/** Makes text safe inside a cell of a table. */
export const cell = (text) => String(text).replaceAll('|', '\\|').replaceAll('\n', ' ');

export const code = (text) => `\`${cell(text)}\``;

export function table(head, rows) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

/** First line of every generated document. */
export const generated = (source) => `<!-- Made by \`npm run docs\` from ${source}: change that, not this file. -->\n`;

// Small pieces of Markdown.
const missing = '–';

export const number = (value, digits) =>
  value === null || value === undefined || !Number.isFinite(value) ? missing : value.toFixed(digits);

/** `12 [11–13]`: the median and the middle half. */
export const spreadText = (spread, digits) =>
  !Number.isFinite(spread?.median)
    ? missing
    : `${number(spread.median, digits)} [${number(spread.low, digits)}–${number(spread.high, digits)}]`;

/** @param right how many columns from the right are numbers */
export function table(head, rows, right = 0) {
  const line = (cells) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, index) => (index >= head.length - right ? '--:' : '---'));
  return [line(head), line(rule), ...rows.map(line)].join('\n');
}

/** Digits that fit a number of µs. */
export const us = (value) => number(value, value !== null && value < 10 ? 1 : 0);

// What a run prints: one table a scenario, then its A/A pairs.
import { compare, isAlike, isUsable, isValid, pairsOf } from './compare.mjs';
import { median, spread } from './stats.mjs';

const fixed = (value, digits) => (Number.isFinite(value) ? value.toFixed(digits) : '–');
const spreadText = ({ median: middle, low, high }, digits) =>
  `${fixed(middle, digits)} [${fixed(low, digits)}–${fixed(high, digits)}]`;

export function ratioText(comparison) {
  return comparison.isResolved ? spreadText(comparison.ratio, 2) : 'not resolved';
}

function lines(cells) {
  const widths = cells[0].map((_, column) => Math.max(...cells.map((row) => row[column].length)));
  return cells.map((row) =>
    row.map((cell, column) => (column === 0 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join('  '),
  );
}

/** @param run `{ name, note, variants, rows, base }` of one scenario; ratios are to `base` */
export function scenarioTable({ name: scenario, note, variants, rows, base }) {
  const head = [
    'variant',
    'n',
    'CPU µs/request',
    `ratio to ${base}`,
    'requests/s',
    'p50 µs',
    'p99 µs',
    'RSS MiB',
    'foreign',
    'wrong',
  ];
  const body = variants
    .map((variant) => ({ name: variant.name, mine: rows.filter((row) => row.variant === variant.name) }))
    .filter(({ mine }) => mine.length > 0)
    .map(({ name, mine }) => {
      const good = mine.filter(isUsable);
      const of = (field) => median(good.map((row) => row[field]));
      return [
        name,
        String(good.length),
        spreadText(spread(good.map((row) => row.cpuUs)), 1),
        name === base ? '1' : ratioText(compare({ variants, rows }, name, base)),
        fixed(of('rps'), 0),
        fixed(of('p50Us'), 0),
        fixed(of('p99Us'), 0),
        fixed(of('rssMiB'), 0),
        fixed(of('foreign'), 2),
        String(mine.filter((row) => !isValid(row)).length),
      ];
    });
  const pairs = pairsOf(variants, rows).map(
    (pair) =>
      `A/A ${pair.name} / ${pair.copyOf}: ${spreadText(pair, 2)}, n ${pair.n}${isAlike(pair) ? '' : ' – not resolved'}`,
  );
  return [
    `## ${scenario}: ${note}`,
    '',
    ...lines([head, ...body]),
    '',
    ...(pairs.length === 0 ? ['no A/A pair: no ratios'] : pairs),
    '',
  ].join('\n');
}

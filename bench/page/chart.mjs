// One bar chart as SVG: processor time per request, with the middle half of the rounds.
const size = { label: 190, bar: 520, value: 130, row: 26, top: 64, bottom: 20 };
const colours = {
  own: '#1f6f78',
  other: '#9aa5b1',
  range: '#3b3b3b',
  text: '#1a1a1a',
  quiet: '#5f6b76',
  ground: '#ffffff',
};

const escaped = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** @param bars `{ name, median, low, high, isOwn }` in µs */
export function chart({ title, subtitle, bars }) {
  const width = size.label + size.bar + size.value;
  const height = size.top + bars.length * size.row + size.bottom;
  const most = Math.max(...bars.map(({ high }) => high));
  const at = (value) => (size.label + (value / most) * size.bar).toFixed(1);
  const rows = bars.map(({ name, median, low, high, isOwn }, index) => {
    const y = size.top + index * size.row;
    const middle = y + size.row / 2 - 3;
    const length = ((median / most) * size.bar).toFixed(1);
    return [
      `<text x="${size.label - 10}" y="${middle + 4}" text-anchor="end" fill="${colours.text}"${isOwn ? ' font-weight="bold"' : ''}>${escaped(name)}</text>`,
      `<rect x="${size.label}" y="${y}" width="${length}" height="${size.row - 8}" rx="2" fill="${isOwn ? colours.own : colours.other}"/>`,
      `<line x1="${at(low)}" y1="${middle}" x2="${at(high)}" y2="${middle}" stroke="${colours.range}" stroke-width="1.5"/>`,
      `<text x="${(Number(at(Math.max(median, high))) + 8).toFixed(1)}" y="${middle + 4}" fill="${colours.text}">${median.toFixed(0)} µs</text>`,
    ].join('');
  });
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escaped(title)}" font-family="system-ui, sans-serif" font-size="13">
<rect width="${width}" height="${height}" fill="${colours.ground}"/>
<text x="16" y="26" font-size="16" font-weight="bold" fill="${colours.text}">${escaped(title)}</text>
<text x="16" y="46" fill="${colours.quiet}">${escaped(subtitle)}</text>
${rows.join('\n')}
</svg>
`;
}

/** Bars of one scenario, the cheapest first, copies left out. */
export function barsOf({ variants, pairs }) {
  const copies = new Set(pairs.map(({ name }) => name));
  return Object.entries(variants)
    .filter(([name, { n }]) => n > 0 && !copies.has(name))
    .map(([name, { cpuUs }]) => ({ name, ...cpuUs, isOwn: name.startsWith('memgate') }))
    .sort((one, other) => one.median - other.median);
}

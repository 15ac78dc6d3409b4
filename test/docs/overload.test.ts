import { readFileSync } from 'node:fs';
import t from 'tap';
import { fields } from '../../src/config/config.js';
import { refusals, faults } from '../../src/model/codes.js';
import { metricFamilies } from '../../src/record/families.js';

const page = readFileSync('docs/explanation/overload.md', 'utf8');
const words = new Set([...page.matchAll(/`([a-z_]+(?:\.[a-z_-]+)*)(?:\{[^}]*\})?`/g)].map(([, word = '']) => word));
const paths = new Set(fields().map(({ path }) => path));

/** Names of fields that bound something which can pile up. */
const bounding =
  /^(?:gateway(?:\.sessions)?|upstream(?:\.objects)?|grpc|keys|audit|admin|probes|limits)\.(?:max_\w+|\w*queue\w*|\w+_connections|\w+_in_progress|\w+_per_(?:second|minute|address|key|subject|connection)\w*|\w*_?entries|hash_concurrency|connections)$/;

t.test('every bound of the configuration stands in the table of bounds', async (t) => {
  const bounds = [...paths].filter((path) => bounding.test(path));
  t.ok(bounds.length > 20);
  for (const path of bounds) t.ok(words.has(path), path);
});

t.test('every name in it is one of the configuration, a code, or a metric', async (t) => {
  const rooms = /^(?:gateway|upstream|grpc|keys|audit|admin|probes|limits|pressure|gate|identify|record)\./;
  for (const word of words)
    if (rooms.test(word))
      t.ok(paths.has(word) || word in refusals || word in faults || word === 'pressure.bounds-exceed-memory', word);
  for (const [, name = ''] of page.matchAll(/memgate_([a-z_]+)/g)) t.ok(name in metricFamilies, name);
  for (const [, name = ''] of page.matchAll(/`([a-z_]+_total)/g)) t.ok(name in metricFamilies, name);
});

t.test('every default in it is the default', async (t) => {
  const usual = new Map(fields().map(({ path, fallback }) => [path, fallback]));
  const shown = (value: unknown): string => {
    if (typeof value !== 'number') return '';
    if (value >= 1_073_741_824 && value % 1_073_741_824 === 0) return `${value / 1_073_741_824} GiB`;
    if (value >= 1_048_576 && value % 1_048_576 === 0) return `${value / 1_048_576} MiB`;
    return value.toLocaleString('en-US');
  };
  const rows = page.split('\n').filter((line) => /^\| [^|]+ \| `/.test(line) && line.split('|').length === 7);
  t.ok(rows.length > 15);
  for (const row of rows) {
    const [, , bound = '', said = ''] = row.split('|').map((cell) => cell.trim());
    const names = [...bound.matchAll(/`([a-z_.]+)`/g)].map(([, name = '']) => name);
    const values = said.split(/, (?=\D|\d)/).map((text) => text.replace(/ (?:m?s|h)$/, ''));
    for (const [index, name] of names.entries()) {
      const value = usual.get(name);
      if (typeof value !== 'number') continue;
      const wanted = name.endsWith('_ms') ? [value, value / 1_000, value / 3_600_000].map(String) : [shown(value)];
      t.ok(wanted.includes(values[index] ?? ''), `${name}: ${said}`);
    }
  }
});

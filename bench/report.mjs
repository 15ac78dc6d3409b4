// `npm run bench:report [RESULT.json…]`: takes the rows of runs into results/latest.json, and writes the page and the chart from it.
// Without a file it writes them anew from what is there; `--fresh` forgets earlier runs.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { aggregate } from './aggregate.mjs';
import { inRepository } from './place.mjs';
import { chartOf, page } from './page/page.mjs';

const latestFile = 'latest.json';
const remarksFile = 'missed.md';
const json = (file) => JSON.parse(readFileSync(file, 'utf8'));

/** Each file of other runners is one or a list of `{ id, promise, method, figure, ok }`. */
function promisesIn(directory) {
  return readdirSync(directory)
    .filter((name) => name.endsWith('.json') && name !== latestFile)
    .sort()
    .flatMap((name) => json(join(directory, name)));
}

/** The page and the chart, from a directory of results. */
export function rendered(directory) {
  const latest = json(join(directory, latestFile));
  const remarks = join(directory, remarksFile);
  return {
    page: page({
      latest,
      promises: promisesIn(directory),
      remarks: existsSync(remarks) ? readFileSync(remarks, 'utf8') : null,
    }),
    chart: chartOf(latest),
  };
}

function main() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { fresh: { type: 'boolean', default: false } },
  });
  const directory = inRepository('bench/results');
  const latest = join(directory, latestFile);
  let kept = existsSync(latest) && !values.fresh ? json(latest) : undefined;
  for (const file of positionals) kept = aggregate(json(file), kept);
  if (kept === undefined)
    throw new Error(`there is nothing to report: name a file that \`npm run bench -- --out\` wrote`);
  writeFileSync(latest, `${JSON.stringify(kept, null, 1)}\n`);
  const made = rendered(directory);
  writeFileSync(inRepository('docs/explanation/performance.md'), made.page);
  if (made.chart !== null) writeFileSync(inRepository('docs/explanation/performance.svg'), made.chart);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    main();
  } catch (error) {
    process.stderr.write(`bench:report: ${error.message}\n`);
    process.exitCode = 1;
  }
}

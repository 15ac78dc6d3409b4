// `npm run test:reload [-- --short] [--out FILE]`: what reloading promises (R5, R6, R7, RL-04, 05, 13, 15, push), with its figures.
// They are printed and kept in bench/results/reload.json; `--short` takes the short forms, and keeps no figures unless told where.
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { keepFigures } from './faults/figures.mjs';
import { runTapFile } from './faults/tap-file.mjs';

const options = { short: { type: 'boolean', default: false }, out: { type: 'string' } };
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const out = values.out ?? (values.short ? null : 'bench/results/reload.json');
const minutesMax = 15;
const names = [
  'reload-load',
  'bad-reload',
  'memory-reloads',
  'reload-push',
  'rl-files',
  'reload-kill',
  'rollback',
  'cases-gate',
  'bundle-server',
].filter((name) => positionals.length === 0 || positionals.includes(name));

try {
  if (process.env.MEMGATE_PROGRAM === undefined) build(); // else another build is under test
} catch {
  process.exit(1); // the compiler has said why
}
let failed = 0;
for (const name of names) {
  const file = `test/faults/${name}.test.ts`;
  const env = values.short ? {} : { MEMGATE_FAULTS: 'long' };
  const { isFine, lines, figures } = await runTapFile(file, { minutesMax, env });
  if (!isFine) for (const line of lines) process.stdout.write(`${line}\n`);
  for (const { id, promise, figure, ok } of figures)
    process.stdout.write(`${ok ? 'kept  ' : 'MISSED'} ${id}: ${promise}\n       ${JSON.stringify(figure)}\n`);
  if (out !== null) keepFigures(out, figures);
  failed += isFine ? 0 : 1;
  process.stdout.write(`${isFine ? 'ok    ' : 'FAILED'} ${file}\n`);
}
process.exitCode = failed === 0 && names.length > 0 ? 0 : 1;

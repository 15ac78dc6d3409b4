// `npm run test:faults [-- NAME…]`: the fault suite in its long form, one file after the other, on the real file system.
// What the short form within `npm test` does a few times is done as often here as the promises say.
// `npm run test:faults:long [-- NAME…] [--out FILE]`: the files of test/faults/long as well; `--out` keeps their figures.
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { keepFigures } from './faults/figures.mjs';
import { root, runTapFile } from './faults/tap-file.mjs';

const minutesMax = 15;
const options = { long: { type: 'boolean', default: false }, out: { type: 'string' } };
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const folders = ['test/faults', ...(values.long ? ['test/faults/long'] : [])];
const files = folders
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}`))
  .filter((file) => file.endsWith('.test.ts'))
  .filter((file) => positionals.length === 0 || positionals.some((part) => file.includes(part)));
const isFigure = /^ +# (?:R\d+|reload|revoke|left out|figure): /;

try {
  if (process.env.MEMGATE_PROGRAM === undefined) build(); // else another build is under test
} catch {
  process.exit(1); // the compiler has said why
}
const sum = { passed: 0, failed: 0 };
for (const file of files) {
  const { isFine, lines, figures } = await runTapFile(file, { minutesMax, env: { MEMGATE_FAULTS: 'long' } });
  for (const line of lines) if (!isFine || isFigure.test(line)) process.stdout.write(`${line}\n`);
  if (values.out !== undefined) keepFigures(values.out, figures);
  sum[isFine ? 'passed' : 'failed'] += 1;
  process.stdout.write(`${isFine ? 'ok    ' : 'FAILED'} ${file}\n`);
}
process.stdout.write(`\n${sum.passed} passed, ${sum.failed} failed\n`);
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;

// `npm run test:servers [-- NAME…]`: memgate in front of real memory servers, which are installed into .cache/servers first. Each file of
// test/servers is a test; one whose server cannot be installed fails and says why. Those of large servers, NAME.long.test.ts, run with `--long`.
import { readdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { build } from './build.mjs';
import { root, runTapFile } from './faults/tap-file.mjs';
import { install } from './servers/install.mjs';
import { servers } from './servers/servers.mjs';

const minutesMax = 5;
const isLong = process.argv.includes('--long');
const wanted = process.argv.slice(2).filter((name) => name !== '--long');
const say = (line) => process.stdout.write(`${line}\n`);
const nameOf = (file) => basename(file).replace(/(?:\.long)?\.test\.ts$/, '');
const files = readdirSync(join(root, 'test/servers'))
  .filter((name) => name.endsWith('.test.ts') && (isLong || !name.endsWith('.long.test.ts')))
  .filter((name) => wanted.length === 0 || wanted.includes(nameOf(name)))
  .map((name) => `test/servers/${name}`);

/** @returns why the server of this test cannot be had; null where it is there, or the test needs none */
function missing(file) {
  const server = servers.find(({ name }) => name === nameOf(file));
  if (server === undefined) return null;
  try {
    install(root, server);
    return null;
  } catch (thrown) {
    return thrown.message;
  }
}

try {
  build();
} catch {
  process.exit(1); // the compiler has said why
}
const sum = { passed: 0, failed: 0 };
for (const file of files) {
  const why = missing(file);
  const { isFine, lines } = why === null ? await runTapFile(file, { minutesMax }) : { isFine: false, lines: [why] };
  for (const line of lines) if (!isFine || /^ *# left out: /.test(line)) say(line);
  sum[isFine ? 'passed' : 'failed'] += 1;
  say(`${isFine ? 'ok    ' : 'FAILED'} ${file}`);
}
say(`\n${sum.passed} passed, ${sum.failed} failed`);
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;

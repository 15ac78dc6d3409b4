// `npm run test:faults`: the fault suite in its long form, one file after the other, on the real file system.
// What the short form within `npm test` does a few times is done as often here as the promises say.
import { spawn } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from './build.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const folder = 'test/faults';
const minutesMax = 15;
const wanted = process.argv.slice(2);
const files = readdirSync(join(root, folder)).filter(
  (name) => name.endsWith('.test.ts') && (wanted.length === 0 || wanted.some((part) => name.includes(part))),
);

/** Runs one file; resolves to its lines. */
function run(file) {
  const tap = join(root, 'node_modules', '.bin', 'tap');
  const options = ['--disable-coverage', '--reporter=tap', `--timeout=${minutesMax * 60}`];
  const env = { ...process.env, MEMGATE_FAULTS: 'long', NO_COLOR: '1', npm_config_loglevel: 'error' };
  const child = spawn(tap, ['run', ...options, `${folder}/${file}`], {
    cwd: root,
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ isFine: code === 0, lines: output.split('\n') }));
  });
}

try {
  if (process.env.MEMGATE_PROGRAM === undefined) build(); // else another build is under test
} catch {
  process.exit(1); // the compiler has said why
}
const sum = { passed: 0, failed: 0 };
for (const file of files) {
  const { isFine, lines } = await run(file);
  for (const line of lines) {
    const isFigure = /^ +# (?:R\d+|reload|revoke|left out): /.test(line);
    if (!isFine || isFigure) process.stdout.write(`${line}\n`);
  }
  sum[isFine ? 'passed' : 'failed'] += 1;
  process.stdout.write(`${isFine ? 'ok    ' : 'FAILED'} ${file}\n`);
}
process.stdout.write(`\n${sum.passed} passed, ${sum.failed} failed\n`);
process.exitCode = sum.failed === 0 && sum.passed > 0 ? 0 : 1;

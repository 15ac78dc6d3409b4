// `npm run test:garden`: mutated requests through memgate, read by nginx, haproxy, Apache and Node behind it; any disagreement
// between what was sent, decided and read fails. `npm test` does it for a minute under CI, for some seconds elsewhere, and
// by itself: it takes all processors, and other tests look at the time.
import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build } from './build.mjs';
import { failuresIn } from './tap-output.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const hoursMax = 3;
const sharesShown = ['forwarded', 'refused', 'silent'];

const failure = (message) => {
  process.stderr.write(`garden: ${message}\n`);
  process.exit(2);
};

const names = ['requests', 'seconds', 'seed', 'from', 'result'];
function given() {
  try {
    return parseArgs({ options: Object.fromEntries(names.map((name) => [name, { type: 'string' }])) }).values;
  } catch (error) {
    return failure(error.message);
  }
}
const values = given();
const numbers = Object.entries(values).filter(([name]) => name !== 'result');
for (const [name, text] of numbers) if (!/^\d{1,10}$/.test(text)) failure(`--${name} must be a whole number`);
const wishes = Object.fromEntries(numbers.map(([name, text]) => [`MEMGATE_GARDEN_${name.toUpperCase()}`, text]));

/** Runs the test; resolves to its lines. */
function run() {
  const options = ['--disable-coverage', '--reporter=tap', `--timeout=${hoursMax * 3_600}`];
  const child = spawn(join(root, 'node_modules/.bin/tap'), ['run', ...options, 'test/garden/garden.test.ts'], {
    cwd: root,
    env: { ...process.env, ...wishes, NO_COLOR: '1', npm_config_loglevel: 'error' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => (output += text));
  return new Promise((resolve) => {
    child.on('close', (code) => resolve({ isFine: code === 0, lines: output.split('\n') }));
  });
}

const share = (part, whole) => `${((100 * part) / Math.max(1, whole)).toFixed(1)} %`;

/** The figures as the report page wants them. */
function resultOf(figures, isFine) {
  const { seed, mutants, requests, disagreements, seconds, versions } = figures;
  const shares = sharesShown.map((name) => `${name} ${share(figures[name], mutants)}`).join(', ');
  return {
    id: 'R19',
    promise: '0 disagreements in 100,000 mutated requests between what was decided and what each reference server read',
    method:
      `npm run test:garden -- --requests ${mutants} --seed ${seed}: each mutant on a connection of its own through memgate; the bytes ` +
      `that it forwards go to ${versions} alike, and method, target, decoded path, headers, body and number of requests are compared ` +
      'with each other, with what was sent and with the audit records',
    figure: `${disagreements} disagreements; ${mutants} mutants (${shares}), ${requests} requests forwarded, in ${seconds} s on ${cpus().length} cores`,
    ok: isFine && disagreements === 0,
    details: figures,
  };
}

try {
  build();
} catch {
  process.exit(1); // the compiler has said why
}
const { isFine, lines } = await run();
const told = lines.map((line) => /^ +# R19: (.*)$/.exec(line)?.[1]).find((text) => text !== undefined);
for (const line of lines)
  if (/^ *# (?:seed |R19|control|disagreement| {2})/.test(line)) process.stdout.write(`${line}\n`);
for (const line of failuresIn(lines.join('\n'))) process.stdout.write(`${line}\n`);
if (told !== undefined) {
  const result = resultOf(JSON.parse(told), isFine);
  process.stdout.write(`${result.figure}\n`);
  if (values.result !== undefined) {
    mkdirSync(dirname(values.result), { recursive: true });
    writeFileSync(values.result, `${JSON.stringify(result, null, 2)}\n`);
  }
}
const skipped = lines.map((line) => / # SKIP (.*)$/.exec(line)?.[1]).find((why) => why !== undefined);
if (skipped !== undefined) {
  process.stdout.write(`left out: the HTTP Garden: ${skipped}\n`);
  process.exit(0); // under CI, whoever counts makes it a failure
}
process.stdout.write(`\n${isFine ? '1 passed, 0 failed' : '0 passed, 1 failed'}\n`);
process.exitCode = isFine ? 0 : 1;

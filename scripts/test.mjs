// `npm test`: every check there is, in order. It goes on after a failure, so that one run tells all, says what was left
// out for want of an outside tool (under CI=true that is a failure), and ends with `N passed, N failed`. What fails beside
// others, which take its time, runs once more by itself, and is called unstable when it passes then (decision 0036).
// Names of steps as arguments run those alone: `npm test -- lint types`.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { failedFilesIn, failuresIn, partOf, totalsIn } from './tap-output.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const isCi = process.env.CI === 'true';
const say = (line = '') => process.stdout.write(`${line}\n`);
const inPath = (name) => (process.env.PATH ?? '').split(delimiter).some((place) => existsSync(join(place, name)));
const script = (name, ...args) => [process.execPath, `scripts/${name}`, ...args];
const bin = (name, ...args) => [`node_modules/.bin/${name}`, ...args];

/** Share of lines that the tests must reach, in percent. It only ever goes up. */
const coverageMin = { lines: 92, branches: 86 };
const shownLinesMax = 60;
/** A busy machine spoils the one or the other file, not more of them than this. */
const againMax = 6;

/** Programs that some checks need, and what is left out without them. */
const tools = [
  { names: ['promtool'], checks: 'the check of the metrics by promtool' },
  { names: ['strace'], checks: 'the order of writes and sends, seen from outside' },
  { names: ['faketime'], checks: 'steps of the wall clock' },
  { names: ['curl'], checks: 'the lines of the demo and of the documents' },
];

const steps = [
  { name: 'format', run: () => command(bin('prettier', '--check', '--log-level', 'warn', '.')) },
  { name: 'lint', run: () => commands(bin('eslint', '--max-warnings', '0', '.'), script('check-exceptions.mjs')) },
  { name: 'types', run: () => command(bin('tsc', '--noEmit', '-p', 'tsconfig.test.json')) },
  {
    name: 'layers',
    run: () => command(bin('depcruise', '--config', '.dependency-cruiser.mjs', '--output-type', 'err', 'src')),
  },
  { name: 'unused', run: () => command(bin('knip', '--no-progress')) },
  { name: 'lockfile', run: () => command(script('check-lockfile.mjs')) },
  { name: 'build', run: () => command(script('build.mjs')) },
  { name: 'policies', run: () => command(script('policies.mjs')) },
  {
    name: 'docs',
    run: () =>
      commands(
        script('gen-docs.mjs', '--check'),
        ...(existsSync(join(root, 'scripts/gen-metrics-doc.mjs')) ? [script('gen-metrics-doc.mjs', '--check')] : []),
        script('check-links.mjs'),
      ),
  },
  { name: 'test', run: () => tests() },
  { name: 'garden', run: () => twice('garden', script('garden.mjs', '--seconds', isCi ? '60' : '10', '--seed', '20')) },
  { name: 'bench', run: () => twice('bench', [process.execPath, 'bench/quick.mjs']) },
];

/** Runs a program; resolves to what it wrote and how it ended. */
function execute([program, ...args], onOutput = () => undefined) {
  return new Promise((resolve) => {
    const env = { ...process.env, NO_COLOR: '1', FORCE_COLOR: '0', npm_config_loglevel: 'error' };
    const child = spawn(program, args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text) => {
        output += text;
        onOutput(text);
      });
    }
    child.on('error', (error) => resolve({ isFine: false, output: `${program}: ${error.message}` }));
    child.on('close', (code) => resolve({ isFine: code === 0, output }));
  });
}

/** A step whose result hangs on the machine too: it fails when it does so a second time. */
async function twice(name, line) {
  const first = await execute(line);
  if (first.isFine) return { ...one(true), leftOut: leftOutIn(first.output) };
  const result = await command(line);
  if (result.failed === 0) tellUnstable(name, first.output);
  return result;
}

const one = (isFine) => ({ passed: isFine ? 1 : 0, failed: isFine ? 0 : 1, leftOut: [] });

async function command(line) {
  const { isFine, output } = await execute(line);
  if (!isFine) showEnd(output);
  return { ...one(isFine), leftOut: leftOutIn(output) };
}

/** A step that leaves a part of itself out says so in a line of this form. */
const leftOutIn = (output) => [...output.matchAll(/^.*?\bleft out:? (.*)$/gm)].map(([, what]) => what);

async function commands(...lines) {
  const leftOut = [];
  let isFine = true;
  for (const line of lines) {
    const result = await command(line);
    isFine &&= result.failed === 0;
    leftOut.push(...result.leftOut);
  }
  return { ...one(isFine), leftOut };
}

function showEnd(output) {
  const lines = output.trimEnd().split('\n');
  if (lines.length > shownLinesMax) say(`  … ${lines.length - shownLinesMax} lines before these`);
  for (const line of lines.slice(-shownLinesMax)) say(`  ${line}`);
}

/** All tests, with their coverage; only failures are shown, the whole output is kept. */
async function tests() {
  const reports = join(root, '.tap', 'report');
  const log = join(root, '.tap', 'last.tap');
  rmSync(reports, { recursive: true, force: true });
  const { isFine, output } = await execute(bin('tap', 'run', '--reporter=tap'));
  mkdirSync(join(root, '.tap'), { recursive: true });
  writeFileSync(log, output);
  const totals = totalsIn(output);
  const isEnough = checkCoverage(join(reports, 'coverage-summary.json'));
  const failed = (isFine ? 0 : await failuresOfTests(output)) + (isEnough ? 0 : 1);
  if (!isFine) say('  the whole output: .tap/last.tap');
  const leftOut = [...output.matchAll(/^ *ok \d+ - (.*?) # SKIP ?(.*)$/gm)].map(
    ([, name, why]) => `test "${name}"${why === '' ? '' : `: ${why}`}`,
  );
  for (const [, what] of output.matchAll(/^ *# left out: (.*)$/gm)) leftOut.push(what);
  return { passed: totals.passed + (isEnough ? 1 : 0), failed, leftOut };
}

/** What remains of the failures when each file that failed has run again. */
async function failuresOfTests(output) {
  const files = failedFilesIn(output);
  if (files.length === 0 || files.length > againMax) {
    showFailures(output);
    return Math.max(1, totalsIn(output).failed);
  }
  let failed = 0;
  for (const file of files) {
    const again = await execute(bin('tap', 'run', '--reporter=tap', '--disable-coverage', file));
    if (again.isFine) {
      tellUnstable(file, partOf(output, file));
      continue;
    }
    showFailures(again.output);
    failed += Math.max(1, totalsIn(again.output).failed);
  }
  return failed;
}

const showFailures = (output) => failuresIn(output).forEach((line) => say(`  ${line}`));

/** What failed once; the words of the test runner for a failure would say that it is one. */
function tellUnstable(name, output) {
  say(`  unstable: ${name} passed by itself; before, beside the others, it failed:`);
  for (const line of failuresIn(output)) say(`    | ${line.replace(/^( *)not ok/, '$1failed')}`);
}

function checkCoverage(file) {
  if (!existsSync(file)) {
    say('  no coverage was measured');
    return false;
  }
  const { total } = JSON.parse(readFileSync(file, 'utf8'));
  let isEnough = true;
  for (const [kind, min] of Object.entries(coverageMin)) {
    say(`  coverage of ${kind}: ${total[kind].pct} % (at least ${min} %)`);
    isEnough &&= total[kind].pct >= min;
  }
  return isEnough;
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  process.stderr.write(`no such step: ${unknown.join(', ')}; there are ${steps.map(({ name }) => name).join(', ')}\n`);
  process.exit(2);
}

const sum = { passed: 0, failed: 0 };
const leftOut = tools
  .filter(({ names }) => !names.some(inPath))
  .map(({ names, checks }) => `${checks} (${names.join(' or ')} is not installed)`);
for (const { name, run } of steps.filter((step) => wanted.length === 0 || wanted.includes(step.name))) {
  const started = performance.now();
  const result = await run();
  sum.passed += result.passed;
  sum.failed += result.failed;
  leftOut.push(...result.leftOut);
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  say(`${result.failed === 0 ? 'ok    ' : 'FAILED'} ${name.padEnd(10)} ${seconds} s`);
}
for (const what of new Set(leftOut)) say(`left out: ${what}`);
if (isCi) sum.failed += new Set(leftOut).size;
say();
say(`${sum.passed} passed, ${sum.failed} failed`);
process.exitCode = sum.failed === 0 ? 0 : 1;

// `npm test`: every check there is, in order. It goes on after a failure, so that one run tells all, says what was left
// out for want of an outside tool (under CI=true that is a failure), and ends with `N passed, N failed`.
// Names of steps as arguments run those alone: `npm test -- lint types`.
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const isCi = process.env.CI === 'true';
const say = (line = '') => process.stdout.write(`${line}\n`);
const inPath = (name) => (process.env.PATH ?? '').split(delimiter).some((place) => existsSync(join(place, name)));
const script = (name, ...args) => [process.execPath, `scripts/${name}`, ...args];
const bin = (name, ...args) => [`node_modules/.bin/${name}`, ...args];

/** Share of lines that the tests must reach, in percent. It only ever goes up. */
const coverageMin = { lines: 92, branches: 86 };
const shownLinesMax = 60;

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
  { name: 'garden', run: () => command(script('garden.mjs', '--seconds', isCi ? '60' : '10')) },
  { name: 'bench', run: () => command([process.execPath, 'bench/quick.mjs']) },
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

const one = (isFine) => ({ passed: isFine ? 1 : 0, failed: isFine ? 0 : 1, leftOut: [] });

async function command(line) {
  const { isFine, output } = await execute(line);
  if (!isFine) showEnd(output);
  // A step that leaves a part of itself out says so in a line of this form.
  const leftOut = [...output.matchAll(/^.*?\bleft out:? (.*)$/gm)].map(([, what]) => what);
  return { ...one(isFine), leftOut };
}

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
  showFailures(output);
  const totals = /^# \{ total: .*\}$/m.exec(output)?.[0] ?? '';
  const count = (name) => Number(new RegExp(`\\b${name}: (\\d+)`).exec(totals)?.[1] ?? 0);
  const coverage = checkCoverage(join(reports, 'coverage-summary.json'));
  const failed = count('fail') + (isFine || count('fail') > 0 ? 0 : 1) + (coverage ? 0 : 1);
  if (failed > 0) say('  the whole output: .tap/last.tap');
  const leftOut = [...output.matchAll(/^ *ok \d+ - (.*?) # SKIP ?(.*)$/gm)].map(
    ([, name, why]) => `test "${name}"${why === '' ? '' : `: ${why}`}`,
  );
  for (const [, what] of output.matchAll(/^ *# left out: (.*)$/gm)) leftOut.push(what);
  return { passed: count('pass') + (coverage ? 1 : 0), failed, leftOut };
}

/** Shows each failed assertion or file with its message, and nothing of the ones that passed. */
function showFailures(output) {
  let shown = 0;
  let until = '';
  for (const line of output.split('\n')) {
    const fault = /^( *)not ok .*/.exec(line);
    if (fault !== null) until = `${fault[1]}  ...`;
    if (until !== '' && shown < 400) {
      say(`  ${line}`);
      shown += 1;
    }
    if (line === until || (fault === null && until !== '' && /^ *(?:ok|# Subtest)/.test(line))) until = '';
  }
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

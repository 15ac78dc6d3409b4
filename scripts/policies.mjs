// Checks the policies of this repository: everything that `memgate policy ci` checks, and the lint of Regal.
// `--write` first builds the committed bundle anew.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { build as buildProgram } from './build.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const capabilities = join(root, 'policies', 'capabilities.json');
const opaVersion = '1.19.1';
// The committed bundle is compared on machines that do other things meanwhile.
const budgetMs = '250';
const isCi = process.env.CI === 'true';

const say = (line) => process.stdout.write(`policies: ${line}\n`);

class Failed extends Error {}

/** Runs a tool; its own output is the message when it fails. */
function run(tool, args, options = {}) {
  try {
    return execFileSync(tool, args, {
      cwd: root,
      encoding: 'utf8',
      stdio: ['pipe', 'pipe', 'pipe'],
      maxBuffer: 1 << 26,
      ...options,
    });
  } catch (error) {
    const output = `${error.stdout ?? ''}${error.stderr ?? ''}`.trim();
    throw new Failed(output === '' ? error.message : output);
  }
}

/** Members of a bundle by name. */
export async function members(file) {
  const entries = await unpackTar(gunzipSync(readFileSync(file)), { strict: true });
  return new Map(entries.map(({ header, data }) => [header.name, Buffer.from(data ?? [])]));
}

/** Builds a bundle that need not be good. It runs inside the source directory: the compiler writes the path it is given into the module. */
export function build(opa, { directory, revision, target, checked = true }) {
  const limits = checked ? ['--capabilities', capabilities] : [];
  const names = ['--ignore', '*_test.rego', '--revision', revision, '-o', target];
  run(opa, ['build', '-t', 'wasm', '-b', '.', ...limits, ...names], { cwd: directory });
}

const works = (tool, wanted) => {
  try {
    return run(tool, ['version']).includes(wanted);
  } catch {
    return false;
  }
};

/** The policy compiler and the linter, from the cache or the PATH; null for what is not there. */
export function findTools() {
  const cached = (name) => resolve(root, '.cache', 'bin', name);
  const opa = [cached('opa'), 'opa'].find((tool) => works(tool, `Version: ${opaVersion}\n`)) ?? null;
  const regal = [cached('regal'), 'regal'].find((tool) => works(tool, 'Version')) ?? null;
  return { opa, regal };
}

function buildTools() {
  if (!isCi && process.env.MEMGATE_BUILD_TOOLS !== '1') return;
  if (!works('go', 'go version')) return;
  say('building the policy tools');
  const env = { ...process.env, CGO_ENABLED: '0' };
  run('go', ['build', '-C', 'tools', '-trimpath', '-o', '../.cache/bin/', 'tool'], { env });
}

/** `memgate policy …`, which prints what it finds. */
function memgate(...args) {
  const program = join(root, 'dist', 'cli', 'cli.js');
  if (!existsSync(program)) buildProgram();
  return spawnSync(process.execPath, [program, 'policy', ...args], { cwd: root, stdio: 'inherit' }).status === 0;
}

function lint(regal) {
  const env = { ...process.env, REGAL_DISABLE_CHECK_VERSION: 'true' };
  try {
    run(regal, ['lint', '--config-file', 'policies/regal.yaml', '--format', 'compact', 'policies/bundle'], { env });
    say('lint ok');
    return true;
  } catch (error) {
    say(`lint FAILED: ${error.message}`);
    return false;
  }
}

function main() {
  if (findTools().opa === null || findTools().regal === null) buildTools();
  const { opa, regal } = findTools();
  const found = opa === null ? [] : ['--opa', opa];
  if (process.argv.includes('--write') && !memgate('build', ...found)) return false;
  const passed = memgate('ci', '--budget-ms', budgetMs, ...found);
  const linted = regal === null ? !isCi : lint(regal);
  if (opa === null) say(`left out for want of opa ${opaVersion}: the same by its native form`);
  if (regal === null) say('left out for want of regal: lint');
  return passed && linted && (opa !== null || !isCi);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    process.exitCode = main() ? 0 : 1;
  } catch (error) {
    say(`FAILED: ${error.message}`);
    process.exitCode = 1;
  }
}

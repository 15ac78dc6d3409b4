// Checks the policies: format, types, lint, tests, coverage, cases, and that the committed bundle is the one that the sources give.
// `--write` builds the committed bundle anew. Without the policy compiler only the digest of the sources is compared.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, copyFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve, sep } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { parse } from 'yaml';

const root = fileURLToPath(new URL('..', import.meta.url));
const bundleDir = join(root, 'policies', 'bundle');
const capabilities = join(root, 'policies', 'capabilities.json');
const committed = join(root, 'policies', 'dist', 'memgate.tar.gz');
const opaVersion = '1.19.1';
const coverageMin = 95;
const rule = 'data.memgate.authz.decision';
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

function files(directory) {
  return readdirSync(directory, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) =>
      relative(directory, join(entry.parentPath ?? entry.path, entry.name))
        .split(sep)
        .join('/'),
    )
    .sort();
}

/** Revision of a bundle: a digest of every source that goes into it, and of what the compiler may use. */
export function sourceDigest(directory, capabilitiesFile) {
  const hash = createHash('sha256');
  const add = (name, bytes) => hash.update(`${name.length}:${name}${bytes.length}:`).update(bytes);
  for (const name of files(directory)) if (!name.endsWith('_test.rego')) add(name, readFileSync(join(directory, name)));
  add('capabilities.json', readFileSync(capabilitiesFile));
  return hash.digest('hex').slice(0, 32);
}

/** Members of a bundle by name. */
export async function members(file) {
  const entries = await unpackTar(gunzipSync(readFileSync(file)), { strict: true });
  return new Map(entries.map(({ header, data }) => [header.name, Buffer.from(data ?? [])]));
}

/** Builds a bundle. It runs inside the source directory: the compiler writes the path it is given into the module. */
export function build(opa, { directory, revision, target, checked = true }) {
  const limits = checked ? ['--capabilities', capabilities] : [];
  run(
    opa,
    ['build', '-t', 'wasm', '-b', '.', ...limits, '--ignore', '*_test.rego', '--revision', revision, '-o', target],
    {
      cwd: directory,
    },
  );
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

/** The wanted decision of each case: a file's base with the case's own fields over it. */
export function readCases(directory) {
  const merge = (base, change) => {
    if (typeof change !== 'object' || change === null || Array.isArray(change)) return change;
    if (typeof base !== 'object' || base === null || Array.isArray(base)) return change;
    const merged = { ...base };
    for (const [name, value] of Object.entries(change)) merged[name] = merge(base[name], value);
    return merged;
  };
  const found = [];
  for (const file of files(directory)) {
    const { input, want, tiers = {}, cases } = parse(readFileSync(join(directory, file), 'utf8'));
    for (const { name, change = {}, whole, want: own = {} } of cases) {
      const wanted = merge(want, own);
      found.push({
        name: `${file}: ${name}`,
        input: whole === undefined ? merge(input, change) : whole,
        want: { ...wanted, limits: own.limits ?? tiers[wanted.tier] ?? wanted.limits },
      });
    }
  }
  return found;
}

/** Sets have no order; everything else must be equal. */
export const normalised = (decision) => ({
  ...decision,
  reasons: [...decision.reasons].sort(),
  missing: [...decision.missing].sort(),
});

function checkCases(opa) {
  const cases = readCases(join(root, 'policies', 'cases'));
  const query = `[decision | some each in input.requests; decision := ${rule} with input as each]`;
  const decisions = JSON.parse(
    run(opa, ['eval', '-b', bundleDir, '-I', '--format', 'raw', query], {
      input: JSON.stringify({ requests: cases.map((each) => each.input) }),
    }),
  );
  if (decisions.length !== cases.length) throw new Failed('a case has no decision');
  const wrong = cases.filter(({ want }, index) => !isDeepStrictEqual(normalised(decisions[index]), normalised(want)));
  if (wrong.length > 0) {
    const [first] = wrong;
    const got = JSON.stringify(normalised(decisions[cases.indexOf(first)]));
    throw new Failed(
      `${String(wrong.length)} cases differ, first "${first.name}": got ${got}, wanted ${JSON.stringify(first.want)}`,
    );
  }
  return `${String(cases.length)} cases`;
}

function checkTests(opa) {
  run(opa, ['test', bundleDir]);
  const { coverage } = JSON.parse(run(opa, ['test', bundleDir, '--coverage', '--format', 'json']));
  if (coverage < coverageMin)
    throw new Failed(`coverage is ${String(coverage)} %, wanted at least ${String(coverageMin)} %`);
  return `coverage ${String(coverage)} %`;
}

async function checkBuild(opa, write) {
  const scratch = mkdtempSync(join(tmpdir(), 'memgate-policies-'));
  try {
    const target = join(scratch, 'memgate.tar.gz');
    build(opa, { directory: bundleDir, revision: sourceDigest(bundleDir, capabilities), target });
    if (write) copyFileSync(target, committed);
    return await compare(target);
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}

async function compare(target) {
  if (!existsSync(committed))
    throw new Failed('policies/dist/memgate.tar.gz is missing; run npm run policies -- --write');
  const [built, kept] = await Promise.all([members(target), members(committed)]);
  const names = new Set([...built.keys(), ...kept.keys()]);
  const differing = [...names].filter(
    (name) => !built.get(name)?.equals(kept.get(name) ?? Buffer.alloc(0)) || !kept.has(name),
  );
  if (differing.length > 0)
    throw new Failed(`members differ: ${differing.join(', ')}; run npm run policies -- --write`);
  return `${String(names.size)} members`;
}

/** Needs no compiler: a source that changed without a new bundle shows in the revision. */
async function checkRevision() {
  if (!existsSync(committed)) throw new Failed('policies/dist/memgate.tar.gz is missing');
  const { revision } = JSON.parse((await members(committed)).get('/.manifest').toString());
  const wanted = sourceDigest(bundleDir, capabilities);
  if (revision !== wanted) {
    throw new Failed(
      `the committed bundle is of revision ${revision}, its sources are ${wanted}; run npm run policies -- --write`,
    );
  }
  return revision;
}

async function step(name, check) {
  try {
    const note = await check();
    say(`${name} ok${typeof note === 'string' && note !== '' ? ` (${note})` : ''}`);
    return true;
  } catch (error) {
    say(`${name} FAILED: ${error.message}`);
    return false;
  }
}

const quiet = (tool, args, options) => () => void run(tool, args, options);

async function checkAll({ opa, regal }, write) {
  const lintEnv = { env: { ...process.env, REGAL_DISABLE_CHECK_VERSION: 'true' } };
  const lint = ['lint', '--config-file', 'policies/regal.yaml', '--format', 'compact', 'policies/bundle'];
  const strict = ['check', '--strict', '--capabilities', capabilities, '--ignore', '*_test.rego', bundleDir];
  const results = [];
  const add = async (name, check) => results.push(await step(name, check));
  if (write) await add('write', () => checkBuild(opa, true));
  await add('revision', checkRevision);
  await add('fmt', quiet(opa, ['fmt', '--list', '--fail', bundleDir]));
  await add('check', quiet(opa, strict));
  await add('check of tests', quiet(opa, ['check', '--strict', bundleDir])); // table tests need a built-in that the file leaves out
  if (regal !== null) await add('lint', quiet(regal, lint, lintEnv));
  await add('test', () => checkTests(opa));
  await add('cases', () => checkCases(opa));
  await add('build', () => checkBuild(opa, false));
  return results.every(Boolean);
}

async function main() {
  const write = process.argv.includes('--write');
  if (findTools().opa === null || findTools().regal === null) buildTools();
  const tools = findTools();
  if (tools.opa === null) {
    const same = await step('revision', checkRevision);
    say(
      `left out for want of opa ${opaVersion}: fmt, check, lint, test, cases, build (MEMGATE_BUILD_TOOLS=1 builds it where Go is)`,
    );
    return same && !isCi && !write;
  }
  const passed = await checkAll(tools, write);
  if (tools.regal === null) say('left out for want of regal: lint');
  return passed && (tools.regal !== null || !isCi);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  process.exitCode = await main().then(
    (passed) => (passed ? 0 : 1),
    (error) => {
      say(`FAILED: ${error.message}`);
      return 1;
    },
  );
}

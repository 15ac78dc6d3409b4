import { execFile } from 'node:child_process';
import { appendFileSync, cpSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { entry, freshBuild } from '../wire/support/build.js';

await freshBuild();

interface Ended {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

const policy = (...args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(process.execPath, [entry, 'policy', ...args], { timeout: 120_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? null), stdout, stderr });
    });
  });

const roomy = ['--budget-ms', '250']; // other tests share the cores

function copied(t: Test): { directory: string; authz: string; bundle: string } {
  const directory = t.testdir();
  cpSync('policies', directory, { recursive: true });
  return {
    directory,
    authz: join(directory, 'bundle/memgate/authz/authz.rego'),
    bundle: join(directory, 'dist/memgate.tar.gz'),
  };
}

t.test('policy ci', async (t) => {
  const { directory, authz } = copied(t);
  t.match(await policy('ci', directory, ...roomy), {
    code: 0,
    stdout:
      /^format +ok \(\d+ files\)\n(?:.*\n)*bundle +ok \(\d+ members\)\nrevision [0-9a-f]{32}, by .* opa .*: good\n$/,
    stderr: '',
  });
  appendFileSync(authz, '\nbroken if time.now_ns() > 0\n');
  t.match(await policy('ci', directory, ...roomy), {
    code: 1,
    stdout: /^check +FAILED\n.*authz\.rego:\d+:\d+: undefined/m,
  });
  const json = await policy('ci', directory, '--format', 'json', ...roomy);
  t.match(JSON.parse(json.stdout), { ok: false, checks: [{ name: 'format' }, { name: 'check', outcome: 'failed' }] });
  t.match(await policy('ci', directory, '--format', 'junit', ...roomy), {
    code: 1,
    stdout: /^<\?xml .*\n<testsuites /,
  });
  t.match(await policy('ci', directory, '--format', 'markdown', ...roomy), {
    code: 1,
    stdout: /^## Policy: not good\n/,
  });
});

t.test('policy check, test', async (t) => {
  const { directory } = copied(t);
  t.match(await policy('check', directory, ...roomy), {
    code: 0,
    stdout: /^check +ok\nentrypoint +ok\nhostile inputs +ok/,
  });
  t.match(await policy('test', directory, '--threshold', '90', ...roomy), {
    code: 0,
    stdout:
      /^entrypoint +ok\nhostile inputs +ok .*\ntests +ok .*\ncoverage +ok .*\ncases by the compiler +ok .*\ncases by WebAssembly +ok/,
  });
  rmSync(join(directory, 'bundle/memgate/tools/tools_test.rego'));
  t.match(await policy('test', directory, '--threshold', '100', ...roomy), {
    code: 1,
    stdout: /^coverage +FAILED .*\n(?:.*\n)* +memgate\/tools\/tools\.rego: \d+\.\d %, no test reaches the rows \d/m,
  });
  t.match(await policy('check', join(directory, 'nosuch')), { code: 1, stdout: '', stderr: /nosuch\/bundle: / });
  t.match(await policy('test', directory, '--threshold', '101'), { code: 2, stderr: /must be a number from 0 to 100/ });
});

t.test('policy fmt', async (t) => {
  const { directory, authz } = copied(t);
  t.strictSame(await policy('fmt', '--check', directory), { code: 0, stdout: '', stderr: '' });
  const good = readFileSync(authz, 'utf8');
  writeFileSync(authz, good.replace('default allow := false', 'default   allow :=   false'), { mode: 0o640 });
  const { mode } = statSync(authz);
  t.match(await policy('fmt', '--check', directory), { code: 1, stdout: `${authz}\n` });
  t.not(readFileSync(authz, 'utf8'), good, 'nothing is written');
  t.match(await policy('fmt', directory), { code: 0, stdout: `${authz}\n` });
  t.equal(readFileSync(authz, 'utf8'), good);
  t.equal(statSync(authz).mode, mode);
  appendFileSync(authz, '\nbroken if {\n');
  t.match(await policy('fmt', directory), { code: 1, stdout: '', stderr: /authz\.rego:\d+:\d+: / });
});

t.test('policy build, inspect', async (t) => {
  const { directory, bundle, authz } = copied(t);
  const shipped = readFileSync(bundle);
  rmSync(bundle);
  t.match(await policy('build', directory), {
    code: 0,
    stdout: /memgate\.tar\.gz: revision [0-9a-f]{32}, \d+ bytes\n$/,
  });
  const first = readFileSync(bundle);
  await policy('build', directory, '--output', join(directory, 'again', 'b.tar.gz'));
  t.ok(readFileSync(join(directory, 'again', 'b.tar.gz')).equals(first), 'the same sources give the same bytes');
  const facts = await policy('inspect', bundle, '--format', 'json');
  const view = JSON.parse(facts.stdout) as { revision: string; members: Record<string, number> };
  t.match(view, { entrypoint: 'memgate/authz/decision', serial: null, signed: false, data: { roles: Number } });
  t.ok((view.members['policy.wasm'] ?? 0) > 100_000);
  writeFileSync(bundle, shipped);
  t.match(
    JSON.parse((await policy('inspect', bundle, '--format', 'json')).stdout),
    view,
    'what is shipped is the same',
  );
  t.match(await policy('inspect', bundle), {
    code: 0,
    stdout: /^revision +[0-9a-f]{32}\n(?:.*\n)*policy\.wasm +\d+$/m,
  });
  t.match(await policy('inspect', authz), { code: 1, stdout: '', stderr: /authz\.rego: .*gzip/ });

  appendFileSync(authz, '\nbroken if {\n');
  t.match(await policy('build', directory), { code: 1, stdout: '', stderr: /check +FAILED\n.*authz\.rego:\d+/ });
  t.ok(readFileSync(bundle).equals(shipped), 'the bundle that is there stays');
});

t.test('parts may lie elsewhere, and capabilities that are not there are the shipped ones', async (t) => {
  const { directory } = copied(t);
  const elsewhere = join(directory, 'elsewhere');
  mkdirSync(elsewhere);
  const parts = ['--sources', join(directory, 'bundle'), '--cases', join(directory, 'cases')];
  const first = await policy('check', elsewhere, ...parts, ...roomy);
  t.match(first, { code: 0 });
  const named = await policy(
    'check',
    elsewhere,
    ...parts,
    '--capabilities',
    join(directory, 'capabilities.json'),
    ...roomy,
  );
  t.equal(named.stdout.split('\n').at(-2), first.stdout.split('\n').at(-2), 'one revision');
  t.match(await policy('check', elsewhere, ...parts, '--opa', process.execPath), {
    code: 1,
    stderr: /wanted opa 1\.19\.1/,
  });
  t.notOk(existsSync(join(elsewhere, 'dist')));
});

t.test('a clone with only Node comes to the same', async (t) => {
  const { directory } = copied(t);
  const wasm = await policy('ci', directory, '--compiler', 'wasm', '--format', 'json', ...roomy);
  const report = JSON.parse(wasm.stdout) as { checks: { outcome: string }[] };
  t.match(report, { ok: true, compiler: /^wasm opa 1\.19\.1$/, coverage: { percent: 100 } });
  t.strictSame(
    new Set(report.checks.map(({ outcome }) => outcome)),
    new Set(['passed']),
    'the bundle of the native one too',
  );
});

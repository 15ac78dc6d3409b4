import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { freshBuild } from '../wire/support/build.js';
import { copied, policy, roomy } from './policy-program.js';

await freshBuild();

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

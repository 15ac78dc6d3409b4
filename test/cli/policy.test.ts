import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { freshBuild } from '../wire/support/build.js';
import { copied, policy, roomy } from './policy-program.js';

await freshBuild();

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

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t, { type Test } from 'tap';
import { execFileSync } from 'node:child_process';
import { chmodSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { describeRegoProblem, openCompiler, opaVersion, shippedCapabilities } from '../../src/rego/rego.js';
import type * as rego from '../../src/rego/rego.js';
import { compilerFor, sourcesOf, withRules } from './support/sources.js';

const leftOut = (t: Test): void => {
  t.comment('left out: the native compiler, which is not there');
};

// The process of its own runs built files.
const built = (await import(resolve('dist/rego/rego.js'))) as Pick<typeof rego, 'compileAside'>;

// A policy that multiplies long lists is looked at for hours; its type is fine.
const endless = withRules(`
slow if {
	some a in numbers.range(1, 100000)
	some b in numbers.range(1, 100000)
	a * b == -1
}

reasons contains "slow" if slow`);

for (const kind of ['wasm', 'native'] as const) {
  t.test(`${kind}: a policy without an end is ended, and the next call answers`, async (t) => {
    const compiler = await compilerFor(t, { only: kind, bounds: { callMs: 15_000 } });
    if (compiler === null) {
      leftOut(t);
      return;
    }
    t.strictSame(await compiler.check(sourcesOf()), []);
    const hurried = await compilerFor(t, { only: kind, bounds: { callMs: 3_000 } });
    t.match(await hurried?.evaluate(endless, ['{"role": "reader"}']), {
      ok: false,
      why: [{ code: 'compiler_timeout' }],
    });
    t.match(await compiler.evaluate(sourcesOf(), ['{}']), { ok: true });
  });

  t.test(`${kind}: closing ends what is running`, async (t) => {
    const compiler = await compilerFor(t, { only: kind });
    if (compiler === null) {
      leftOut(t);
      return;
    }
    const running = compiler.evaluate(endless, ['{"role": "reader"}']);
    setTimeout(() => void compiler.close(), 500);
    t.match(await running, { ok: false, why: [{ code: 'compiler_failed', message: /closed/ }] });
  });

  t.test(`${kind}: an answer has a bound`, async (t) => {
    const compiler = await compilerFor(t, { only: kind, bounds: { outputBytes: 10_000 } });
    if (compiler === null) {
      leftOut(t);
      return;
    }
    const long = withRules('reasons contains $"much {n}" if some n in numbers.range(1, 5000)');
    t.match(await compiler.evaluate(long, ['{}']), { ok: false, why: [{ code: 'compiler_output' }] });
  });
}

t.test('wasm: memory has a bound, and the process does not feel it', async (t) => {
  const compiler = await compilerFor(t, { only: 'wasm' });
  if (compiler === null) return t.fail('there is no compiler');
  const greedy = withRules('reasons contains "much" if bits.lsh(1, 4000000000) > 0');
  t.match(await compiler.evaluate(greedy, ['{}']), { ok: false, why: [{ code: 'compiler_memory' }] });
  t.match(await compiler.evaluate(sourcesOf(), ['{}']), { ok: true });
});

t.test('a named program must be the compiler of the one version', async (t) => {
  const program = join(t.testdir(), 'opa');
  writeFileSync(program, '#!/bin/sh\necho "Version: 1.0.0"\n');
  chmodSync(program, 0o755);
  t.match(await openCompiler({ opa: program }), {
    ok: false,
    why: `${program} is opa 1.0.0; wanted opa ${opaVersion}`,
  });
  t.match(await openCompiler({ opa: '/nowhere/opa' }), { ok: false, why: /cannot be run/ });
});

t.test('aside: a directory becomes a bundle in a process of its own', async (t) => {
  const bundle = await built.compileAside(sourcesOf());
  t.ok(bundle.ok && bundle.value.length > 0);
});

t.test('aside: a failing test, a broken rule and a policy without an end are told', async (t) => {
  const failing = sourcesOf({ 'memgate/more_test.rego': 'package memgate.more_test\n\ntest_no if 1 == 2\n' });
  t.match(await built.compileAside(failing), {
    ok: false,
    why: [{ code: 'test_failed', file: 'memgate/more_test.rego', row: 3, message: /test_no does not pass/ }],
  });
  t.match(await built.compileAside(withRules('allow if {')), { ok: false, why: [{ code: 'rego_parse_error' }] });
  const test = 'package memgate.more_test\n\ntest_slow if not data.memgate.authz.slow\n';
  const slow = { ...endless, files: new Map([...endless.files, ['memgate/more_test.rego', Buffer.from(test)]]) };
  const before = children();
  t.match(await built.compileAside(slow, 4_000), { ok: false, why: [{ code: 'compiler_timeout' }] });
  await new Promise((resolve) => setTimeout(resolve, 2_500)); // the process gets a second to end by itself
  t.strictSame(children(), before, 'nothing of it is left');
});

t.test('aside: neither a test of a policy nor a schema in a comment asks another machine', async (t) => {
  let asked = 0;
  const server = createServer((_request, response) => {
    asked += 1;
    response.end('{}');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  const url = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}/`;
  const test = `package memgate.out_test\n\ntest_out if http.send({"method": "GET", "url": "${url}"}).status_code == 200\n`;
  t.match(await built.compileAside(sourcesOf({ 'memgate/out_test.rego': test })), { ok: false });
  t.equal(asked, 0, 'a test');
  const schema = `# METADATA\n# scope: rule\n# schemas:\n#   - input.foo: {"$ref": "${url}"}\n`;
  const rules = `package memgate.typed\n\n${schema}typed if input.foo == 1\n`;
  t.match(await built.compileAside(sourcesOf({ 'memgate/typed.rego': rules })), { ok: false });
  t.equal(asked, 0, 'a schema');
});

/** Processes that this one has started, directly or not. */
function children(): readonly string[] {
  const rows = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).split('\n');
  const all = rows.map((row) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(row)).filter((row) => row !== null);
  const found: string[] = [];
  const collect = (parent: string): void => {
    for (const [, pid = '', ppid = '', args = ''] of all) {
      if (ppid !== parent) continue;
      if (/compile-worker|opa /.test(args)) found.push(pid);
      collect(pid);
    }
  };
  collect(String(process.pid));
  return found;
}

t.test('a problem is one line for people', async (t) => {
  const problem = { file: 'a.rego', row: 3, column: 1, code: 'rego_type_error', message: 'no' };
  t.equal(describeRegoProblem(problem), 'a.rego:3:1: rego_type_error: no');
  t.equal(describeRegoProblem({ ...problem, file: '', row: 0 }), 'rego_type_error: no');
  t.match(JSON.parse(await shippedCapabilities()), { builtins: Array });
});

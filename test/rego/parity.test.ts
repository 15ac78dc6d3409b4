import t, { type Test } from 'tap';
import { resolve } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { unpackTar } from 'modern-tar';
import { readSourceDirectory, sourceRevision, type Compiler, type RegoSources } from '../../src/rego/rego.js';
import { capabilities, compilerFor, small, sourcesOf, withRules } from './support/sources.js';

// Both forms of the compiler are asked the same, and must answer the same. Where there is no native one the answers
// of the other are still looked at.

const wasm = await compilerFor(t, { only: 'wasm' });
const native = await compilerFor(t, { only: 'native' });
if (native === null) t.comment('left out: parity with the native compiler, which is not there');

async function both<T>(t: Test, ask: (compiler: Compiler) => Promise<T>): Promise<T> {
  if (wasm === null) throw new Error('impossible');
  const answer = await ask(wasm);
  if (native !== null) t.strictSame(answer, await ask(native), 'the native compiler says the same');
  return answer;
}

const rule = 'memgate/authz/authz.rego';
const lines = (small[rule] ?? '').split('\n').length;

const wrongs: readonly { name: string; sources: RegoSources; file: string; row: number; code: string; says: RegExp }[] =
  [
    {
      name: 'broken syntax',
      sources: sourcesOf({ [rule]: 'package memgate.authz\n\nallow := := 1\n' }),
      file: rule,
      row: 3,
      code: 'rego_parse_error',
      says: /./,
    },
    {
      name: 'a type that cannot be',
      sources: withRules('wrong := 1 + "a"'),
      file: rule,
      row: lines + 1,
      code: 'rego_type_error',
      says: /invalid argument/,
    },
    {
      name: 'a name that nothing has',
      sources: withRules('wrong if nobody'),
      file: rule,
      row: lines + 1,
      code: 'rego_unsafe_var_error',
      says: /nobody/,
    },
    {
      name: 'a built-in that the engine lacks',
      sources: withRules('now := time.now_ns()'),
      file: rule,
      row: lines + 1,
      code: 'rego_type_error',
      says: /undefined function time.now_ns/,
    },
    {
      name: 'an import that is not used',
      sources: sourcesOf({
        [rule]: `package memgate.authz\n\nimport data.roles\n\n# METADATA\n# entrypoint: true\ndecision := 1\n`,
      }),
      file: rule,
      row: 3,
      code: 'rego_compile_error',
      says: /import data.roles unused/,
    },
    {
      name: 'a mistake in a test',
      sources: sourcesOf({ 'memgate/authz/authz_test.rego': 'package memgate.authz_test\n\ntest_x if nobody\n' }),
      file: 'memgate/authz/authz_test.rego',
      row: 3,
      code: 'rego_unsafe_var_error',
      says: /nobody/,
    },
  ];

t.test('check', async (t) => {
  t.strictSame(await both(t, (compiler) => compiler.check(sourcesOf())), [], 'a good policy has no problem');
  for (const { name, sources, file, row, code, says } of wrongs) {
    t.test(name, async (t) => {
      const problems = await both(t, (compiler) => compiler.check(sources));
      const [first] = problems;
      t.match(first, { file, row, code, message: says });
      t.ok((first?.column ?? 0) > 0, 'with a column');
    });
  }
});

t.test('check says what no file is to blame for', async (t) => {
  const outside = sourcesOf({ '.manifest': '{"roots": ["memgate"], "rego_version": 1}' });
  t.match(await both(t, (compiler) => compiler.check(outside)), [{ file: '', message: /roles/ }]);
  const text = { ...sourcesOf(), capabilities: 'no JSON' };
  for (const compiler of [wasm, native])
    if (compiler !== null) t.not((await compiler.check(text)).length, 0, 'capabilities that are no JSON');
});

t.test('names and texts are checked before any compiler sees them', async (t) => {
  const files = new Map<string, Uint8Array>([
    ['../outside.rego', Buffer.from('package a')],
    ['/absolute.rego', Buffer.from('package a')],
    ['bytes.rego', Uint8Array.of(0xff)],
  ]);
  const problems = await both(t, (compiler) => compiler.check({ files, capabilities }));
  t.strictSame(problems.map(({ code }) => code).sort(), ['source_encoding', 'source_name', 'source_name']);
});

t.test('format', async (t) => {
  const untidy = sourcesOf({ 'memgate/authz/more.rego': 'package memgate.authz\nmore   :=   1\n' });
  const changed = await both(t, (compiler) => compiler.format(untidy));
  t.strictSame(changed.ok && [...changed.value], [['memgate/authz/more.rego', 'package memgate.authz\n\nmore := 1\n']]);
  const broken = await both(t, (compiler) => compiler.format(withRules('allow if {')));
  t.match(broken, { ok: false, why: [{ file: rule, code: 'rego_parse_error' }] });
});

t.test('test', async (t) => {
  const good = await both(t, (compiler) => compiler.test(sourcesOf(), { coverage: true }));
  if (!good.ok) return t.fail('the tests did not run');
  t.strictSame(
    good.value.tests.map(({ name, status }) => [name, status]),
    [
      ['test_reader_reads', 'passed'],
      ['test_roles', 'passed'],
      ['test_reasons', 'passed'],
    ],
  );
  t.strictSame(good.value.tests[1]?.cases, [
    { name: 'reader', passed: true },
    { name: 'writer', passed: true },
  ]);
  t.equal(good.value.coverage?.percent, 100);

  const more = `package memgate.more_test

test_wrong if {
	print("looked at", 1)
	1 == 2
}

test_conflict if data.memgate.more.both == 1

todo_test_later if false

test_table[name] if {
	some name in ["one", "two"]
	name == "one"
}
`;
  const both_ = 'package memgate.more\n\nboth := 1 if true\n\nboth := 2 if true\n\nunused := 1 if input.never\n';
  const mixed = sourcesOf({ 'memgate/more/more_test.rego': more, 'memgate/more/more.rego': both_ });
  const report = await both(t, (compiler) => compiler.test(mixed, { coverage: true }));
  if (!report.ok) return t.fail('the tests did not run');
  const byName = new Map(report.value.tests.map((each) => [each.name, each]));
  t.match(byName.get('test_wrong'), {
    status: 'failed',
    row: 3,
    output: /looked at 1/,
    file: 'memgate/more/more_test.rego',
  });
  t.match(byName.get('test_conflict'), { status: 'broken', problems: [{ code: 'eval_conflict_error' }] });
  t.match(byName.get('todo_test_later'), { status: 'skipped' });
  t.match(byName.get('test_table'), { status: 'failed', cases: [{ passed: true }, { passed: false }] });
  t.equal(report.value.coverage, null, 'no coverage where a test did not pass');

  const missed = sourcesOf({ 'memgate/more/more.rego': 'package memgate.more\n\nunused := 1 if input.never\n' });
  const covered = await both(t, (compiler) => compiler.test(missed, { coverage: true }));
  t.strictSame(covered.ok && covered.value.coverage?.files.get('memgate/more/more.rego')?.missed, [[3, 3]]);
});

const members = async (bundle: Buffer): Promise<Map<string, string>> => {
  const entries = await unpackTar(gunzipSync(bundle), { strict: true });
  return new Map(entries.map(({ header, data }) => [header.name, Buffer.from(data ?? []).toString('base64')]));
};

t.test('build', async (t) => {
  const read = await readSourceDirectory(resolve('policies/bundle'));
  if (!read.ok) return t.fail('the shipped policy cannot be read');
  for (const sources of [sourcesOf(), { files: read.value, capabilities }]) {
    const revision = sourceRevision(sources);
    const built = await both(t, async (compiler) => {
      const answer = await compiler.build(sources, { revision });
      return answer.ok ? members(answer.value) : answer.why;
    });
    if (!(built instanceof Map)) return t.fail('the policy was not built');
    t.ok(built.has('/policy.wasm'));
    t.notOk(
      [...built.keys()].some((name) => name.endsWith('_test.rego')),
      'tests stay outside',
    );
    t.match(JSON.parse(Buffer.from(built.get('/.manifest') ?? '', 'base64').toString()), { revision });
  }
  const wrong = await both(t, (compiler) => compiler.build(withRules('now := time.now_ns()'), { revision: 'x' }));
  t.match(wrong, { ok: false, why: [{ file: rule, code: 'rego_type_error' }] });
});

const inputs = [
  '{"role": "reader", "action": "read"}',
  '{"role": "reader", "action": "write"}',
  '{}',
  'null',
  '"text"',
  '[1.0, 1e3]',
];

t.test('evaluate', async (t) => {
  const decisions = await both(t, (compiler) => compiler.evaluate(sourcesOf(), inputs));
  if (!decisions.ok) return t.fail('nothing was evaluated');
  t.strictSame(decisions.value[0], { ok: true, value: { allow: true, reasons: [] } });
  t.strictSame(decisions.value[1], { ok: true, value: { allow: false, reasons: ['action'] } });
  t.equal(decisions.value.length, inputs.length);

  const only =
    'package memgate.authz\n\n# METADATA\n# entrypoint: true\ndecision := input.a if input.a\n\ndecision := 2 if input.a == 1\n';
  const partial = sourcesOf({ [rule]: only, 'memgate/authz/authz_test.rego': null });
  const mixed = await both(t, (compiler) => compiler.evaluate(partial, ['{"a": 3}', '{}', '{"a": 1}', '{"a": 2}']));
  if (!mixed.ok) return t.fail('nothing was evaluated');
  t.strictSame(
    [mixed.value[0], mixed.value[1], mixed.value[3]],
    [
      { ok: true, value: 3 },
      { ok: true, value: undefined },
      { ok: true, value: 2 },
    ],
  );
  t.match(mixed.value[2], { ok: false, why: [{ code: 'eval_conflict_error', file: rule }] });
});

t.test('explain', async (t) => {
  const explained = await both(t, (compiler) => compiler.explain(sourcesOf(), '{"role": "nobody", "action": "read"}'));
  if (!explained.ok) return t.fail('nothing was explained');
  const { value, steps } = explained.value;
  t.strictSame(value, { allow: false, reasons: [] });
  t.ok(
    steps.some(({ step, text }) => step === 'fail' && text === 'data.roles[input.role]'),
    'the expression that was not true',
  );
  t.ok(
    steps.some(({ step, rule: name }) => step === 'enter' && name === 'data.memgate.authz.allow'),
    'the rule that it stands in',
  );
});

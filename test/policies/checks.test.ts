import { appendFileSync, cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { describeProblem } from '../../src/base/document.js';
import { checkNames, readSources, runChecks, type CheckName, type Report } from '../../src/policies/policies.js';
import { openCompiler } from '../../src/rego/rego.js';

const opened = await openCompiler();
if (!opened.ok) throw new Error(opened.why);
const compiler = opened.value;
t.teardown(() => compiler.close());

const demands = { coveragePercentMin: 95, budgetMs: 250 }; // other tests share the cores

/** A copy of the shipped policies, changed. */
function changed(t: Test, change: (directory: string) => void): string {
  const directory = t.testdir();
  cpSync('policies', directory, { recursive: true });
  change(directory);
  return directory;
}

const layoutOf = (directory: string) => ({
  bundleDir: join(directory, 'bundle'),
  casesDir: join(directory, 'cases'),
  capabilitiesFile: join(directory, 'capabilities.json'),
  outputFile: join(directory, 'dist', 'memgate.tar.gz'),
});

async function checked(directory: string, names: readonly CheckName[] = checkNames): Promise<Report> {
  const layout = layoutOf(directory);
  const sources = await readSources(layout);
  if (!sources.ok) throw new Error(sources.why.map(describeProblem).join('\n'));
  const { report } = await runChecks(names, { layout, sources: sources.value, compiler, demands, clock: systemClock });
  return report;
}

const outcomes = ({ checks }: Report): Record<string, string> =>
  Object.fromEntries(checks.map(({ name, outcome }) => [name, outcome]));

const problems = ({ checks }: Report): string[] =>
  checks.flatMap(({ name, items }) =>
    items.flatMap(({ problem }) => (problem === null ? [] : [`${name}: ${describeProblem(problem)}`])),
  );

t.test('the shipped policies pass every check, and nothing is left out', async (t) => {
  const report = await checked(changed(t, () => undefined));
  t.strictSame(problems(report), []);
  t.strictSame(outcomes(report), Object.fromEntries(checkNames.map((name) => [name, 'passed'])));
  t.ok(report.ok);
  t.ok((report.coverage?.percent ?? 0) >= 95);
  t.equal(report.revision.length, 32);
});

const authz = (directory: string): string => join(directory, 'bundle/memgate/authz/authz.rego');
const edit = (file: string, from: string | RegExp, to: string): void => {
  const text = readFileSync(file, 'utf8');
  const edited = text.replace(from, to);
  if (edited === text) throw new Error(`${file} does not hold ${String(from)}`);
  writeFileSync(file, edited);
};

interface Broken {
  readonly name: string;
  readonly change: (directory: string) => void;
  readonly names?: readonly CheckName[];
  /** Each stands in one of the problems. */
  readonly told: readonly RegExp[];
  readonly leftOut?: readonly CheckName[];
}

const allAfterCheck = checkNames.filter((name) => name !== 'format' && name !== 'check');
const broken: readonly Broken[] = [
  {
    name: 'syntax',
    change: (directory) => appendFileSync(authz(directory), '\nbroken if {\n'),
    told: [/^check: .*bundle\/memgate\/authz\/authz\.rego:\d+:\d+: /],
    leftOut: allAfterCheck,
  },
  {
    name: 'a wrong type',
    change: (directory) => appendFileSync(authz(directory), '\nbroken if count(1) == 2\n'),
    told: [/^check: .*authz\.rego:\d+:\d+: .*count/],
    leftOut: allAfterCheck,
  },
  {
    name: 'a function that the running process lacks',
    change: (directory) => appendFileSync(authz(directory), '\nbroken if time.now_ns() > 0\n'),
    told: [/^check: .*authz\.rego:\d+:\d+: undefined function time\.now_ns/],
    leftOut: allAfterCheck,
  },
  {
    name: 'two values of one rule',
    change: (directory) =>
      appendFileSync(authz(directory), '\naudit := "error" if input.now > 1\n\naudit := "debug" if input.now > 0\n'),
    names: ['check', 'entrypoint', 'hostile inputs', 'cases by the compiler', 'cases by WebAssembly'],
    told: [/^hostile inputs: .*activation: conflict/],
    leftOut: ['cases by the compiler', 'cases by WebAssembly'],
  },
  {
    name: 'two values of one rule for a single case',
    change: (directory) =>
      appendFileSync(
        authz(directory),
        ['error', 'debug']
          .map((level) => `\naudit := "${level}" if input.request.tool == "delete_entities"\n`)
          .join(''),
      ),
    names: ['check', 'entrypoint', 'hostile inputs', 'cases by the compiler', 'cases by WebAssembly'],
    told: [
      /^cases by the compiler: .*tools\.yaml:\d+:1: case ".*": there is no decision: complete rules must not produce/,
      /^cases by WebAssembly: .*tools\.yaml:\d+:1: case ".*": there is no decision: conflict/,
    ],
  },
  {
    name: 'a decision that is undefined for some inputs',
    change: (directory) => edit(authz(directory), 'default audit := "info"', 'audit := "info" if input.request.id'),
    names: ['check', 'entrypoint', 'hostile inputs'],
    told: [/^hostile inputs: .*the decision is undefined, on an input of 2 bytes \(\{\}\)/],
  },
  {
    name: 'a second entrypoint',
    change: (directory) =>
      edit(
        join(directory, 'bundle/memgate/switches/switches.rego'),
        '# description: Why everyone',
        '# entrypoint: true\n# description: Why everyone',
      ),
    names: ['check', 'entrypoint', 'hostile inputs'],
    told: [/^entrypoint: .*wanted exactly one entrypoint/],
    leftOut: ['hostile inputs'],
  },
  {
    name: 'a test that fails',
    change: (directory) =>
      appendFileSync(join(directory, 'bundle/memgate/switches/switches_test.rego'), '\ntest_wrong if 1 == 2\n'),
    names: ['tests', 'coverage'],
    told: [/^tests: .*switches_test\.rego:\d+:1: test_wrong failed/],
    leftOut: ['coverage'],
  },
  {
    name: 'rules that no test reaches',
    change: (directory) => {
      for (const name of ['tools', 'roles', 'limits', 'authz'])
        rmSync(join(directory, `bundle/memgate/${name}/${name}_test.rego`));
    },
    names: ['tests', 'coverage'],
    told: [/^coverage: .*the tests reach \d+\.\d % of the rows, wanted at least 95 %/],
  },
  {
    name: 'a case that is decided otherwise',
    change: (directory) =>
      edit(join(directory, 'cases/spaces.yaml'), 'reasons: [space.forbidden]', 'reasons: [space.unknown]'),
    names: ['cases by the compiler', 'cases by WebAssembly'],
    told: ['compiler', 'WebAssembly'].map(
      (by) =>
        new RegExp(
          `^cases by (?:the )?${by}: .*cases/spaces\\.yaml:\\d+:1: case "a foreign space": reasons is \\[space\\.forbidden\\], wanted \\[space\\.unknown\\]`,
        ),
    ),
  },
  {
    name: 'a file of cases with a mistake',
    change: (directory) => edit(join(directory, 'cases/spaces.yaml'), 'name: the own space', 'nome: the own space'),
    names: ['cases by WebAssembly'],
    told: [/^cases by WebAssembly: .*cases\/spaces\.yaml:\d+:\d+: cases\.0\.nome: unknown name; did you mean "name"/],
  },
  {
    name: 'a format of its own',
    change: (directory) => edit(authz(directory), 'default allow := false', 'default allow   :=   false'),
    names: ['format', 'check'],
    told: [/^format: .*authz\.rego: is not formatted/],
  },
  {
    name: 'a bundle that is not of these sources',
    change: (directory) => edit(join(directory, 'bundle/tiers/data.yaml'), 'rate: 60', 'rate: 61'),
    names: ['bundle'],
    told: [/^bundle: .*memgate\.tar\.gz: is not what the sources give \(revision .*different: data\.json, revision\)/],
  },
];

for (const { name, change, names = checkNames, told, leftOut = [] } of broken) {
  t.test(`a policy with ${name} is refused, and each mistake is told once`, async (t) => {
    const report = await checked(changed(t, change), names);
    t.notOk(report.ok);
    const found = problems(report);
    for (const form of told)
      t.ok(
        found.some((line) => form.test(line)),
        String(form),
        { found },
      );
    const omitted = report.checks.filter(({ outcome }) => outcome === 'left out').map((check) => check.name);
    t.strictSame(omitted, leftOut, 'left out', { found });
  });
}

t.test('differences are told field by field, by both evaluators', async (t) => {
  const directory = changed(t, (place) =>
    edit(join(place, 'cases/tiers.yaml'), 'want: { tier: free }', 'want: { tier: pro }'),
  );
  const { differences } = await checked(directory, ['cases by the compiler', 'cases by WebAssembly']);
  const own = differences.filter((row) => row.case === 'tier free' && row.field === 'tier');
  t.match(own, [
    { evaluator: 'compiler', wanted: 'pro', got: 'free', file: /tiers\.yaml$/ },
    { evaluator: 'WebAssembly', wanted: 'pro', got: 'free' },
  ]);
});

t.test('a compiled bundle that is not there is no mistake', async (t) => {
  const report = await checked(
    changed(t, (directory) => rmSync(join(directory, 'dist'), { recursive: true })),
    ['bundle'],
  );
  t.match(report, { ok: true, checks: [{ outcome: 'left out', note: /there is no .*memgate\.tar\.gz/ }] });
});

t.test('readSources() refuses what the compiler would pass over', async (t) => {
  const told = async (change: (directory: string) => void): Promise<string> => {
    const sources = await readSources(layoutOf(changed(t, change)));
    return sources.ok ? 'read' : sources.why.map(describeProblem).join('\n');
  };
  t.equal(await told(() => undefined), 'read');
  t.match(
    await told((directory) => writeFileSync(join(directory, 'bundle/tiers/tiers.yaml'), 'a: 1\n')),
    /bundle\/tiers\/tiers\.yaml: is not read by the compiler/,
  );
  t.match(
    await told((directory) => rmSync(join(directory, 'bundle'), { recursive: true })),
    /bundle: .*cannot be read|bundle: does not exist/,
  );
  t.match(
    await told((directory) => rmSync(join(directory, 'capabilities.json'))),
    /capabilities\.json: does not exist/,
  );
});

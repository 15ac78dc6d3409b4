import { spawnSync } from 'node:child_process';
import { fromMarkdown } from 'mdast-util-from-markdown';
import t from 'tap';
import { reportJson, reportJunit, reportMarkdown, reportText, type Report } from '../../src/policies/policies.js';

const hostile = 'a <b> & "c" \'d\' | `e` ]]> \u0007\u202e \ud800 <script>x</script>\n# head';
const report: Report = {
  ok: false,
  revision: 'abc',
  compiler: 'native opa 1.19.1',
  checks: [
    { name: 'format', outcome: 'passed', note: '2 files', items: [{ name: 'a.rego', problem: null }], ms: 12.4 },
    {
      name: 'check',
      outcome: 'failed',
      note: '',
      items: [{ name: 'strict', problem: { file: 'b/a.rego', line: 3, column: 2, path: '', message: hostile } }],
      ms: 1,
    },
    {
      name: 'cases by WebAssembly',
      outcome: 'failed',
      note: '',
      items: [{ name: hostile, problem: { file: 'c.yaml', line: 9, column: 1, path: '', message: hostile } }],
      ms: 2,
    },
    { name: 'tests', outcome: 'left out', note: '"check" comes first', items: [], ms: 0 },
  ],
  coverage: {
    percent: 90.04,
    wantedPercent: 95,
    files: [
      {
        file: 'a.rego',
        percent: 90,
        missed: [
          [3, 5],
          [9, 9],
        ],
      },
      { file: 'b.rego', percent: 100, missed: [] },
    ],
  },
  differences: [
    { evaluator: 'WebAssembly', case: hostile, file: 'c.yaml', line: 9, field: 'allow', wanted: 'false', got: hostile },
  ],
};

t.test('reportText() has a line for each check, and what is wrong under it', async (t) => {
  const lines = reportText(report).split('\n');
  t.match(lines, [
    'format                ok (2 files)',
    'check                 FAILED',
    /^ {2}b\/a\.rego:3:2: a <b>.*\\u0007\\u202e \\ud800/,
    'cases by WebAssembly  FAILED',
    /^ {2}c\.yaml:9:1: a <b>/,
    'tests                 left out ("check" comes first)',
    '  a.rego: 90.0 %, no test reaches the rows 3-5, 9',
    'revision abc, by native opa 1.19.1: NOT GOOD',
    '',
  ]);
});

t.test('reportJson() is one line', async (t) => {
  const text = reportJson(report);
  t.equal(text.indexOf('\n'), text.length - 1);
  t.match(JSON.parse(text), {
    ok: false,
    checks: [
      { looked_at: 1, problems: [] },
      { problems: [{ text: /^b\/a\.rego:3:2: / }] },
      {},
      { outcome: 'left out' },
    ],
    coverage: { percent: 90.04, wanted_percent: 95 },
    differences: [{ case: hostile }],
  });
});

const parse = `
import json, sys, xml.etree.ElementTree as tree
root = tree.fromstring(sys.stdin.buffer.read())
print(json.dumps([{'tag': e.tag, 'facts': dict(e.attrib), 'text': (e.text or '').strip()} for e in root.iter()]))
`;
interface Element {
  readonly tag: string;
  readonly facts: Readonly<Record<string, string>>;
  readonly text: string;
}

const hasPython = spawnSync('python3', ['-c', 'import xml.etree.ElementTree']).status === 0;

t.test(
  'reportJunit() is XML, whatever the names are',
  { skip: !hasPython && process.env['CI'] !== 'true' },
  async (t) => {
    const { stdout, stderr } = spawnSync('python3', ['-c', parse], { input: reportJunit(report), encoding: 'utf8' });
    t.equal(stderr, '');
    const elements = JSON.parse(stdout) as readonly Element[];
    const all = (wanted: string) => elements.filter(({ tag }) => tag === wanted);
    t.match(all('testsuites'), [{ facts: { tests: '4', failures: '2' } }]);
    t.match(
      all('testsuite').map(({ facts }) => facts),
      [
        { name: 'format', tests: '1', failures: '0', time: '0.012' },
        { name: 'check', failures: '1' },
        { name: 'cases by WebAssembly', failures: '1' },
        { name: 'tests', tests: '1', skipped: '1', failures: '0' },
      ],
    );
    t.equal(all('testcase').length, 4);
    t.match(all('testcase')[2], {
      facts: { name: /^a <b> & "c" 'd' \| `e` \]\]> \\u0007\\u202e \\ud800/, file: 'c.yaml', line: '9' },
    });
    t.match(all('failure'), [{ facts: { message: /<script>/ }, text: /^b\/a\.rego:3:2: a <b>/ }, { text: /^c\.yaml/ }]);
    t.match(all('skipped'), [{ facts: { message: '"check" comes first' } }]);
  },
);

interface Node {
  readonly type: string;
  readonly value?: string;
  readonly depth?: number;
  readonly children?: readonly Node[];
}
const nodesOf = (node: Node): Node[] => [node, ...(node.children ?? []).flatMap(nodesOf)];
const textOf = (node: Node): string => node.value ?? (node.children ?? []).map(textOf).join('');

t.test(
  'reportMarkdown() holds a table of checks, the coverage and the differences, and nothing of the sources as markup',
  async (t) => {
    const text = reportMarkdown(report);
    const nodes = nodesOf(fromMarkdown(text));
    t.strictSame(nodes.filter(({ type }) => type === 'heading').map(textOf), [
      'Policy: not good',
      'Coverage 90.0 %, wanted at least 95 %',
      'Differences',
      'Problems',
    ]);
    t.notOk(
      nodes.some(({ type }) => type === 'html'),
      text,
    );
    const rows = text.split('\n').filter((line) => line.startsWith('|'));
    t.ok(rows.includes('| format | passed | 2 files |'));
    t.ok(rows.includes('| check | **failed** |  |'));
    t.ok(rows.includes('| `a.rego` | 90.0 % | 3-5, 9 |'));
    const cells = (line: string): number => line.replaceAll('\\|', '').split('|').length - 2;
    t.strictSame(rows.map(cells), [3, 3, 3, 3, 3, 3, 3, 3, 3, 6, 6, 6], 'a bar in a name begins no cell');
    t.equal(nodes.filter(({ type }) => type === 'listItem').length, 1, 'differences are not told twice');
  },
);

t.test('reportMarkdown() of a good policy fits any comment', async (t) => {
  const [format] = report.checks;
  const many = Array.from({ length: 10_000 }, () => report.differences).flat();
  t.match(
    reportMarkdown({
      ...report,
      ok: true,
      checks: format === undefined ? [] : [format],
      coverage: null,
      differences: [],
    }),
    /^## Policy: good\n/,
  );
  const long = reportMarkdown({ ...report, differences: many });
  t.ok(long.length < 65_536, String(long.length));
  t.match(long, /9950 more are not shown/);
});

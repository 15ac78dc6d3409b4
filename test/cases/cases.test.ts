import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { describeProblem } from '../../src/base/document.js';
import { describeFailure, readCases, runCases, type Case } from '../../src/cases/cases.js';
import type { Decision } from '../../src/model/decision.js';
import { loaded, shipped } from '../authorize/fixtures/stage.js';

const file = `
input: { request: { action: read, permission: MemoryRead }, list: [1, 2] }
want:
  { allow: true, reasons: [], missing: [], tier: pro, limits: [], obligations: { audit: info, headers: {}, mask: [] } }
tiers:
  free: [{ id: tier, key: [subject], algorithm: token_bucket, rate: 60, per: 60, burst: 10, cost: 1 }]
  window: [{ id: tier, key: [subject], algorithm: sliding_window, rate: 60, per: 60, cost: 1 }]
cases:
  - name: as it stands
  - name: changed
    change: { request: { action: write }, list: [3] }
    want: { allow: false, reasons: [b.second, a.first], tier: free }
  - name: nothing at all
    whole: null
    want: { tier: window }
  - name: limits of its own
    want: { tier: free, limits: [] }
`;

async function read(t: Test, text: string): Promise<readonly Case[]> {
  const cases = await readCases(t.testdir({ 'a.yaml': text }));
  if (!cases.ok) throw new Error(cases.why.map(describeProblem).join('\n'));
  return cases.value;
}

t.test('readCases() lays each case over what the file says', async (t) => {
  const cases = await read(t, file);
  t.match(cases, [
    { line: 9, name: 'as it stands', want: { allow: true, tier: 'pro', limits: [], obligations: { audit: 'info' } } },
    { line: 10, name: 'changed', want: { allow: false, reasons: ['a.first', 'b.second'], limits: [{ burst: 10 }] } },
    { line: 13, inputText: 'null', want: { limits: [{ algorithm: 'sliding_window', burst: null }] } },
    { line: 16, want: { tier: 'free', limits: [] } },
  ]);
  t.strictSame(JSON.parse(cases[1]?.inputText ?? ''), {
    request: { action: 'write', permission: 'MemoryRead' },
    list: [3],
  });
});

const wrongs: readonly [name: string, from: string | RegExp, to: string, wanted: RegExp][] = [
  [
    'a field that nobody knows',
    'change: { req',
    'changes: { req',
    /a\.yaml:11:5: cases\.1\.changes: unknown name; did you/,
  ],
  [
    'a wish of the wrong type',
    'allow: false',
    'allow: no',
    /a\.yaml:12:\d+: cases\.1\.want\.allow: is "no", must be true/,
  ],
  [
    'a name that stands twice',
    'name: changed',
    'name: as it stands',
    /a\.yaml:10:\d+: cases\.1: a second case has this/,
  ],
  ['change and whole', 'whole: null', 'whole: null\n    change: {}', /a\.yaml:13:\d+: cases\.2: holds both "change"/],
  ['half a decision', 'missing: [], ', '', /a\.yaml:9:\d+: cases\.0: does not say the whole decision/],
  [
    'an algorithm of another name',
    'sliding_window',
    'window',
    /a\.yaml:7:\d+: tiers\.window\.0\.algorithm: .*must be one of/,
  ],
  ['a duty that nothing does', 'mask: []', 'mask: [x]', /a\.yaml:4:\d+: want\.obligations\.mask/],
  ['no case', /cases:[^]*/, 'cases: []', /a\.yaml:8:\d+: cases: must hold ≥ 1 items/],
  ['text that is no YAML', 'cases:', 'cases: [', /a\.yaml:\d+:\d+: /],
];
for (const [name, from, to, wanted] of wrongs) {
  t.test(`readCases() refuses ${name}, with its place`, async (t) => {
    const changed = file.replace(from, to);
    t.not(changed, file);
    const cases = await readCases(t.testdir({ 'a.yaml': changed }));
    t.notOk(cases.ok);
    t.match(cases.ok ? '' : cases.why.map(describeProblem).join('\n'), wanted);
  });
}

t.test('readCases() leaves dot names alone and refuses a gate without cases', async (t) => {
  const directory = t.testdir({
    empty: { 'README.md': 'x' },
    misnamed: { 'a.yaml': file, 'b.yml': file },
    volume: { '..2026': { 'a.yaml': file } },
  });
  symlinkSync('..2026', join(directory, 'volume', '..data'));
  symlinkSync(join('..data', 'a.yaml'), join(directory, 'volume', 'a.yaml'));
  const told = async (name: string): Promise<string> => {
    const cases = await readCases(join(directory, name));
    return cases.ok ? `${String(cases.value.length)} cases` : cases.why.map(describeProblem).join('\n');
  };
  t.match(await told('misnamed'), /b\.yml: is not read: cases are NAME\.yaml/);
  t.match(await told('empty'), /empty: holds no cases/);
  t.match(await told('nosuch'), /nosuch: does not exist; wanted a directory/);
  t.equal(await told('volume'), '4 cases', 'a volume of Kubernetes: each file once');
});

const yes: Decision = {
  allow: true,
  reasons: [],
  missing: [],
  tier: 'pro',
  limits: [],
  obligations: { audit: 'info' },
};

t.test('runCases() tells every difference, and what is thrown', async (t) => {
  const cases = await read(t, file);
  const asked: string[] = [];
  const failures = await runCases(cases, (text) => {
    asked.push(text);
    if (text === 'null') throw new Error('it conflicts');
    return yes;
  });
  t.equal(asked.length, 4);
  const told = failures.map((failure) => describeProblem(describeFailure(failure)));
  t.match(told, [
    /a\.yaml:10:1: case "changed": allow is true, wanted false; reasons is \[\], wanted \[a\.first, b\.second\]; tier is pro, wanted free; limits is \[\], wanted \[\{"id":"tier"/,
    /a\.yaml:13:1: case "nothing at all": there is no decision: it conflicts/,
    /a\.yaml:16:1: case "limits of its own": tier is pro, wanted free$/,
  ]);
});

t.test('runCases() lets other work through', async (t) => {
  const cases = await read(t, file);
  let turns = 0;
  const timer = setInterval(() => (turns += 1), 0);
  const until = performance.now() + 30;
  const many = Array.from({ length: 200 }, () => cases[0] as Case);
  await runCases(many, () => {
    while (turns === 0 && performance.now() < until) continue;
    return yes;
  });
  clearInterval(timer);
  t.ok(turns > 0);
});

t.test('the shipped policy gives what the shipped cases want', async (t) => {
  const cases = await readCases('policies/cases');
  if (!cases.ok) throw new Error(cases.why.map(describeProblem).join('\n'));
  t.ok(cases.value.length > 100);
  const policy = await loaded(shipped);
  t.strictSame(await runCases(cases.value, policy.evaluate), []);
});

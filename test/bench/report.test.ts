// What the page says of results, and that the committed page says it of the committed results.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { root } from '../wire/support/build.js';

const part = async (name: string): Promise<unknown> => import(join(root, 'bench', name));
const { aggregate } = (await part('aggregate.mjs')) as { aggregate: (result: unknown, before?: unknown) => object };
const { rendered } = (await part('report.mjs')) as {
  rendered: (directory: string) => { readonly page: string; readonly chart: string | null };
};
const { verdictOf } = (await part('targets.mjs')) as {
  verdictOf: (value: number, target: { must: number; aims: readonly number[] }) => string;
};

const rounds = 10;
const rowsOf = (variant: string, cpuUs: number, rest: object = {}): object[] =>
  Array.from({ length: rounds }, (_, round) => ({
    ...{ variant, round, cpuUs, requests: 5_000, errors: 0, rps: 2_500, rssMiB: 100, pssMiB: 80, foreign: 0.1 },
    ...{ parts: { node: cpuUs }, p50Us: 900, p99Us: 2_000, ...rest },
  }));
const variant = (name: string, copyOf?: string): object => ({
  name,
  note: `note of ${name}`,
  copyOf,
  idle: { rssMiB: 50 },
});
const resultOf = (scenarios: object, variants: readonly object[]): object => ({
  date: '2026-01-02T03:04:05.000Z',
  options: { seconds: 2, foreignMax: null },
  versions: { node: 'v20.0.0' },
  machine: { cores: 2, cpu: 'a processor', kernel: '6.1' },
  leftOut: [{ name: 'envoy', why: 'missing: /nowhere/envoy', isBroken: false }],
  variants,
  scenarios,
});
const names = [variant('memgate'), variant('memgate-again', 'memgate'), variant('fastify'), variant('memgate-bare')];
const getOf = (again: number): object => ({
  note: 'GET',
  rows: [
    ...rowsOf('memgate', 150),
    ...rowsOf('memgate-again', again),
    ...rowsOf('fastify', 300),
    ...rowsOf('memgate-bare', 50),
  ],
});

const render = (t: Test, kept: object, more: Record<string, string> = {}): ReturnType<typeof rendered> =>
  rendered(t.testdir({ 'latest.json': JSON.stringify(kept), ...more }));
const lineWith = (page: string, text: string): string => page.split('\n').find((line) => line.includes(text)) ?? '';

t.test('a target is judged in each scenario that was resolved', async (t) => {
  const kept = aggregate(resultOf({ 'get-64': getOf(152), 'post-64': getOf(200) }, names));
  const { page, chart } = render(t, kept);
  const line = lineWith(page, '| Fastify, all in one');
  t.match(line, '0.50 [0.50–0.50]', 'the ratio of GET');
  t.match(line, 'not resolved (memgate-again / memgate is 1.33)', 'and none of POST');
  t.match(line, 'aim 0.6 met; 3 of 4 open');
  t.match(lineWith(page, '14 lines'), 'not measured');
  t.match(page, '`envoy` was left out: missing: /nowhere/envoy');
  t.match(chart, /<text[^>]*>memgate<\/text>/);
  t.notMatch(chart, '>memgate-again<', 'a copy is no bar of its own');
});

t.test('an unresolved scenario shows its pair and no ratio at all', async (t) => {
  const { page } = render(t, aggregate(resultOf({ 'get-64': getOf(200) }, names)));
  t.notMatch(page, '0.50 [');
  t.match(page, '1.33 [1.33–1.33], n 10 (**not resolved**)');
});

t.test('too few rounds are not judged', async (t) => {
  const { note, rows } = getOf(150) as { note: string; rows: { round: number }[] };
  const few = { note, rows: rows.filter(({ round }) => round < rounds - 1) };
  const { page } = render(t, aggregate(resultOf({ 'get-64': few }, names)));
  t.match(lineWith(page, '| Fastify, all in one'), 'only 9 rounds');
});

t.test('a later run takes the place of an earlier one, scenario by scenario', async (t) => {
  const first = aggregate(resultOf({ 'get-64': getOf(150), 'get-8': getOf(150) }, names));
  const both = aggregate(resultOf({ 'get-8': getOf(200) }, names), first);
  const line = lineWith(render(t, both).page, '| Fastify, all in one');
  t.match(line, '0.50 [0.50–0.50] | not resolved');
});

t.test('added latency is judged only where a copy is no further off than half of it', async (t) => {
  const rate = (again: number): object => ({
    note: 'rate',
    rows: [
      ...rowsOf('direct', 0, { p50Us: 100, p99Us: 500, parts: {}, syncP50Us: 200, syncP99Us: 4_000 }),
      ...rowsOf('memgate', 150, { p50Us: 1_500, p99Us: 4_000 }),
      ...rowsOf('memgate-again', 150, { p50Us: again, p99Us: 4_000 }),
      ...rowsOf('memgate-buffered', 140, { p50Us: 800, p99Us: 2_000 }),
    ],
  });
  const all = [...names, variant('direct'), variant('memgate-buffered')];
  const calm = render(t, aggregate(resultOf({ 'rate-1000': rate(1_600) }, all))).page;
  t.match(lineWith(calm, 'added p50'), /0\.70 \[0\.70–0\.70\] ms \| must met/);
  t.match(lineWith(calm, 'strict − buffered, p50'), /0\.70 .*p50 0\.20, p99 4\.00 ms/);
  const rough = render(t, aggregate(resultOf({ 'rate-1000': rate(2_600) }, all))).page;
  t.match(lineWith(rough, 'added p50'), 'not resolved: the A/A pair is 1.10 ms apart');
});

t.test('figures of other runners and remarks on what was missed stand on the page', async (t) => {
  const kept = aggregate(resultOf({ 'get-64': getOf(150) }, names));
  const faults = [
    { id: 'R9', promise: 'slow clients', method: 'half heads', figure: { rss_mib: 200 }, ok: true },
    { id: 'R10', promise: 'wrong keys', method: 'a flood', figure: '3 ms', ok: false },
  ];
  const { page } = render(t, kept, { 'faults.json': JSON.stringify(faults), 'missed.md': 'It was the parser.\n' });
  t.match(page, '| R9 | slow clients | half heads | rss_mib 200 | kept |');
  t.match(lineWith(page, '| R10 |'), '**broken**');
  t.match(page, '## What was missed, and why\n\nIt was the parser.');
});

t.test('a verdict names the furthest aim', async (t) => {
  const target = { must: 0.3, aims: [0.25, 0.18] };
  t.equal(verdictOf(0.31, target), 'missed');
  t.equal(verdictOf(0.3, target), 'must met');
  t.equal(verdictOf(0.25, target), 'aim 0.25 met');
  t.equal(verdictOf(0.1, target), 'aim 0.18 met');
});

t.test('the committed page and chart are those of the committed results', async (t) => {
  const made = rendered(join(root, 'bench', 'results'));
  const committed = (name: string): string => readFileSync(join(root, 'docs', 'explanation', name), 'utf8');
  t.equal(committed('performance.md'), made.page, 'npm run bench:report writes them anew');
  t.ok(made.chart === null || existsSync(join(root, 'docs', 'explanation', 'performance.svg')));
  if (made.chart !== null) t.equal(committed('performance.svg'), made.chart);
});

// When a run may tell a ratio, and when it must not.
import { join } from 'node:path';
import t from 'tap';
import { root } from '../wire/support/build.js';

interface Row {
  readonly variant: string;
  readonly round: number;
  readonly cpuUs: number;
  readonly requests: number;
  readonly errors: number;
  readonly isDisturbed?: boolean;
}
interface Variant {
  readonly name: string;
  readonly copyOf?: string;
}
interface Comparison {
  readonly isResolved: boolean;
  readonly why?: string;
  readonly ratio: { readonly median: number; readonly n: number } | null;
}
interface Compare {
  pairedRatios(rows: readonly Row[], a: string, b: string): number[];
  compare(run: { variants: readonly Variant[]; rows: readonly Row[] }, a: string, b: string): Comparison;
}
interface Limits {
  readonly round: number;
  readonly rounds: number;
  readonly roundsMax: number;
}
interface Rounds {
  wantsMore(variants: readonly Variant[], rows: readonly Row[], limits: Limits): boolean;
}
interface Quick {
  verdict(rows: readonly Row[], recorded?: number): { readonly isFine: boolean; readonly text: string };
}

const part = async (name: string): Promise<unknown> => import(join(root, 'bench', name));
const { pairedRatios, compare } = (await part('compare.mjs')) as Compare;
const { wantsMore } = (await part('rounds.mjs')) as Rounds;
const { verdict } = (await part('quick.mjs')) as Quick;

const rowsOf = (variant: string, costs: readonly number[], rest: Partial<Row> = {}): Row[] =>
  costs.map((cpuUs, round) => ({ variant, round, cpuUs, requests: 1_000, errors: 0, ...rest }));
const variants: Variant[] = [
  { name: 'ours' },
  { name: 'ours-again', copyOf: 'ours' },
  { name: 'theirs' },
  { name: 'theirs-again', copyOf: 'theirs' },
  { name: 'others' },
];

t.test('rounds are compared with themselves, and only where nothing went wrong on either side', async (t) => {
  const rows = [...rowsOf('ours', [10, 20, 30, 40]), ...rowsOf('theirs', [20, 20, 20])];
  t.strictSame(pairedRatios(rows, 'ours', 'theirs'), [0.5, 1, 1.5], 'a round without a partner is left out');
  const wrong = rows.map((row) => (row.variant === 'theirs' && row.round === 1 ? { ...row, errors: 1 } : row));
  t.strictSame(pairedRatios(wrong, 'ours', 'theirs'), [0.5, 1.5], 'so is one with a wrong answer');
  const disturbed = rows.map((row) =>
    row.variant === 'ours' && row.round === 0 ? { ...row, isDisturbed: true } : row,
  );
  t.strictSame(pairedRatios(disturbed, 'ours', 'theirs'), [1, 1.5], 'and one that other jobs disturbed');
});

const ours = rowsOf('ours', [100, 100, 100]);
const theirs = rowsOf('theirs', [200, 200, 200]);
const copies = (name: string, cost: number): Row[] => rowsOf(`${name}-again`, [cost, cost, cost]);

const cases = [
  { what: 'a pair that came out alike', rows: copies('ours', 101), ratio: 0.5 },
  { what: 'a pair at the lower bound', rows: copies('ours', 95), ratio: 0.5 },
  { what: 'a pair at the upper bound', rows: copies('ours', 105), ratio: 0.5 },
  { what: 'a pair below it', rows: copies('ours', 94), why: 'ours-again / ours is 0.94' },
  { what: 'a pair above it', rows: copies('ours', 106), why: 'ours-again / ours is 1.06' },
  {
    what: 'one pair of two that is off',
    rows: [...copies('ours', 100), ...copies('theirs', 250)],
    why: 'theirs-again / theirs is 1.25',
  },
  { what: 'no pair', rows: [], why: 'no A/A pair of either side in this run' },
];
for (const { what, rows, ratio, why } of cases) {
  t.test(`${what}: ${ratio === undefined ? 'no ratio' : 'a ratio'}`, async (t) => {
    const told = compare({ variants, rows: [...ours, ...theirs, ...rows] }, 'ours', 'theirs');
    t.equal(told.isResolved, ratio !== undefined);
    t.equal(told.ratio?.median, ratio);
    t.equal(told.why, why);
  });
}

t.test('a pair of somebody else neither helps nor hinders', async (t) => {
  const rows = [...ours, ...rowsOf('others', [50, 50, 50]), ...theirs, ...copies('theirs', 300)];
  t.notOk(compare({ variants, rows }, 'ours', 'others').isResolved, 'no pair of either');
  const with1 = [...rows, ...copies('ours', 100)];
  t.equal(compare({ variants, rows: with1 }, 'ours', 'others').ratio?.median, 2, 'theirs being off does not matter');
});

t.test('rounds go on while a pair is off, and not for ever', async (t) => {
  const off = [...ours, ...copies('ours', 150)];
  const alike = [...ours, ...copies('ours', 100)];
  t.ok(wantsMore(variants, alike, { round: 2, rounds: 3, roundsMax: 6 }), 'as many as were asked for');
  t.notOk(wantsMore(variants, alike, { round: 3, rounds: 3, roundsMax: 6 }));
  t.ok(wantsMore(variants, off, { round: 3, rounds: 3, roundsMax: 6 }));
  t.notOk(wantsMore(variants, off, { round: 6, rounds: 3, roundsMax: 6 }));
});

t.test('the quick benchmark fails on wrong answers and far above what was recorded', async (t) => {
  const rows = [...rowsOf('memgate', [300, 310, 290]), ...rowsOf('memgate-bare', [100, 100, 100])];
  t.match(verdict(rows, 2.5), { isFine: true }, 'above, but not far');
  t.match(verdict(rows, 1.4), { isFine: false }, 'far above');
  t.match(verdict(rows), { isFine: true, text: /nothing recorded/ });
  t.match(verdict([...rows, ...rowsOf('memgate', [1], { errors: 1 })], 3), { isFine: false, text: /wrong/ });
  t.match(verdict(rowsOf('memgate', [300]), 3), { isFine: false }, 'nothing to compare with');
});

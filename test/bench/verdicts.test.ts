// The story: a speed says nothing while the engines do different work. Here each of them, started as the benchmark starts it, decides on
// the same cases with the same data, and all of them agree with the file. The proxies are asked by `node bench/peers/verdicts.mjs --proxies`.
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { freshBuild, root } from '../wire/support/build.js';

interface Case {
  readonly key: number | 'none' | 'unknown';
  readonly method: string;
  readonly from: string;
  readonly allow: boolean;
  readonly reasons: readonly string[];
}
interface Verdicts {
  readonly engine: string;
  readonly missing: string | null;
  readonly asked: number;
  readonly withReasons: number;
  readonly reached: number;
  readonly wrong: readonly Case[];
  readonly again?: { readonly count: number; readonly differing: number };
}
interface Parts {
  readonly compareVerdicts: (options: { cases: readonly Case[] }) => Promise<readonly Verdicts[]>;
  readonly readCases: () => Case[];
  readonly isCurrent: () => boolean;
}

const part = async (name: string): Promise<Partial<Parts>> =>
  (await import(join(root, 'bench', 'peers', name))) as Partial<Parts>;
const { readCases, isCurrent, compareVerdicts } = {
  ...(await part('cases.mjs')),
  ...(await part('verdicts.mjs')),
} as Parts;

const compilerIsMissing = !existsSync(join(root, '.cache', 'bin', 'opa'));
const skip = compilerIsMissing && process.env['CI'] !== 'true' ? 'left out: opa in .cache/bin' : false;

t.test('cases.json is what the data and the rules give, and holds a case for every reason', async (t) => {
  const cases = readCases();
  t.ok(isCurrent(), 'run node bench/peers/cases.mjs');
  t.ok(cases.length >= 200);
  const alone = new Set(cases.filter(({ reasons }) => reasons.length === 1).flatMap(({ reasons }) => reasons));
  for (const reason of ['credential.expired', 'credential.network', 'credential.revoked', 'credential.scope'])
    t.ok(alone.has(reason), reason);
  for (const reason of ['permission.missing', 'principal.disabled', 'space.frozen', 'space.unknown'])
    t.ok(alone.has(reason), reason);
  const all = new Set(cases.flatMap(({ reasons }) => reasons));
  t.ok(all.has('route.unknown') && all.has('credential.unknown'));
  t.ok(cases.filter(({ allow }) => allow).length > 50, 'both verdicts are there in numbers');
});

t.test('OPA, its Wasm in Node and memgate decide alike', { skip }, async (t) => {
  await freshBuild();
  const cases = readCases();
  const allowed = cases.filter(({ allow }) => allow).length;
  const results = await compareVerdicts({ cases });
  t.equal(results.length, 3);
  for (const { engine, missing, asked, wrong } of results) {
    t.equal(missing, null, engine);
    t.equal(asked, cases.length, engine);
    t.strictSame(wrong, [], engine);
  }
  const [opa, , memgate] = results as [Verdicts, Verdicts, Verdicts];
  t.equal(opa.withReasons, cases.length, 'the reasons of OPA are compared');
  t.ok(memgate.withReasons > 400, 'and those of memgate, wherever the policy was asked');
  t.equal(memgate.reached, allowed, 'the upstream got what was allowed and nothing else');
  t.strictSame(memgate.again, { count: memgate.withReasons, differing: 0 }, 'opa eval decides as the record says');
});

t.test('a wrong verdict is found in each engine', { skip }, async (t: Test) => {
  const some = readCases()
    .filter(({ key, from }) => key === 7 && from === '127.0.0.1')
    .slice(0, 6);
  const turned = some.map((one, index) => (index === 3 ? { ...one, allow: !one.allow } : one));
  for (const { engine, wrong } of await compareVerdicts({ cases: turned })) t.equal(wrong.length, 1, engine);
});

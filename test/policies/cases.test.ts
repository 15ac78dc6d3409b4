import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { parse } from 'yaml';
import { loaded, shipped } from '../authorize/fixtures/stage.js';

const folder = (name: string): URL => new URL(`../../policies/${name}/`, import.meta.url);
const policy = await loaded(shipped);

interface Case {
  readonly name: string;
  readonly change?: unknown;
  readonly whole?: unknown;
  readonly want?: { readonly limits?: unknown };
}
interface CaseFile {
  readonly input: unknown;
  readonly want: object;
  readonly tiers?: Readonly<Record<string, unknown>>;
  readonly cases: readonly Case[];
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function merged(base: unknown, change: unknown): unknown {
  if (!isObject(base) || !isObject(change)) return change;
  const result = { ...base };
  for (const [name, value] of Object.entries(change)) result[name] = merged(base[name], value);
  return result;
}

for (const file of readdirSync(folder('cases'))) {
  t.test(`${file} gives the wanted decisions through WebAssembly`, async (t) => {
    const { input, want, tiers = {}, cases } = parse(readFileSync(new URL(file, folder('cases')), 'utf8')) as CaseFile;
    t.ok(cases.length > 5);
    for (const each of cases) {
      const wanted = merged(want, each.want ?? {}) as { tier: string; limits: unknown; obligations: { audit: string } };
      const text = JSON.stringify('whole' in each ? each.whole : merged(input, each.change ?? {}));
      t.strictSame(
        policy.evaluate(text),
        {
          ...wanted,
          limits: each.want?.limits ?? tiers[wanted.tier] ?? wanted.limits,
          obligations: { audit: wanted.obligations.audit },
        },
        each.name,
      );
    }
  });
}

t.test('the committed bundle is of the revision of its sources', async (t) => {
  const hash = createHash('sha256');
  const add = (name: string, bytes: Buffer): void =>
    void hash.update(`${String(name.length)}:${name}${String(bytes.length)}:`).update(bytes);
  const sources = readdirSync(folder('bundle'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !entry.name.endsWith('_test.rego'))
    .map((entry) =>
      `${entry.parentPath}/${entry.name}`.slice(fileURLToPath(folder('bundle')).length).replace(/^\//, ''),
    )
    .sort();
  for (const name of sources) add(name, readFileSync(new URL(name, folder('bundle'))));
  add('capabilities.json', readFileSync(new URL('../../policies/capabilities.json', import.meta.url)));
  t.equal(policy.revision, hash.digest('hex').slice(0, 32), 'run npm run policies -- --write');
});

t.test('the compiler may use nothing that the runtime lacks', async (t) => {
  const { builtins } = JSON.parse(
    readFileSync(new URL('../../policies/capabilities.json', import.meta.url), 'utf8'),
  ) as {
    builtins: readonly { name: string; nondeterministic?: boolean }[];
  };
  const names = new Set(builtins.map(({ name }) => name));
  for (const name of [
    'time.now_ns',
    'http.send',
    'io.jwt.decode',
    'rand.intn',
    'opa.runtime',
    'sprintf',
    'regex.split',
    'yaml.marshal',
    'trace',
  ]) {
    t.notOk(names.has(name), name);
  }
  t.notOk(builtins.some(({ nondeterministic }) => nondeterministic === true));
});

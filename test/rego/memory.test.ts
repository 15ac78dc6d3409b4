import t from 'tap';
import { compilingProblem } from '../../src/app/pressure.js';
import { schema } from '../../src/config/schema.js';

const mebibyte = 1_048_576;
const configOf = (policy: Readonly<Record<string, unknown>>, gateway = {}): Parameters<typeof compilingProblem>[0] =>
  schema.parse({ profile: 'engram', policy: { bundle: 'b.tar.gz', ...policy }, gateway });
const compiling = { compile_on_reload: true, sources: 'rego' };

const cases = [
  { name: 'a container with room for both', config: configOf(compiling), limit: 1_024, isFine: true },
  { name: 'a container without a limit', config: configOf(compiling), limit: null, isFine: true },
  { name: 'a container that is too small', config: configOf(compiling), limit: 512, isFine: false },
  { name: 'a small container where nothing is compiled', config: configOf({}), limit: 128, isFine: true },
  {
    name: 'a process that may take the rest itself',
    config: configOf(compiling, { max_rss_bytes: 700 * mebibyte }),
    limit: 1_024,
    isFine: false,
  },
];
for (const { name, config, limit, isFine } of cases) {
  t.test(`Rego at reload: ${name}`, async (t) => {
    const said = compilingProblem(config, limit === null ? null : limit * mebibyte);
    if (isFine) t.equal(said, null);
    else t.match(said, /policy\.compile_on_reload needs 448 MiB beside .* give it at least \d+ MiB/);
  });
}

t.test('one source of the policy, and a directory for what compiles', async (t) => {
  const problems = (policy: Readonly<Record<string, unknown>>): string =>
    schema.safeParse({ profile: 'engram', policy: { bundle: 'b.tar.gz', ...policy } }).error?.message ?? '';
  t.match(problems({ compile_on_reload: true }), /must name the directory that compile_on_reload is to compile/);
  t.match(
    problems({ ...compiling, server: { url: 'https://policies.example.org/b.tar.gz' } }),
    /a policy has one source/,
  );
  t.equal(problems(compiling), '');
});

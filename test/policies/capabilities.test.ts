import { readFileSync } from 'node:fs';
import t from 'tap';

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

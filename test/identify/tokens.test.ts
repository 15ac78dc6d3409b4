import { renameSync, rmSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { loadStaticTokens, type StaticTokenSpec } from '../../src/identify/identify.js';
import { FakeClock } from './fixtures/support.js';

const spec = (id: string, source: Pick<StaticTokenSpec, 'from_env' | 'from_file'>): StaticTokenSpec => ({
  id,
  permissions: ['MemoryRead'],
  roles: [],
  spaces: ['alpha'],
  ...source,
});
const first = 'Zq8fVn2LxR5tYw7cKp3M';
const second = 'Hb6dJs9GmT4kXv1QzN8e';
const prefixes = ['engram_key'];

t.test('a token from a file is taken without its newline, and replaced when the file is rewritten', async (t) => {
  const dir = t.testdir({ token: `${first}\n` });
  const file = `${dir}/token`;
  const warnings: string[] = [];
  const clock = new FakeClock();
  const loaded = await loadStaticTokens([spec('ci', { from_file: file })], {
    prefixes,
    clock,
    warn: (text) => void warnings.push(text),
  });
  if (!loaded.ok) throw new Error(loaded.why.join());
  const tokens = loaded.value;
  t.teardown(() => {
    tokens.close();
  });
  const entry = tokens.find(first);
  t.equal(entry?.spec.id, 'ci');
  t.equal(tokens.current('ci'), entry);
  t.equal(tokens.find(`${first} `), undefined);
  t.equal(tokens.find(second), undefined);
  await tokens.refresh();
  t.equal(tokens.find(first), entry, 'an unchanged file keeps its entry');

  writeFileSync(`${file}.new`, second);
  renameSync(`${file}.new`, file);
  await tokens.refresh();
  t.equal(tokens.find(first), undefined, 'the old token is gone');
  t.equal(tokens.find(second)?.spec.id, 'ci');
  t.not(tokens.current('ci'), entry, 'who holds the old entry can tell');

  writeFileSync(file, '');
  await tokens.refresh();
  t.equal(tokens.find(second)?.spec.id, 'ci', 'a file that is being rewritten keeps the last good value');
  t.match(warnings, [/"ci": .*is empty.*kept for 5 s/]);
  clock.ms += 5_000;
  await tokens.refresh();
  t.equal(tokens.find(second), undefined, 'one that stays empty does not');
  t.equal(tokens.find(''), undefined, 'and nothing equals nothing');
  rmSync(file);
  await tokens.refresh();
  writeFileSync(file, first);
  await tokens.refresh();
  t.equal(tokens.find(first)?.spec.id, 'ci');
  t.notMatch(warnings.join(), new RegExp(`${first}|${second}`));
});

t.test('a token from the environment, by a name that is set and one that is not', async (t) => {
  process.env['TEST_ONLY_TOKEN'] = first;
  t.teardown(() => {
    delete process.env['TEST_ONLY_TOKEN'];
  });
  const loaded = await loadStaticTokens([spec('ci', { from_env: 'TEST_ONLY_TOKEN' })], { prefixes });
  t.equal(loaded.ok && loaded.value.find(first)?.spec.id, 'ci');
  const unset = await loadStaticTokens([spec('ci', { from_env: 'TEST_ONLY_UNSET' })], { prefixes });
  t.match(unset, { ok: false, why: [/"ci": .*TEST_ONLY_UNSET/] });
});

const refused: readonly [name: string, text: string, want: RegExp][] = [
  ['empty', '', /empty/],
  ['a newline alone', '\n', /empty/],
  ['short', 'Zq8fVn2LxR5tYw7', /15/],
  ['a placeholder', 'changeme-changeme-changeme', /placeholder/],
  ['with a blank', `${first} x`, /./],
  ['like an API key', 'engram_key_abcdefgh12345678', /begins like an API key/],
];
for (const [name, text, want] of refused) {
  t.test(`a token that is ${name} refuses the start`, async (t) => {
    const dir = t.testdir({ token: text });
    const loaded = await loadStaticTokens([spec('ci', { from_file: `${dir}/token` })], { prefixes });
    t.match(loaded, { ok: false, why: [want] });
    if (text.trim() !== '') t.notMatch(loaded.ok ? '' : loaded.why.join(), text.trim(), 'its value is not shown');
  });
}

t.test('all problems are told at once, doubles among them', async (t) => {
  const dir = t.testdir({ one: first, two: first });
  const doubled = await loadStaticTokens(
    [
      spec('a', { from_file: `${dir}/one` }),
      spec('b', { from_file: `${dir}/two` }),
      spec('c', { from_file: `${dir}/three` }),
    ],
    { prefixes },
  );
  t.match(doubled, { ok: false, why: [/"b": has the same value as static token "a"/, /"c"/] });
  const named = await loadStaticTokens(
    [spec('a', { from_file: `${dir}/one` }), spec('a', { from_file: `${dir}/two` })],
    { prefixes },
  );
  t.match(named, { ok: false, why: [/"a": is declared twice/] });
});

t.test('what an old generation opened lives on while the next one holds the same secret', async (t) => {
  const dir = t.testdir({ token: first });
  const file = `${dir}/token`;
  const load = async () => {
    const loaded = await loadStaticTokens([spec('ci', { from_file: file })], { prefixes });
    if (!loaded.ok) throw new Error(loaded.why.join());
    t.teardown(() => {
      loaded.value.close();
    });
    return loaded.value;
  };
  const generations = [await load(), await load(), await load()] as const;
  const entry = generations[0].find(first);
  generations[0].close(generations[1]);
  generations[1].close(generations[2]);
  t.equal(generations[0].current('ci'), entry);
  writeFileSync(file, second);
  await generations[2].refresh();
  t.equal(generations[0].current('ci'), undefined, 'a secret that was replaced ends for all');
});

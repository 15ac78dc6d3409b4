import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { LiveSecrets } from '../../src/base/live-secret.js';

const first = 'q7Zk2mVw9Xr4Tb8Ln3Ps6Hd1';
const second = 'Wc5Jf0Gy2Na8Ru4Ei7Ox1Kb6';

interface Book {
  readonly secrets: LiveSecrets;
  readonly said: string[];
}

function book(t: Test, directory: string): Book {
  const said: string[] = [];
  const secrets = new LiveSecrets(
    { env: (name) => (name === 'TOKEN' ? first : undefined), resolvePath: (path) => join(directory, path) },
    {
      replaced: (place) => said.push(`replaced ${place}`),
      refused: (place, why) => said.push(`refused ${place}: ${why}`),
    },
  );
  t.teardown(() => secrets.close());
  return { secrets, said };
}

async function taken(t: Test, directory: string): Promise<Book & { readonly now: () => string }> {
  const { secrets, said } = book(t, directory);
  const live = await secrets.add({ place: 'here', source: { from_file: 'secret' } });
  if (!live.ok) throw new Error(live.why);
  return { secrets, said, now: () => live.value.current().reveal() };
}

/** A change is taken when two looks agree on it. */
async function settle({ secrets }: Book): Promise<void> {
  await secrets.refresh();
  await secrets.refresh();
}

t.test('LiveSecrets takes another content of a file, once it has stood still', async (t) => {
  const directory = t.testdir({ secret: `${first}\n` });
  const one = await taken(t, directory);
  await settle(one);
  t.equal(one.now(), first);
  writeFileSync(join(directory, 'secret'), second);
  await one.secrets.refresh();
  t.equal(one.now(), first, 'the first look sees a change and waits');
  await one.secrets.refresh();
  t.equal(one.now(), second, 'the second sees that it is over');
  t.strictSame(one.said, ['replaced here']);
});

t.test('LiveSecrets never takes half of a file that is being written', async (t) => {
  const directory = t.testdir({ secret: first });
  const one = await taken(t, directory);
  for (let end = 16; end <= second.length; end += 1) {
    writeFileSync(join(directory, 'secret'), second.slice(0, end)); // each of these would do as a secret
    await one.secrets.refresh();
    t.equal(one.now(), first);
  }
  await one.secrets.refresh();
  t.equal(one.now(), second);
});

const bad = [
  { name: 'an empty file', text: '', why: /is empty/ },
  { name: 'a short one', text: 'q7Zk2mVw9', why: /holds 9 characters/ },
  { name: 'a placeholder', text: 'change-me-change-me-please', why: /placeholder/ },
  { name: 'two lines', text: `${second}\n${second}\n`, why: /one line/ },
];
for (const { name, text, why } of bad) {
  t.test(`LiveSecrets keeps the old secret over ${name}, says so once, and takes the next good one`, async (t) => {
    const directory = t.testdir({ secret: first });
    const one = await taken(t, directory);
    writeFileSync(join(directory, 'secret'), text);
    await settle(one);
    await settle(one);
    t.equal(one.now(), first);
    t.equal(one.secrets.refusedFiles, 1);
    t.equal(one.said.length, 1);
    t.match(one.said[0], why);
    t.notOk(one.said.join(' ').includes(second), 'without any of it');
    writeFileSync(join(directory, 'secret'), second);
    await settle(one);
    t.equal(one.now(), second);
    t.equal(one.secrets.refusedFiles, 0);
  });
}

t.test('LiveSecrets keeps the old secret while the file is away', async (t) => {
  const directory = t.testdir({ secret: first });
  const one = await taken(t, directory);
  rmSync(join(directory, 'secret'));
  await settle(one);
  t.equal(one.now(), first);
  t.match(one.said, [/refused here: .*ENOENT/]);
});

t.test('LiveSecrets follows a volume that switches a symbolic link', async (t) => {
  const directory = t.testdir({});
  for (const [name, text] of Object.entries({ a: first, b: second })) {
    mkdirSync(join(directory, name));
    writeFileSync(join(directory, name, 'secret'), text);
  }
  symlinkSync('a', join(directory, '..data'));
  symlinkSync('..data/secret', join(directory, 'secret'));
  const one = await taken(t, directory);
  symlinkSync('b', join(directory, '..tmp'));
  renameSync(join(directory, '..tmp'), join(directory, '..data'));
  await settle(one);
  t.equal(one.now(), second);
});

t.test('LiveSecrets says nothing of a file that was touched, and reads an environment variable once', async (t) => {
  const directory = t.testdir({ secret: first });
  const one = await taken(t, directory);
  writeFileSync(join(directory, 'secret'), first);
  await settle(one);
  t.strictSame(one.said, []);
  const variable = await one.secrets.add({ place: 'there', source: { from_env: 'TOKEN' } });
  t.ok(variable.ok && variable.value.current().reveal() === first);
  t.match(await one.secrets.add({ place: 'there', source: { from_env: 'TOKEN' }, minLength: 32 }), {
    ok: false,
    why: /at least 32/,
  });
});

t.test('LiveSecrets looks by itself', async (t) => {
  const directory = t.testdir({ secret: first });
  const one = await taken(t, directory);
  one.secrets.watch();
  writeFileSync(join(directory, 'secret'), second);
  for (let i = 0; i < 100 && one.now() === first; i += 1) await new Promise((resolve) => setTimeout(resolve, 50));
  t.equal(one.now(), second);
});

import { execFile } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { entry, freshBuild } from '../wire/support/build.js';

await freshBuild();

interface Ended {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

const policy = (...args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(process.execPath, [entry, 'policy', ...args], { timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? null), stdout, stderr });
    });
  });

const init = (...args: readonly string[]): Promise<Ended> => policy('init', ...args);

const filesIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((file) => file.isFile())
    .map((file) => join(file.parentPath, file.name).slice(directory.length + 1))
    .sort();

t.test('policy init copies the sources, the cases and the capabilities, byte for byte', async (t) => {
  const directory = join(t.testdir(), 'new', 'mine');
  t.match(await init(directory), { code: 0, stdout: /^\d+ files in .*mine: edit .*bundle/, stderr: '' });
  const copied = filesIn(directory);
  t.strictSame(
    copied,
    filesIn(join(process.cwd(), 'policies')).filter((name) => !/^dist|^regal/.test(name)),
  );
  t.ok(copied.includes(join('bundle', '.manifest')));
  for (const name of copied)
    t.ok(readFileSync(join(directory, name)).equals(readFileSync(join('policies', name))), name);
});

t.test('policy init overwrites nothing', async (t) => {
  const directory = t.testdir({ 'mine.rego': 'package mine' });
  t.match(await init(directory), { code: 1, stdout: '', stderr: /is not empty; wanted a new directory/ });
  t.strictSame(readdirSync(directory), ['mine.rego']);
  writeFileSync(join(directory, 'file'), '');
  t.match(await init(join(directory, 'file')), { code: 1, stdout: '', stderr: /cannot be written: / });
});

t.test('where there are no policies, the place is named and how to get some', async (t) => {
  const directory = join(t.testdir(), 'none');
  const stderr = `${join(directory, 'bundle')}: does not exist; wanted a directory of .rego files, as \`memgate policy init DIR\``;
  t.match(await policy('ci', directory), { code: 1, stdout: '', stderr });
});

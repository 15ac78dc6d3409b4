import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import t from 'tap';

const root = process.cwd();
const { failedFilesIn, failuresIn, partOf, totalsIn } = (await import(join(root, 'scripts/tap-output.mjs'))) as {
  failedFilesIn(output: string): string[];
  failuresIn(output: string): string[];
  partOf(output: string, file: string): string;
  totalsIn(output: string): { passed: number; failed: number };
};
mkdirSync(join(root, '.cache'), { recursive: true });
const dir = mkdtempSync(join(root, '.cache', 'tap-output-'));
t.teardown(() => rmSync(dir, { recursive: true, force: true }));

const files = {
  good: `t.ok(true, 'fine'); t.ok(true, 'fine too');`,
  bad: `t.ok(true, 'fine'); t.test('inner', (t) => { t.equal(1, 2, 'one is two'); t.end(); });`,
  broken: `t.test('thrown', () => { throw new Error('it broke'); });`,
};

/** What the runner says of them, as paths under `test/`. */
function outputOf(names: readonly (keyof typeof files)[]): Promise<string> {
  const paths = names.map((name) => {
    const file = join(dir, `${name}.test.mjs`);
    writeFileSync(file, `import t from 'tap';\n${files[name]}\n`);
    return relative(root, file);
  });
  const args = ['run', '--reporter=tap', '--disable-coverage', '--allow-empty-coverage', ...paths];
  // As its own run, not as a part of ours.
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(?:_?TAP|NODE_)/.test(name)));
  return new Promise((resolve) =>
    execFile(join(root, 'node_modules/.bin/tap'), args, { cwd: root, env }, (_, stdout) =>
      resolve(stdout.replace(/\.cache\/tap-output-[^/]+\/(\w+)\.test\.mjs/g, 'test/$1.test.ts')),
    ),
  );
}

t.test('the runner tells which files failed, and why', async (t) => {
  const output = await outputOf(['good', 'bad', 'broken']);
  t.strictSame([...failedFilesIn(output)].sort(), ['test/bad.test.ts', 'test/broken.test.ts']);
  t.strictSame(totalsIn(output), { passed: 3, failed: 2 });

  const all = failuresIn(output).join('\n');
  t.match(all, /not ok \d+ - one is two/);
  t.match(all, /it broke/);
  t.notMatch(all, /ok \d+ - fine/, 'nothing of what passed');

  const bad = failuresIn(partOf(output, 'test/bad.test.ts')).join('\n');
  t.match(bad, /not ok \d+ - test\/bad\.test\.ts/, 'to the end of its part');
  t.match(bad, /one is two/);
  t.notMatch(bad, /it broke/, 'of one file alone');
});

t.test('and when none did', async (t) => {
  const output = await outputOf(['good']);
  t.strictSame(failedFilesIn(output), []);
  t.strictSame(failuresIn(output), []);
  t.strictSame(totalsIn(output), { passed: 2, failed: 0 });
});

t.test('much that failed is cut, and says so', (t) => {
  const lines = failuresIn(Array.from({ length: 900 }, (_, n) => `not ok ${n} - x`).join('\n'));
  t.equal(lines.length, 401);
  t.equal(lines.at(-1), '… 500 lines more');
  t.end();
});

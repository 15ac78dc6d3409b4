import t from 'tap';
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { loadConfig } from '../../src/config/config.js';
import { describeProblem } from '../../src/base/document.js';
import { markedBlocks, missingLine, runBlocks, runnableBlocks } from './blocks.js';

const root = resolve('.');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true }).map((name) => join('docs', String(name))),
]
  .filter((name) => name.endsWith('.md') && existsSync(join(root, name)))
  .sort();

// A network of its own keeps the documents' fixed ports from meeting those of other tests.
const apart = ['unshare', '--net', 'bash', '-c', 'ip link set lo up && exec bash "$0"'];
const shell = spawnSync('unshare', ['--net', 'ip', 'link', 'set', 'lo', 'up']).status === 0 ? apart : ['bash'];

/** A copy of what documents work on: they may write, and leave nothing in the repository. */
function workplace(directory: string): string {
  for (const name of ['config', 'policies', 'docs', 'deploy']) {
    if (existsSync(join(root, name))) cpSync(join(root, name), join(directory, name), { recursive: true });
  }
  for (const name of ['dist', 'node_modules', 'package.json', 'rooms.mjs', 'scripts'])
    symlinkSync(join(root, name), join(directory, name));
  const bin = join(directory, '.bin');
  mkdirSync(bin);
  symlinkSync(join(root, 'bin/memgate'), join(bin, 'memgate'));
  return bin;
}

for (const page of pages) {
  const markdown = readFileSync(join(root, page), 'utf8');
  const blocks = runnableBlocks(markdown);
  if (blocks.length > 0) {
    t.test(`${page} does what it says`, async (t) => {
      const directory = t.testdir();
      const path = workplace(directory);
      const { printed, code } = await runBlocks(blocks, { directory, path, msMax: 300_000, shell });
      for (const [index, { line, output }] of blocks.entries()) {
        const text = printed[index];
        const missing =
          text === undefined ? 'the block was not reached' : output === null ? null : missingLine(output, text);
        t.equal(missing, null, `${page}:${String(line)}`, { printed: text?.split('\n') });
      }
      t.equal(code, 0, `${page} ends well`, { printed: printed.at(-1)?.split('\n') });
    });
  }
  for (const [index, text] of markedBlocks(markdown, 'yaml', 'config').entries()) {
    t.test(`${page} shows a configuration that loads (${String(index + 1)})`, async (t) => {
      const loaded = await loadConfig(join(t.testdir({ 'c.yaml': text }), 'c.yaml'));
      t.ok(loaded.ok, loaded.ok ? '' : loaded.why.map(describeProblem).join('\n'));
    });
  }
}

const sample = `
\`\`\`sh run
x=1
echo "one $x"; echo two
sleep 60 & echo "pid $!"
\`\`\`

\`\`\`text output
one 1
pid …
\`\`\`

\`\`\`sh
exit 9
\`\`\`

\`\`\`sh run
echo "still $x" >&2
\`\`\`
`;

t.test('runBlocks() keeps one shell, keeps outputs apart, and ends what runs on', async (t) => {
  const blocks = runnableBlocks(sample);
  t.match(blocks, [{ line: 2, output: 'one 1\npid …' }, { output: null }]);
  t.equal(blocks.length, 2);
  const ran = await runBlocks(blocks, { directory: t.testdir(), path: '/', msMax: 20_000, shell: ['bash'] });
  t.match(ran, { code: 0, printed: [/^one 1\ntwo\npid \d+/, /^still 1/] });
  t.equal(missingLine(blocks[0]?.output ?? '', ran.printed[0] ?? ''), null);
  const pid = /pid (\d+)/.exec(ran.printed[0] ?? '')?.[1] ?? '';
  // What has ended may stay in the table of processes until somebody asks; then it has no command line any more.
  t.notMatch(existsSync(`/proc/${pid}`) && readFileSync(`/proc/${pid}/cmdline`, 'utf8'), /sleep/);
});

t.test('runBlocks() stops at the first failure and after its time', async (t) => {
  const failing = runnableBlocks('```sh run\nfalse | true\n```\n\n```sh run\necho never\n```\n');
  t.match(await runBlocks(failing, { directory: t.testdir(), path: '/', msMax: 20_000, shell: ['bash'] }), {
    code: 1,
    printed: [''],
  });
  const endless = runnableBlocks('```sh run\nsleep 60\n```\n');
  t.match(await runBlocks(endless, { directory: t.testdir(), path: '/', msMax: 300, shell: ['bash'] }), { code: null });
});

t.test('missingLine() wants every line, in order', async (t) => {
  t.equal(missingLine('a\n…\nc', 'a\nb\nc'), null);
  t.equal(missingLine('a…z', 'a b z'), null);
  t.equal(missingLine('c\na', 'a\nb\nc'), 'a');
  t.equal(missingLine('a.c', 'abc'), 'a.c');
});

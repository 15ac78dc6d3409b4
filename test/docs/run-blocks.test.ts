import t from 'tap';
import { existsSync, readFileSync } from 'node:fs';
import { missingLine, runBlocks, runnableBlocks } from './blocks.js';

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

import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t from 'tap';
import { describeProblem } from '../../src/base/document.js';
import { loadConfig } from '../../src/config/config.js';
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

const isOf = {
  howtoFirst: (page: string): boolean => /^docs\/howto\/[a-m]/.test(page),
  howtoLast: (page: string): boolean => /^docs\/howto\/[n-z]/.test(page),
  tutorials: (page: string): boolean => page.startsWith('docs/tutorials/'),
};

/** A file of tests has its time, and two of them run at once; `others` are the pages that no other part has. */
export type Part = keyof typeof isOf | 'others';

const partOf = (page: string): Part =>
  (Object.keys(isOf) as (keyof typeof isOf)[]).find((part) => isOf[part](page)) ?? 'others';

/** Does what the pages of this part say, each in a place of its own. */
export function tryPages(part: Part): void {
  for (const page of pages.filter((each) => partOf(each) === part)) tryPage(page);
}

function tryPage(page: string): void {
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

import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { openSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fromMarkdown } from 'mdast-util-from-markdown';

/** A block of a document that is run, and what it must print. */
export interface Block {
  readonly line: number;
  readonly script: string;
  /** Lines that must come in this order; `…` stands for anything. Null when nothing is said. */
  readonly output: string | null;
}

/** ```sh run``` blocks, each with the ```text output``` block that follows it. */
export function runnableBlocks(markdown: string): Block[] {
  const blocks: Block[] = [];
  let open = false;
  for (const node of fromMarkdown(markdown).children) {
    if (node.type !== 'code') continue;
    const marks = (node.meta ?? '').split(/\s+/);
    const last = blocks.at(-1);
    if (node.lang === 'sh' && marks.includes('run')) {
      blocks.push({ line: node.position?.start.line ?? 0, script: node.value, output: null });
      open = true;
    } else if (open && last !== undefined && marks.includes('output')) {
      blocks[blocks.length - 1] = { ...last, output: node.value };
      open = false;
    } else open = false;
  }
  return blocks;
}

/** Blocks of one language that bear a mark, such as ```yaml config```. */
export const markedBlocks = (markdown: string, lang: string, mark: string): string[] =>
  fromMarkdown(markdown).children.flatMap((node) =>
    node.type === 'code' && node.lang === lang && (node.meta ?? '').split(/\s+/).includes(mark) ? [node.value] : [],
  );

/** The first wanted line that does not come in its turn, or null. */
export function missingLine(wanted: string, printed: string): string | null {
  const lines = printed.split('\n').map((line) => line.trim());
  let from = 0;
  for (const want of wanted.split('\n').map((line) => line.trim())) {
    if (want === '' || want === '…') continue;
    const form = new RegExp(
      `^${want
        .split('…')
        .map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'))
        .join('.*')}$`,
    );
    const found = lines.findIndex((line, index) => index >= from && form.test(line));
    if (found < 0) return want;
    from = found + 1;
  }
  return null;
}

export interface Ran {
  /** What each block printed, as far as they came. */
  readonly printed: readonly string[];
  readonly code: number | null;
}

export interface RunOptions {
  readonly directory: string;
  /** Added in front of PATH. */
  readonly path: string;
  readonly msMax: number;
  /** Program and first arguments that start the shell. */
  readonly shell: readonly string[];
}

/** Runs blocks one after another in one shell; ends whatever they left running. */
export async function runBlocks(blocks: readonly Block[], options: RunOptions): Promise<Ran> {
  const mark = `block-${randomBytes(8).toString('hex')}`;
  const script = blocks.map((block) => `printf '\\n%s\\n' ${mark}\n${block.script}\n`).join('');
  const file = join(options.directory, '.blocks.sh');
  const log = join(options.directory, '.blocks.log');
  writeFileSync(file, `set -eu -o pipefail\n${script}`);
  // A file and not a pipe: what still runs in the background would keep a pipe open.
  const sink = openSync(log, 'w');
  const [program = 'bash', ...first] = options.shell;
  const child = spawn(program, [...first, file], {
    cwd: options.directory,
    env: { ...process.env, PATH: `${options.path}:${process.env['PATH'] ?? ''}`, NO_COLOR: '1' },
    stdio: ['ignore', sink, sink],
    detached: true,
  });
  const end = (signal: NodeJS.Signals): void => {
    try {
      process.kill(-(child.pid ?? 0), signal);
    } catch {
      // All of the group has ended.
    }
  };
  const timer = setTimeout(() => end('SIGKILL'), options.msMax);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  }).finally(() => clearTimeout(timer));
  end('SIGTERM');
  await wait(200);
  end('SIGKILL');
  return { printed: readFileSync(log, 'utf8').split(`\n${mark}\n`).slice(1), code };
}

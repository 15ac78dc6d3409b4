import { createInterface } from 'node:readline/promises';
import Table from 'cli-table3';
import { visible } from '../base/encoding.js';

/** Where a command reads and writes. Standard output belongs to the answer alone. */
export interface Terminal {
  out(text: string): void;
  err(text: string): void;
  /** True when a person can be asked. */
  readonly isInteractive: boolean;
  ask(question: string): Promise<string>;
  /** The whole of standard input, at most `maxBytes`. */
  readInput(maxBytes: number): Promise<string>;
}

/** A command that did not do what was asked: 1 refused or failed, 2 not asked in the right form. */
export class CommandFailure extends Error {
  readonly exitCode: 1 | 2;

  constructor(exitCode: 1 | 2, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** The terminal of this process. Questions go to standard error, so that an answer can be piped on. */
export const processTerminal: Terminal = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  get isInteractive() {
    return process.stdin.isTTY && process.stderr.isTTY;
  },
  async ask(question) {
    const line = createInterface({ input: process.stdin, output: process.stderr });
    try {
      return await line.question(question);
    } finally {
      line.close();
    }
  },
  async readInput(maxBytes) {
    const parts: Buffer[] = [];
    let length = 0;
    for await (const part of process.stdin as AsyncIterable<Buffer>) {
      length += part.length;
      if (length > maxBytes) throw new CommandFailure(2, `standard input holds more than ${String(maxBytes)} bytes`);
      parts.push(part);
    }
    return Buffer.concat(parts).toString('utf8');
  },
};

/** Asks for a clear yes. */
export async function confirm(terminal: Terminal, question: string): Promise<boolean> {
  return /^y(?:es)?$/i.test((await terminal.ask(`${question} [y/N] `)).trim());
}

type Cell = string | number | null;
const shown = (cell: Cell): string => (cell === null ? '-' : visible(String(cell)));

/** Columns under a head, for people; nothing in a cell can steer the terminal. */
export function table(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const bare = {
    top: '',
    'top-mid': '',
    'top-left': '',
    'top-right': '',
    bottom: '',
    'bottom-mid': '',
    'bottom-left': '',
    'bottom-right': '',
    left: '',
    'left-mid': '',
    mid: '',
    'mid-mid': '',
    right: '',
    'right-mid': '',
    middle: '  ',
  };
  const made = new Table({
    head: [...head],
    chars: bare,
    style: { head: [], border: [], 'padding-left': 0, 'padding-right': 0 },
  });
  made.push(...rows.map((row) => row.map(shown)));
  return `${made
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n')}\n`;
}

/** Names and values under each other. */
export const facts = (rows: readonly (readonly [name: string, value: Cell])[]): string => {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `${name.padEnd(width)}  ${shown(value)}\n`).join('');
};

/** One JSON text in one line, for programs. */
export const jsonLine = (value: unknown): string => `${JSON.stringify(value)}\n`;

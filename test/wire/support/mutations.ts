/** Deterministic random numbers: a failure is run again with its seed. */
export class Dice {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  /** 0 to `sides` − 1. */
  roll(sides: number): number {
    // mulberry32: small, and good enough to choose bytes.
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let mixed = this.#state;
    mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) % sides;
  }

  pick<T>(items: readonly T[]): T {
    const item = items[this.roll(items.length)];
    if (item === undefined) throw new Error('nothing to pick from');
    return item;
  }
}

export type Mutation = (text: string, dice: Dice) => string;

/** Pieces that parsers have been led astray with. */
const pieces = [
  '\r\n',
  '\n',
  '\r',
  '\0',
  ' ',
  '\t',
  '\x0b',
  '\x0c',
  ':',
  ';',
  ',',
  '#',
  '?',
  '//',
  '/../',
  '%2e',
  '%2f',
  '%00',
  '\\',
  '"',
  '\x7f',
  '\x80',
  '\xff',
  '0',
  '1',
  '5',
  'a',
  '_',
  '-',
  '\r\n\r\n',
  '\r\n ',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: gzip, chunked\r\n',
  'Transfer_Encoding: chunked\r\n',
  'Transfer-Encoding : chunked\r\n',
  'Content-Length: 5\r\n',
  'Content-Length: 0\r\n',
  'content-length: 15\r\n',
  'Content-Length:\r\n',
  'Connection: close\r\n',
  'Connection: Content-Length\r\n',
  'Connection: keep-alive, X-Memory-Space\r\n',
  'Upgrade: h2c\r\n',
  'Expect: 100-continue\r\n',
  'Host: evil\r\n',
  'X-Memory-Space: beta\r\n',
  'X_Memory_Space: beta\r\n',
  'X-Auth-Subject: root\r\n',
  'X-HTTP-Method-Override: DELETE\r\n',
  'TE: trailers\r\n',
  'space=beta',
  '&space=beta',
  '0\r\n\r\n',
  '5;x=y\r\n',
  'ffffffff\r\n',
  'GET / HTTP/1.1\r\n',
  ' HTTP/1.0',
  ' HTTP/1.1',
  'http://localhost:8080',
  'HTTP/1.1 200 OK\r\n\r\n',
];
const methods = [
  'GET',
  'POST',
  'DELETE',
  'HEAD',
  'PUT',
  'OPTIONS',
  'PATCH',
  'CONNECT',
  'TRACE',
  'get',
  'GETX',
  'PRI',
  'M-SEARCH',
];
const names = [
  'Content-Length',
  'Transfer-Encoding',
  'Host',
  'Connection',
  'X-Memory-Space',
  'Authorization',
  'Content-Type',
  'Expect',
  'Upgrade',
  'X-Note',
  'content-length',
  'TRANSFER-ENCODING',
];

const mutations: readonly Mutation[] = [
  (text, dice) => cut(text, dice.roll(text.length), 1),
  (text, dice) => cut(text, dice.roll(text.length), 1 + dice.roll(12)),
  (text, dice) => put(text, dice.roll(text.length + 1), dice.pick(pieces)),
  (text, dice) => {
    const at = dice.roll(text.length);
    return put(cut(text, at, 1), at, dice.pick(pieces));
  },
  (text, dice) => {
    const at = dice.roll(text.length);
    return put(cut(text, at, 1), at, String.fromCharCode(dice.roll(256)));
  },
  (text, dice) => text.replace(/^[A-Za-z-]+/, dice.pick(methods)),
  (text, dice) => atLine(text, dice, (line) => line.replace(/^[^:]+/, dice.pick(names))),
  // A second Authorization is refused whole; a copy of it under another name would be the client telling its own secret.
  (text, dice) => atLine(text, dice, (line) => (/authorization/i.test(line) ? line : `${line}\r\n${line}`)),
  (text, dice) => atLine(text, dice, (line) => line.replace(': ', dice.pick([':', ' : ', ':\t', ': \t', ':  ', '']))),
  (text, dice) => atLine(text, dice, (line) => `${line}${dice.pick([' ', '\t', ',', ', 5', ';', '\r', '\x80'])}`),
  (text, dice) => text.slice(0, dice.roll(text.length)),
  (text, dice) =>
    text.replace(
      /\r\n([0-9a-f]{1,4})\r\n/,
      `\r\n${dice.pick(['0', '1', '4', '6', '10', '00f', 'F', '0xf', 'f ', 'f;x', 'f;x="\r\n"', '-f', 'ffffffffffffffff', ''])}\r\n`,
    ),
  (text, dice) => text.replaceAll('\r\n', (end, at: number) => (at % 7 === dice.roll(7) ? '\n' : end)),
  swapLines,
];

export const cut = (text: string, at: number, count: number): string => text.slice(0, at) + text.slice(at + count);
export const put = (text: string, at: number, piece: string): string => text.slice(0, at) + piece + text.slice(at);

/** Changes a header line by chance. */
export function atLine(text: string, dice: Dice, change: (line: string) => string): string {
  const lines = text.split('\r\n');
  const at = 1 + dice.roll(Math.max(1, lines.length - 2));
  lines[at] = change(lines[at] ?? '');
  return lines.join('\r\n');
}

/** Lets two lines change places. */
export function swapLines(text: string, dice: Dice): string {
  const lines = text.split('\r\n');
  const [from, to] = [dice.roll(lines.length), dice.roll(lines.length)];
  [lines[from], lines[to]] = [lines[to] ?? '', lines[from] ?? ''];
  return lines.join('\r\n');
}

/** One to three mutations of one of the seeds. */
export const mutant = (seeds: readonly string[], dice: Dice): string => mutated(seeds, mutations, dice);

/** One to three of these mutations of one of the seeds. */
export function mutated(seeds: readonly string[], mutations: readonly Mutation[], dice: Dice): string {
  let text = dice.pick(seeds);
  for (let left = 1 + dice.roll(3); left > 0; left -= 1) if (text.length > 0) text = dice.pick(mutations)(text, dice);
  return text;
}

import { atLine, cut, mutated, put, swapLines, type Dice, type Mutation } from '../../wire/support/mutations.js';

/** Answers that servers give, and that both readers must take. */
export const wellFormed: readonly string[] = [
  'HTTP/1.1 200 OK\r\nServer: nginx\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\nContent-Type: application/json\r\nContent-Length: 11\r\nConnection: keep-alive\r\n\r\n{"ok":true}',
  'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n{"ok":true}\r\n5\r\nhello\r\n0\r\n\r\n',
  'HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\nTrailer: X-Sum\r\n\r\nA\r\n0123456789\r\n0\r\nX-Sum: 45\r\n\r\n',
  'HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nuntil the end',
  'HTTP/1.0 200 OK\r\nContent-Type: text/plain\r\n\r\nuntil the end',
  'HTTP/1.0 200 OK\r\nContent-Length: 5\r\nConnection: keep-alive\r\n\r\nhello',
  'HTTP/1.1 204 No Content\r\nX-A: b\r\n\r\n',
  'HTTP/1.1 304 Not Modified\r\nETag: "x"\r\nContent-Length: 11\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi',
  'HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\n\r\nHTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 500 \r\nContent-Length: 3\r\nX-Empty:\r\nX-Obs: caf\xe9\r\n\r\nbad',
  'HTTP/1.1 413 Too Large\r\nConnection: Close\r\nKeep-Alive: timeout=5, max=100\r\nContent-Length: 4\r\n\r\nbody',
  'HTTP/1.1 302 Found\r\nLocation: /x\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 0\r\n\r\n',
  'HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n',
];

/** Pieces that readers of answers have been led astray with. */
const pieces = [
  ...[
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
    '"',
    '\x7f',
    '\x80',
    '\xa0',
    '\xff',
    '0',
    '1',
    'f',
    '-',
    '+',
    '_',
  ],
  ...[
    '\r\n\r\n',
    '\n\n',
    '\r\r\n',
    '\r\n ',
    '\r\n\t',
    '\n\r\n',
    '\r\n\r',
    '0\r\n\r\n',
    '1\r\nx\r\n',
    '5;x=y\r\n',
    'ffffffff\r\n',
    '0\r\n',
  ],
  ...[
    'Transfer-Encoding: chunked\r\n',
    'Transfer-Encoding: gzip, chunked\r\n',
    'Transfer-Encoding: identity\r\n',
    'Transfer-Encoding:\r\n',
  ],
  ...[
    'Transfer-Encoding : chunked\r\n',
    'Transfer-Encoding: chunked, chunked\r\n',
    'Transfer-Encoding: xchunked\r\n',
    'Transfer_Encoding: chunked\r\n',
  ],
  ...[
    'Content-Length: 5\r\n',
    'Content-Length: 0\r\n',
    'content-length: 11\r\n',
    'Content-Length:\r\n',
    'Content-Length: 5, 5\r\n',
    'Content-Length: 99999999999999999999\r\n',
  ],
  ...[
    'Connection: close\r\n',
    'Connection: keep-alive\r\n',
    'Connection: x, close\r\n',
    'Connection: closed\r\n',
    'Connection: upgrade\r\nUpgrade: h2c\r\n',
  ],
  ...[
    'Keep-Alive: timeout=0\r\n',
    'Keep-Alive: timeout=1\r\n',
    ' folded\r\n',
    ': nameless\r\n',
    'no colon\r\n',
    `X-Long: ${'a'.repeat(9_000)}\r\n`,
  ],
  ...[
    'HTTP/1.1 200 OK\r\n\r\n',
    'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL',
    'HTTP/1.1 100 Continue\r\n\r\n',
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
  ],
];
const statusLines = [
  'HTTP/1.1 204 x',
  'HTTP/1.1 304 x',
  'HTTP/1.1 205 x',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 200',
  'HTTP/1.1 200  OK',
  'HTTP/1.1 099 x',
  'HTTP/1.1 999 x',
  'HTTP/1.1 2000 x',
  'HTTP/2.0 200 OK',
  'HTTP/0.9 200 OK',
  'HTTP/1.2 200 OK',
  'http/1.1 200 OK',
  'HTTP/1.1\t200 OK',
  'HTTP/1.1 101 x',
  'HTTP/1.1 102 x',
  'ICY 200 OK',
  ' HTTP/1.1 200 OK',
];
const sizes = [
  '0',
  '00',
  '1',
  '4',
  '6',
  '10',
  '000b',
  'B',
  '0xb',
  'b ',
  ' b',
  'b;x',
  'b;x="y"',
  'b;x="\r\n"',
  '-b',
  '+b',
  'fffffffffffff',
  'ffffffffffffffff',
  '10000000000000000',
  '',
];
const names = [
  'Content-Length',
  'Transfer-Encoding',
  'Connection',
  'Keep-Alive',
  'Upgrade',
  'Trailer',
  'X-A',
  'TRANSFER-ENCODING',
  'content-length',
  '',
  'X A',
  'X\tA',
  'X(A)',
];

const mutations: readonly Mutation[] = [
  (text, dice) => cut(text, dice.roll(text.length), 1 + dice.roll(2)),
  (text, dice) => cut(text, dice.roll(text.length), 1 + dice.roll(12)),
  (text, dice) => put(text, dice.roll(text.length + 1), dice.pick(pieces)),
  (text, dice) => put(text, text.indexOf('\r\n') + 2, dice.pick(pieces)),
  (text, dice) => put(text, Math.max(0, text.indexOf('\r\n\r\n')), dice.pick(pieces)),
  (text, dice) => `${text}${dice.pick(pieces)}`,
  (text, dice) => {
    const at = dice.roll(text.length);
    return put(cut(text, at, 1), at, String.fromCharCode(dice.roll(256)));
  },
  (text, dice) => text.replace(/^[^\r]*/, dice.pick(statusLines)),
  (text, dice) => text.slice(0, dice.roll(text.length)),
  (text, dice) => text.replace(/\r\n([0-9a-fA-F]{1,4})\r\n/, () => `\r\n${dice.pick(sizes)}\r\n`),
  (text, dice) =>
    text.replaceAll('\r\n', (end) => (dice.roll(6) === 0 ? dice.pick(['\n', '\r', '\r\r\n', '\n\r']) : end)),
  (text, dice) => atLine(text, dice, (line) => line.replace(/^[^:]*/, () => dice.pick(names))),
  (text, dice) => atLine(text, dice, (line) => `${line}\r\n${line}`),
  (text, dice) => atLine(text, dice, (line) => line.replace(': ', dice.pick([':', ' : ', ':\t', ': \t', ':  ', '']))),
  (text, dice) =>
    atLine(
      text,
      dice,
      (line) => `${line}${dice.pick([' ', '\t', ',', ', 5', ';', '\r', '\x80', ', chunked', ', close'])}`,
    ),
  swapLines,
];

/** One to three mutations of a well-formed answer. */
export const mutantAnswer = (dice: Dice): Buffer => Buffer.from(mutated(wellFormed, mutations, dice), 'latin1');

/** The same bytes in pieces: whole, one by one, or cut in some places. */
export function slices(bytes: Buffer, dice: Dice): Buffer[] {
  if (bytes.length === 0) return [];
  const kind = dice.roll(8);
  if (kind === 0) return [bytes];
  if (kind === 1 && bytes.length < 1_000)
    return Array.from({ length: bytes.length }, (_, at) => bytes.subarray(at, at + 1));
  const cuts = Array.from({ length: 1 + dice.roll(6) }, () => dice.roll(bytes.length + 1)).sort((a, b) => a - b);
  const ends = [...cuts, bytes.length];
  return ends.map((end, at) => bytes.subarray(at === 0 ? 0 : ends[at - 1], end)).filter(({ length }) => length > 0);
}

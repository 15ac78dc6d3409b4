import { chunked } from '../../wire/support/bytes.js';
import { Dice, mutant as wild } from '../../wire/support/mutations.js';
import { gentle } from './gentle.js';

/** A mutant, in the pieces in which it is written. */
export interface Mutant {
  readonly bytes: Buffer;
  readonly pieces: readonly Buffer[];
}

const memory = '{"content":"x"}';
const smuggled = '{"content":"GET /api/v1/memories/abc HTTP/1.1","more":"0"}';

/** Whole requests of a caller with this key, one or several. */
export function seeds(key: string): readonly string[] {
  const head = (line: string, more = ''): string =>
    `${line} HTTP/1.1\r\nHost: localhost:8080\r\nAuthorization: Bearer ${key}\r\nX-Memory-Space: alpha\r\n${more}\r\n`;
  const json = 'Content-Type: application/json\r\n';
  const post = (path: string, body: string, more = json): string =>
    `${head(`POST ${path}`, `${more}Content-Length: ${body.length}\r\n`)}${body}`;
  const streamed = (path: string, ...parts: readonly string[]): string =>
    `${head(`POST ${path}`, `${json}Transfer-Encoding: chunked\r\n`)}${chunked(...parts)}`;
  const good = head('GET /api/v1/memories/recall?q=x');
  const remember = post('/api/v1/memories/remember', memory);
  return [
    good,
    head('GET /api/v1/memories/recall?q=x&space=alpha&a=%41&b=+&c=%20'),
    head('GET http://localhost:8080/api/v1/memories/recall?q=y'),
    head('GET /api/v1/memories/abc'),
    head('GET /docs/a/b.c'),
    head('HEAD /api/v1/memories'),
    head('DELETE /api/v1/memories/abc'),
    head('DELETE /api/v1/memories/abc', 'Content-Length: 0\r\n'),
    good + good,
    good + head('DELETE /api/v1/memories/abc') + head('HEAD /health'),
    remember,
    remember + good,
    post('/api/v1/memories/remember', smuggled),
    streamed('/api/v1/memories/remember', '{"conte', 'nt":"x"}'),
    streamed('/api/v1/memories/remember', memory) + good,
    // Not decided on its body: this one is passed on while it comes.
    streamed('/api/v1/memories', memory, 'GET / HTTP/1.1\r\n\r\n', '0\r\n\r\n'),
    streamed('/api/v1/memories', '\0\xff\r\n') + good,
    post('/api/v1/memories', `0\r\n\r\nGET / HTTP/1.1\r\nHost: evil\r\n\r\n`) + good,
    post('/api/v1/memories', memory.padEnd(20_000, ' ')),
    post('/api/v1/memories/remember', memory, `${json}Expect: 100-continue\r\n`),
    head('GET /api/v1/memories/recall?q=x', 'Connection: close, x-note\r\nX-Note: y\r\nTE: trailers\r\n'),
  ];
}

/** The mutant of this number: the same whenever it is asked for. */
export function mutantOf(all: readonly string[], seed: number, index: number): Mutant {
  const dice = new Dice(Math.imul(index + 1, 0x9e3779b1) ^ seed);
  let text = dice.pick(all);
  // Half of them are bent in ways that the gate lets pass, or may: only what is forwarded can be read otherwise behind it.
  const isGentle = dice.roll(2) === 0;
  for (let left = dice.roll(3) + (isGentle ? 1 : 0); left > 0; left -= 1) text = dice.pick(gentle)(text, dice);
  if (!isGentle) text = wild([text], dice);
  const bytes = Buffer.from(text, 'latin1');
  return { bytes, pieces: cutUp(bytes, dice) };
}

/** A third of them arrive in pieces. */
function cutUp(bytes: Buffer, dice: Dice): readonly Buffer[] {
  if (dice.roll(3) > 0 || bytes.length < 2) return [bytes];
  const cuts = Array.from({ length: 1 + dice.roll(3) }, () => dice.roll(bytes.length)).sort((a, b) => a - b);
  return [0, ...cuts]
    .map((from, at) => bytes.subarray(from, cuts[at] ?? bytes.length))
    .filter(({ length }) => length > 0);
}

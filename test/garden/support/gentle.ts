import { chunked } from '../../wire/support/bytes.js';
import type { Dice } from '../../wire/support/mutations.js';

type Mutation = (text: string, dice: Dice) => string;

// Not Max-Forwards: where Apache stands as a proxy it answers 0 itself, as an origin it does not look at it.
/** Fields that a gateway may pass on, and that servers have ideas of their own about. */
const fields = [
  'Accept: */*',
  'Accept: a\r\nAccept: b',
  'X-Dup: 1\r\nx-dup: 2',
  'X-Dup: 1, 2\r\nX-DUP:3',
  'X-Empty:',
  'X-Empty: ',
  'X-Note:\t y \t',
  'X-Note: a\tb',
  'X-Note: \xff\xfe\x80',
  'X-Note: "a, b"; c="\\""',
  'X-Note: GET / HTTP/1.1',
  'X_Under_Score: 1',
  'X.Dot: 1',
  "X!#$%&'*+.^`|~: 1",
  'Content-Length-X: 5',
  'X-Content-Length: 5',
  'Content_Length: 5',
  'Content-Range: bytes 0-1/2',
  'Content-MD5: x',
  'Content-Encoding: identity',
  'Proxy: http://127.0.0.1:1/',
  'Proxy-Connection: keep-alive',
  'Keep-Alive: timeout=1, max=1',
  'Connection: keep-alive',
  'Connection: x-note, close',
  'TE: trailers',
  'Trailer: X-Trailer',
  'Upgrade: h2c',
  'HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA',
  'Range: bytes=0-0',
  'If-None-Match: *',
  'If-Match: "x"',
  'If-Range: "x"',
  'If-Modified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
  'User-Agent: a\r\nUser-Agent: b',
  'User-Agent: a (b; c)',
  'Referer: http://evil/',
  'Date: Thu, 01 Jan 1970 00:00:00 GMT',
  'Accept-Language: de\r\naccept-language: *;q=0',
  'If-Unmodified-Since: Thu, 01 Jan 1970 00:00:00 GMT',
  'Via: 1.0 x',
  'Forwarded: for=1.2.3.4;host=evil',
  'X-Forwarded-For: 1.2.3.4',
  'X-Original-URL: /admin',
  'X-HTTP-Method-Override: DELETE',
  'X-Request-Id: a.b-c_d',
  'Cookie: a=b; c="d"',
  'Early-Data: 1',
  'Cache-Control: no-store, max-age=0',
  'Accept-Encoding: gzip;q=0, *',
  'Front-End-Https: on',
  'Origin: null',
];
const queries = [
  '&a=%41',
  '&b=+',
  '&c=%C3%BC',
  '&d=a=b',
  '&',
  '&&',
  '?',
  '/../',
  '//',
  ':@',
  "!$'()*,~",
  '[]^`{|}',
  '%2f%2e%2e',
  '%0d%0a',
  '%0D%0AX:%20y',
  '%25',
  '&x=%u0041',
  '&space=alpha',
  '&q=1&q=2',
];
const segments = [
  'a.b',
  '..a',
  '...',
  'a%20b',
  '%C3%BC',
  'a+b',
  'a:b@c',
  '~x',
  'a,b=c',
  '*',
  "a'b(c)!$&",
  '%E2%80%AE',
  '%F0%9F%8D%80',
  'a%21',
  'A',
  'a%09',
  '.a',
  'a.',
  'x'.repeat(300),
];
const authorities = ['localhost:8080', 'LOCALHOST:8080', 'localhost.:8080', 'localhost', 'localhost:80'];
const sizes = ['5;a=b', '5;a="\\""', '05', '0005', '5 ', '5\t', '5;', '+5'];
const trailers = [
  'X-T: y\r\n',
  'Content-Length: 5\r\n',
  'X-Memory-Space: beta\r\n',
  'Transfer-Encoding: chunked\r\n',
  'a\r\n',
];

const lineOf = (text: string): string => text.slice(0, text.indexOf('\r\n'));

/** Puts a line somewhere among the header lines of the first request. */
function withLine(text: string, line: string, dice: Dice): string {
  const lines = text.split('\r\n');
  const end = lines.indexOf('');
  lines.splice(1 + dice.roll(Math.max(1, end)), 0, line);
  return lines.join('\r\n');
}

const mixedCase = (text: string, dice: Dice): string =>
  text.replaceAll(/[a-z]/gi, (letter) => (dice.roll(2) === 0 ? letter.toLowerCase() : letter.toUpperCase()));

/** Cuts the first body into other chunks, or makes chunks of a body with a length. */
function rechunked(text: string, dice: Dice): string {
  const plain = /Content-Length: (\d+)\r\n([^]*?\r\n\r\n)/.exec(text);
  if (plain === null || Number(plain[1]) === 0) return text;
  const from = plain.index + plain[0].length;
  const body = text.slice(from, from + Number(plain[1]));
  const parts: string[] = [];
  for (let at = 0; at < body.length;) {
    const size = 1 + dice.roll(body.length);
    parts.push(body.slice(at, at + size));
    at += size;
  }
  const head = text.slice(0, plain.index);
  return `${head}Transfer-Encoding: chunked\r\n${plain[2] ?? ''}${chunked(...parts)}${text.slice(from + body.length)}`;
}

const hex = (dice: Dice): string => dice.roll(256).toString(16).padStart(2, '0');
const visible = (dice: Dice): string => String.fromCharCode(0x21 + dice.roll(0x5e));
const anyByte = (dice: Dice): string => String.fromCharCode(dice.roll(256));

/** Puts a piece somewhere into what the expression matches first. */
const into = (text: string, place: RegExp, piece: (dice: Dice) => string, dice: Dice): string =>
  text.replace(place, (found) => {
    const at = dice.roll(found.length + 1);
    return found.slice(0, at) + piece(dice) + found.slice(at);
  });

/** Changes that a strict gateway often lets pass. */
export const gentle: readonly Mutation[] = [
  (text, dice) => withLine(text, dice.pick(fields), dice),
  (text, dice) => withLine(text, `${dice.pick(fields)}\r\n${dice.pick(fields)}`, dice),
  (text, dice) => withLine(text, `X-${'n'.repeat(dice.roll(300))}: y`, dice),
  (text, dice) => withLine(text, `X-Long: ${'y'.repeat(dice.roll(9_000))}`, dice),
  (text, dice) =>
    withLine(text, Array.from({ length: dice.roll(90) }, (_, at) => `X-${at}: ${at}`).join('\r\n') || 'X: y', dice),
  (text, dice) =>
    text.replace(/ HTTP\/1/, (end) => `${lineOf(text).includes('?') ? '' : '?'}${dice.pick(queries)}${end}`),
  (text, dice) => text.replace(/\?/, (mark) => `${mark}${dice.pick(queries)}&`),
  (text, dice) => text.replace(/\/abc|\/b\.c/, () => `/${dice.pick(segments)}`),
  (text, dice) => text.replace(/ \/(?=[^ ]* HTTP)/, () => ` http://${dice.pick(authorities)}/`),
  (text, dice) => text.replace(/Host: [^\r]*/, () => `Host: ${dice.pick(authorities)}`),
  (text, dice) => text.replace(/^([A-Z-]+)(?=: )/gim, (name) => (dice.roll(3) === 0 ? mixedCase(name, dice) : name)),
  (text, dice) =>
    text.replace(
      /: ([^\r]*)/,
      (_, value: string) => `:${dice.pick(['', ' ', '\t', ' \t '])}${value}${dice.pick(['', ' ', '\t', '  '])}`,
    ),
  (text, dice) => into(text, /(?<= \/)[^ ]*/, visible, dice),
  (text, dice) => into(text, /(?<= \/)[^ ]*/, (each) => `%${hex(each)}`, dice),
  (text, dice) => into(text, /(?<=\?)[^ ]*/, (each) => (each.roll(2) === 0 ? visible(each) : `%${hex(each)}`), dice),
  (text, dice) => withLine(text, `X-Byte: a${anyByte(dice)}b${anyByte(dice)}`, dice),
  (text, dice) => withLine(text, `X${visible(dice)}Name${visible(dice)}: ${visible(dice)}`, dice),
  (text, dice) => rechunked(text, dice),
  (text, dice) =>
    text.replace(
      /\r\n([0-9a-f]{1,4})\r\n/,
      (_, size: string) =>
        `\r\n${dice.pick([`0${size}`, size.toUpperCase(), `${size};a=b`, `${size};a="b c"`, ...sizes])}\r\n`,
    ),
  (text, dice) => text.replace(/\r\n0\r\n\r\n/, () => `\r\n0\r\n${dice.pick(trailers)}\r\n`),
  (text, dice) => text.replace(/HTTP\/1\.1/, () => dice.pick(['HTTP/1.0', 'HTTP/1.1'])),
  (text, dice) => `${dice.pick(['\r\n', '\r\n\r\n', ''])}${text}`,
  (text, dice) => text + dice.pick([text, '\r\n', '\r\n'.concat(text), '0\r\n\r\n']),
];

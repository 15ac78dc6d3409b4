import t from 'tap';
import { wireCase, type Case } from './support/cases.js';
import { startProgram } from './support/program.js';
import { answers } from './support/recorder.js';

const program = await startProgram(t, {
  config: { upstream: { connections: 4, headers_timeout_ms: 1_000, body_timeout_ms: 800 } },
});

const ok = 'HTTP/1.1 200 OK\r\n';
const body = '{"ok":true}';
const length = 'Content-Length: 11\r\n';
const chunked = 'Transfer-Encoding: chunked\r\n';
const chunks = 'b\r\n{"ok":true}\r\n0\r\n\r\n';

const malformed: Readonly<Record<string, string>> = {
  'a length and chunks': `${ok}${length}${chunked}\r\n${chunks}`,
  'chunks and a length': `${ok}${chunked}${length}\r\n${chunks}`,
  'two lengths that differ': `${ok}${length}Content-Length: 5\r\n\r\n${body}`,
  'two equal lengths': `${ok}${length}${length}\r\n${body}`,
  'a list of lengths': `${ok}Content-Length: 11, 11\r\n\r\n${body}`,
  'a signed length': `${ok}Content-Length: +11\r\n\r\n${body}`,
  'a hexadecimal length': `${ok}Content-Length: 0xb\r\n\r\n${body}`,
  'a bare LF in the head': `${ok}X-A: b\nX-B: c\r\n${length}\r\n${body}`,
  'bare LFs for line ends': `HTTP/1.1 200 OK\nContent-Length: 11\n\n${body}`,
  'a bare CR in a value': `${ok}X-A: b\rX-B: c\r\n${length}\r\n${body}`,
  'a folded line': `${ok}X-A: b\r\n c\r\n${length}\r\n${body}`,
  'a NUL in a value': `${ok}X-A: b\0c\r\n${length}\r\n${body}`,
  'a NUL in a name': `${ok}X-\0A: b\r\n${length}\r\n${body}`,
  'a blank before the colon': `${ok}X-A : b\r\n${length}\r\n${body}`,
  'a line without a colon': `${ok}X-A\r\n${length}\r\n${body}`,
  'status 99': `HTTP/1.1 99 Low\r\n${length}\r\n${body}`,
  'status 099': `HTTP/1.1 099 Low\r\n${length}\r\n${body}`,
  'status 600': `HTTP/1.1 600 High\r\n${length}\r\n${body}`,
  'status 999': `HTTP/1.1 999 High\r\n${length}\r\n${body}`,
  'status 1000': `HTTP/1.1 1000 High\r\n${length}\r\n${body}`,
  'status 2OO': `HTTP/1.1 2OO OK\r\n${length}\r\n${body}`,
  'no status': `HTTP/1.1 OK\r\n${length}\r\n${body}`,
  'HTTP/2.0': `HTTP/2.0 200 OK\r\n${length}\r\n${body}`,
  'HTTP/1.2': `HTTP/1.2 200 OK\r\n${length}\r\n${body}`,
  'HTTP/0.9 with a head': `HTTP/0.9 200 OK\r\n${length}\r\n${body}`,
  'HTTP/0.9': `<html>hello</html>\r\n\r\n`,
  'a short HTTP/0.9': 'hi',
  'another protocol': `ICY 200 OK\r\n${length}\r\n${body}`,
  'a line end before the head': `\r\n${ok}${length}\r\n${body}`,
  'gzip, chunked': `${ok}Transfer-Encoding: gzip, chunked\r\n\r\n${chunks}`,
  'chunked, chunked': `${ok}Transfer-Encoding: chunked, chunked\r\n\r\n${chunks}`,
  'chunked twice': `${ok}${chunked}${chunked}\r\n${chunks}`,
  'chunked, identity': `${ok}Transfer-Encoding: chunked, identity\r\n\r\n${chunks}`,
  gzip: `${ok}Transfer-Encoding: gzip\r\n\r\n${chunks}`,
  'a chunk size that is none': `${ok}${chunked}\r\nxyz\r\n{"ok":true}\r\n0\r\n\r\n`,
  'a chunk size beyond all bounds': `${ok}${chunked}\r\nfffffffffffffffff\r\n{"ok":true}\r\n0\r\n\r\n`,
  'a chunk longer than it says': `${ok}${chunked}\r\n3\r\n{"ok":true}\r\n0\r\n\r\n`,
  'an upgrade that nobody asked for':
    'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
  'a 100 and nothing more': 'HTTP/1.1 100 Continue\r\n\r\n',
};

/** 502, or a transfer that everybody can see is broken. */
async function neverClean(one: Case, name: string, bytes: string): Promise<void> {
  one.recorder.script({ request: answers.rawThenEnd(bytes) });
  const exchange = await one.send(one.good);
  const [answer] = exchange.answers;
  const isBroken =
    answer === undefined ? exchange.isClosed : answer.status === 200 && !answer.isWhole && exchange.isClosed;
  one.t.ok(
    answer?.status === 502 || isBroken,
    `${name}: ${answer?.status ?? 'no answer'}${isBroken ? ', broken' : ''}`,
  );
  one.t.notOk(answer?.status === 502 && answer.body.includes('{"ok":true}'), `${name}: nothing of it is passed on`);
  one.recorder.script({});
  const { answers: next } = await one.send(one.good);
  one.t.equal(next[0]?.status, 200, `${name}: the next request is not touched`);
}

await wireCase(t, program, { name: 'UP-10', allow: { untracked: true } }, async (one) => {
  for (const [name, bytes] of Object.entries(malformed)) await neverClean(one, name, bytes);
});

await wireCase(t, program, { name: 'UP-10 (behind a good answer)', allow: { untracked: true } }, async (one) => {
  // The same, on a connection that has already carried a good answer.
  for (const [name, bytes] of Object.entries(malformed)) {
    await one.passes('a good one', one.good);
    await neverClean(one, name, bytes);
  }
});

await wireCase(t, program, { name: 'UP-12 (too much)' }, async (one) => {
  const many = Array.from({ length: 3_000 }, (_, n) => `X-${n}: a\r\n`).join('');
  const several = Array.from({ length: 201 }, (_, n) => `X-${n}: a\r\n`).join('');
  for (const [name, head] of Object.entries({
    '20 KiB in one header': `X-A: ${'a'.repeat(20_480)}\r\n`,
    '20 KiB in twenty headers': Array.from({ length: 20 }, (_, n) => `X-${n}: ${'a'.repeat(1_020)}\r\n`).join(''),
    '3,000 headers': many,
    '201 headers': several,
  })) {
    one.recorder.script({ request: answers.raw(`${ok}${head}${length}\r\n${body}`) });
    one.t.equal((await one.send(one.good)).answers[0]?.status, 502, `${name}: 502`);
  }
});

await wireCase(t, program, { name: 'UP-12 (header rules)' }, async (one) => {
  const answerTo = async (
    head: string,
    status = '200 OK',
  ): Promise<{ values(name: string): readonly string[]; status: number }> => {
    one.recorder.script({ request: answers.raw(`HTTP/1.1 ${status}\r\n${head}${length}\r\n${body}`) });
    const [answer] = (await one.send(one.good)).answers;
    return {
      status: answer?.status ?? 0,
      values: (name) => answer?.headers.filter(([key]) => key.toLowerCase() === name).map(([, value]) => value) ?? [],
    };
  };
  const nominated = await answerTo(
    'Connection: x-request-id, x-hop\r\nX-Request-Id: theirs\r\nX-Hop: theirs\r\nX-End: theirs\r\n',
  );
  one.t.equal(nominated.values('x-request-id').length, 1, 'exactly one X-Request-Id');
  one.t.not(nominated.values('x-request-id')[0], 'theirs', 'and it is ours');
  one.t.strictSame(nominated.values('x-hop'), [], 'what Connection names stays here');
  one.t.strictSame(nominated.values('x-end'), ['theirs'], 'the rest passes');
  const cookies = Array.from({ length: 50 }, (_, n) => `c${n}=v; Path=/`);
  const cookied = await answerTo(cookies.map((cookie) => `Set-Cookie: ${cookie}\r\n`).join(''));
  one.t.strictSame(cookied.values('set-cookie'), cookies, 'fifty cookies stay fifty lines in their order');
  const hop = await answerTo(
    'Keep-Alive: timeout=99\r\nProxy-Connection: x\r\nProxy-Authenticate: x\r\nUpgrade: h2c\r\nTrailer: x\r\nTE: x\r\n',
  );
  for (const name of ['proxy-connection', 'proxy-authenticate', 'upgrade', 'trailer', 'te'])
    one.t.strictSame(hop.values(name), [], `${name} stays here`);
  one.t.notOk(hop.values('keep-alive').includes('timeout=99'), 'Keep-Alive is never theirs');
  const credentials = await answerTo(
    'Authorization: Bearer x\r\nX-API-Key: x\r\nX-Auth-Subject: x\r\nX-RateLimit-Limit: 1\r\n',
  );
  for (const name of ['authorization', 'x-api-key', 'x-auth-subject', 'x-ratelimit-limit'])
    one.t.strictSame(credentials.values(name), [], `${name} stays here`);
  const own = program.recorder.url;
  const located = await answerTo(`Location: ${own}/api/v1/memories/m?q=1#f\r\n`, '302 Found');
  one.t.strictSame(
    located.values('location'),
    ['/api/v1/memories/m?q=1#f'],
    'a Location that names the upstream becomes a path',
  );
  const bare = await answerTo(`Location: ${own}\r\n`, '302 Found');
  one.t.strictSame(bare.values('location'), ['/'], 'also without a path');
  const twice = await answerTo(`Location: ${own}/a\r\nLocation: https://elsewhere.example/b\r\n`, '302 Found');
  one.t.notOk(
    twice.values('location').some((value) => value.includes(own)),
    'of two neither shows the upstream',
  );
  const relative = await answerTo('Location: /next\r\n', '303 See Other');
  one.t.strictSame(relative.values('location'), ['/next'], 'a path stays as it is');
  one.t.equal(relative.status, 303, 'and so does the status');
});

import { Readable } from 'node:stream';
import t from 'tap';
import { clientAddress, networkTest } from '../../src/gate/client-address.js';
import { readFraming } from '../../src/gate/framing.js';
import { createGate } from '../../src/gate/gate.js';
import { HeaderNames } from '../../src/gate/header-names.js';
import { readHeaders } from '../../src/gate/headers.js';
import { normalHost } from '../../src/gate/host.js';
import { canonicalName } from '../../src/gate/names.js';
import { readTarget } from '../../src/gate/target.js';
import type { RawRequest, RequestBody } from '../../src/model/request.js';
import { freePlace } from '../../src/model/place.js';

t.test('readTarget() takes paths and queries as they were sent', async (t) => {
  const cases = [
    { target: '/', path: '/', query: [] },
    { target: '/a/b', path: '/a/b', query: [] },
    { target: '/a/', path: '/a/', query: [] },
    { target: "/a-._~!$&'()*+,=:@", path: "/a-._~!$&'()*+,=:@", query: [] },
    { target: '/%C3%A4/%20', path: '/%C3%A4/%20', query: [] },
    { target: '/...', path: '/...', query: [] },
    { target: '/.a/b..', path: '/.a/b..', query: [] },
    { target: '/a?', path: '/a', query: [['', '', '']] },
    { target: '/a?b', path: '/a', query: [['b', 'b', '']] },
    {
      target: '/a?b=%41&c=+&&d==',
      path: '/a',
      query: [
        ['b=%41', 'b', 'A'],
        ['c=+', 'c', ' '],
        ['', '', ''],
        ['d==', 'd', '='],
      ],
    },
    { target: '/a?%62=%252e', path: '/a', query: [['%62=%252e', 'b', '%2e']] },
    { target: '/a?b=?/:@', path: '/a', query: [['b=?/:@', 'b', '?/:@']] },
    { target: 'http://h:80/a?b', path: '/a', query: [['b', 'b', '']] },
    { target: 'HTTP://H:80/a', path: '/a', query: [] },
  ];
  for (const { target, path, query } of cases) {
    const read = readTarget(target, 'h:80');
    t.ok(read.ok, target);
    if (!read.ok) continue;
    t.equal(read.value.path, path, target);
    t.strictSame(
      read.value.query.map(({ raw, name, value }) => [raw, name, value]),
      query,
      target,
    );
  }
});

t.test('readTarget() refuses what two servers could read differently', async (t) => {
  const long = `/${'a'.repeat(8_192)}`;
  const many = `/a?${'b&'.repeat(256)}`;
  const cases = [
    '',
    'a',
    '*',
    'a/b',
    '//',
    '//h/a',
    '/a//b',
    '/.',
    '/..',
    '/a/.',
    '/a/..',
    '/./a',
    '/../a',
    '/a/../b',
    '/a/./b',
    '/a;b',
    '/a#b',
    '/a\\b',
    '/a b',
    '/a\tb',
    '/a\0b',
    '/ä',
    '/a"b',
    '/a<b',
    '/a[b',
    '/a{b',
    '/a|b',
    '/a^b',
    '/a`b',
    '/%2e',
    '/%2E%2e',
    '/a%2fb',
    '/a%2Fb',
    '/a%5cb',
    '/a%5Cb',
    '/a%00',
    '/a%0d%0a',
    '/a%25',
    '/a%252e',
    '/a%7f',
    '/a%3b',
    '/a%3B',
    '/%61',
    '/%41',
    '/%7A',
    '/%30',
    '/%2d',
    '/%5f',
    '/%7e',
    '/%',
    '/%4',
    '/%zz',
    '/%c0%ae',
    '/%ff',
    '/%ed%a0%80',
    '/a?b#c',
    '/a?b c',
    '/a?b;c',
    '/a?b"c',
    '/a?b<c',
    '/a?b>c',
    '/a?b\\c',
    '/a?b\x7f',
    '/a?ä',
    '/a?%',
    '/a?%4',
    '/a?%zz',
    '/a?%00',
    '/a?b=%00',
    '/a?%c0%ae',
    '/a?b=%ff',
    long,
    many,
    'http://other:80/a',
    'https://h:80/a',
    'http://h:81/a',
    'http://u@h:80/a',
    'http://h:80',
    'http://h:80?b',
    'http:///a',
    'http:/a',
    'http://h:80//a',
    'http://h:80/../a',
    'ftp://h:80/a',
  ];
  for (const target of cases)
    t.match(
      readTarget(target, 'h:80'),
      { ok: false, why: { code: 'gate.target' } },
      JSON.stringify(target.slice(0, 40)),
    );
});

t.test('readFraming() knows three ways, and no fourth', async (t) => {
  const cases: readonly { method?: string; version?: string; headers: Record<string, string>; want: unknown }[] = [
    { headers: {}, want: { kind: 'none' } },
    { headers: { 'content-length': '0' }, want: { kind: 'length', length: 0 } },
    { headers: { 'content-length': '5' }, want: { kind: 'length', length: 5 } },
    { headers: { 'content-length': '999999999999999' }, want: { kind: 'length', length: 999_999_999_999_999 } },
    { headers: { 'transfer-encoding': 'chunked' }, want: { kind: 'chunked' } },
    { headers: { 'transfer-encoding': 'CHUNKED' }, want: { kind: 'chunked' } },
    { method: 'GET', headers: { 'content-length': '0' }, want: { kind: 'length', length: 0 } },
    { version: '1.0', headers: { 'content-length': '0' }, want: { kind: 'length', length: 0 } },
    { headers: { 'content-length': '5', 'transfer-encoding': 'chunked' }, want: null },
    ...['', ' 5', '5 ', '+5', '-5', '05', '00', '5,5', '5, 5', '0x5', '5_0', '5.0', '1e3', '1000000000000000', '٥'].map(
      (value) => ({ headers: { 'content-length': value }, want: null }),
    ),
    ...[
      '',
      ',chunked',
      'chunked,',
      'gzip, chunked',
      'chunked, chunked',
      'chunked;q=1',
      'identity',
      ' chunked',
      'chunke\u0064\u0001',
    ].map((value) => ({ headers: { 'transfer-encoding': value }, want: null })),
    { version: '1.0', headers: { 'transfer-encoding': 'chunked' }, want: null },
    { version: '1.0', headers: { 'content-length': '5' }, want: null },
    ...['GET', 'HEAD', 'OPTIONS'].map((method) => ({ method, headers: { 'content-length': '5' }, want: null })),
    ...['GET', 'HEAD', 'OPTIONS'].map((method) => ({
      method,
      headers: { 'transfer-encoding': 'chunked' },
      want: null,
    })),
    { method: 'DELETE', headers: { 'content-length': '5' }, want: { kind: 'length', length: 5 } },
  ];
  for (const { method = 'POST', version = '1.1', headers, want } of cases) {
    const read = readFraming(method, version, new Map(Object.entries(headers)));
    const name = `${method} ${version} ${JSON.stringify(headers)}`;
    if (want === null) t.match(read, { ok: false, why: { code: 'gate.framing' } }, name);
    else t.strictSame(read, { ok: true, value: want }, name);
  }
});

t.test('normalHost() gives one spelling', async (t) => {
  const cases: readonly (readonly [string, string | null])[] = [
    ['localhost', 'localhost'],
    ['LOCALHOST:8080', 'localhost:8080'],
    ['a.example.', 'a.example'],
    ['a.example.:80', 'a.example:80'],
    ['a_b.example', 'a_b.example'],
    ['127.0.0.1:1', '127.0.0.1:1'],
    ['[::1]:8080', '[::1]:8080'],
    ['[FE80::1]', '[fe80::1]'],
    ['a:65535', 'a:65535'],
    ['', null],
    ['.', null],
    ['a..b', null],
    ['.a', null],
    ['a, b', null],
    ['u@h', null],
    ['a:', null],
    ['a:80x', null],
    ['a:1:2', null],
    ['a:65536', null],
    ['a:999999', null],
    ['::1', null],
    ['[::1', null],
    ['[::1]x', null],
    ['[zz]', null],
    ['[127.0.0.1]', null],
    ['[fe80::1%25eth0]', null],
    ['a b', null],
    ['a/b', null],
    ['a\\b', null],
    ['a?b', null],
    ['a#b', null],
    ['%61', null],
    ['ä', null],
    ['-a', null],
    ['a'.repeat(64), null],
    [`${'a.'.repeat(128)}b`, null],
  ];
  for (const [host, want] of cases) t.equal(normalHost(host), want, JSON.stringify(host.slice(0, 40)));
});

t.test('clientAddress() believes trusted proxies, from the right', async (t) => {
  const trusted = networkTest(['127.0.0.2', '10.0.0.0/8', 'fd00::/8']);
  if (!trusted.ok) return t.fail('networks');
  const cases = [
    { peer: '1.1.1.1', header: undefined, want: '1.1.1.1' },
    { peer: '1.1.1.1', header: '2.2.2.2', want: '1.1.1.1' },
    { peer: '127.0.0.2', header: undefined, want: '127.0.0.2' },
    { peer: '127.0.0.2', header: '2.2.2.2', want: '2.2.2.2' },
    { peer: '127.0.0.2', header: '3.3.3.3, 2.2.2.2', want: '2.2.2.2' },
    { peer: '127.0.0.2', header: '3.3.3.3, 10.1.2.3', want: '3.3.3.3' },
    { peer: '127.0.0.2', header: '10.1.2.3', want: '10.1.2.3' },
    { peer: '127.0.0.2', header: '3.3.3.3, x', want: '127.0.0.2' },
    { peer: '127.0.0.2', header: '3.3.3.3, , 10.1.2.3', want: '10.1.2.3' },
    { peer: '127.0.0.2', header: '::ffff:3.3.3.3', want: '3.3.3.3' },
    { peer: 'fd00::1', header: '2001:db8::1', want: '2001:db8::1' },
    { peer: '127.0.0.2', header: '', want: '127.0.0.2' },
    { peer: '', header: '3.3.3.3', want: '' },
  ];
  for (const { peer, header, want } of cases)
    t.equal(clientAddress(peer, header, trusted.value), want, `${peer} ${String(header)}`);
  for (const wrong of ['x', '1.2.3.4/33', '1.2.3.4/-1', '1.2.3.4/', '::/129', '1.2.3', '10.0.0.0/8/8'])
    t.strictSame(networkTest([wrong]), { ok: false, why: wrong }, wrong);
  const none = networkTest([]);
  t.ok(none.ok && !none.value('127.0.0.1'), 'nobody is trusted by default');
});

t.test('canonicalName() shows a name as what it plays', async (t) => {
  t.strictSame(
    ['x-auth-user', 'x_auth_user', 'x.auth.user', "x'auth~user", 'x-auth_user'].map(canonicalName),
    Array(5).fill('x-auth-user'),
  );
});

const names = new HeaderNames(['X-Memory-Space', 'host', 'authorization', 'content-length', 'x-request-id']);
const pairs = (text: string): string[] =>
  text.split('\n').flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]);

t.test('readHeaders() keeps what may travel', async (t) => {
  const read = readHeaders(
    pairs(
      'Host: h\nX-Note: \xff\xfe\nConnection: close, X-Own\nX-Own: y\nTE: trailers\nKeep-Alive: 1\nContent-Length: 5\nExpect: 100-continue\nX-Memory-Space: a\nX-Two: 1\nx-two: 2',
    ),
    names,
  );
  t.ok(read.ok);
  if (!read.ok) return;
  t.strictSame(
    read.value.endToEnd.map(({ name, value }) => `${name}: ${value}`),
    ['X-Note: \xff\xfe', 'X-Memory-Space: a', 'X-Two: 1', 'x-two: 2'],
  );
  t.equal(read.value.all.get('content-length'), '5', 'everything can be looked up');
});

t.test('readHeaders() refuses what could be read twice', async (t) => {
  const cases = [
    'X-Memory-Space: a\nx-memory-space: a',
    'Host: h\nHost: h',
    'X_Memory_Space: a',
    'X.Memory.Space: a',
    'x-memory_space: a',
    'X-Memory-Space: \xe4',
    'X-Note: a\0b',
    'X-Note: a\rb',
    'X-Note: a\x7fb',
    'X-Note: a\x01',
    'X Note: a',
    ': a',
    'X-N\xe4te: a',
    'X(Note): a',
    'X-Note\t: a',
    'Connection: x-memory-space\nX-Memory-Space: a',
    'Connection: X_MEMORY_SPACE',
    'Connection: authorization',
    'Connection: close\nConnection: close',
    'Connection: a b',
    'Connection: \xe4',
  ];
  for (const text of cases)
    t.match(readHeaders(pairs(text), names), { ok: false, why: { code: 'gate.header' } }, JSON.stringify(text));
});

t.test('readHeaders() counts lines and bytes', async (t) => {
  const lines = (count: number): string[] => Array.from({ length: count }, () => ['h', '']).flat();
  t.ok(readHeaders(lines(100), names).ok);
  t.match(readHeaders(lines(101), names), { ok: false, why: { code: 'gate.headers-too-large' } });
  t.ok(readHeaders(['h', 'x'.repeat(16_384 - 5)], names).ok);
  t.match(readHeaders(['h', 'x'.repeat(16_384 - 4)], names), { ok: false, why: { code: 'gate.headers-too-large' } });
});

const noBody: RequestBody = {
  framing: 'none',
  length: 0,
  isComplete: true,
  received: 0,
  collect: async () => ({ ok: true, value: Buffer.alloc(0) }),
  stream: () => Readable.from([]),
  discard: () => Promise.resolve(),
};
const raw = (over: Partial<RawRequest>): RawRequest => ({
  id: 'id',
  receivedAtMs: 0,
  startedMs: 0,
  method: 'GET',
  target: '/a',
  httpVersion: '1.1',
  rawHeaders: ['Host', 'h'],
  peerAddress: '127.0.0.1',
  place: freePlace,
  body: noBody,
  ...over,
});
const gate = createGate({
  allowedHosts: new Set(['h']),
  isTrustedProxy: () => false,
  protectedHeaders: ['X-Memory-Space', 'X-Auth-Subject'],
});

t.test('createGate() refuses by name', async (t) => {
  const cases = [
    { over: { httpVersion: '0.9' }, code: 'gate.malformed' },
    { over: { httpVersion: '2.0' }, code: 'gate.version' },
    { over: { httpVersion: '1.2' }, code: 'gate.version' },
    { over: { httpVersion: '1.0', method: 'POST' }, code: 'gate.version' },
    { over: { method: 'TRACE' }, code: 'gate.method' },
    { over: { method: 'CONNECT' }, code: 'gate.method' },
    { over: { method: 'get' }, code: 'gate.method' },
    { over: { method: '' }, code: 'gate.method' },
    { over: { target: '*' }, code: 'gate.target' },
    { over: { target: '*', method: 'OPTIONS' }, code: 'gate.method' },
    { over: { rawHeaders: [] }, code: 'gate.host' },
    { over: { rawHeaders: ['Host', 'other'] }, code: 'gate.host-unknown' },
    { over: { rawHeaders: ['Host', 'h', 'Host', 'h'] }, code: 'gate.header' },
    { over: { rawHeaders: ['Host', 'h', 'Expect', 'x'] }, code: 'gate.expectation' },
    { over: { rawHeaders: ['Host', 'h', 'Expect', '100-continue'], httpVersion: '1.0' }, code: 'gate.expectation' },
    { over: { rawHeaders: ['Host', 'h', 'Upgrade', 'WebSocket'] }, code: 'gate.upgrade' },
    { over: { rawHeaders: ['Host', 'h', 'Cookie', 'a', 'Cookie', 'b'] }, code: 'gate.header' },
  ];
  for (const { over, code } of cases) t.match(gate(raw(over)), { ok: false, why: { code } }, JSON.stringify(over));
});

t.test('createGate() gives one canonical request', async (t) => {
  const rawHeaders = [
    'Host',
    'H.',
    'X-Request-Id',
    'Client-1',
    'User-Agent',
    'x',
    'X-Forwarded-For',
    '1.2.3.4',
    'Expect',
    '100-Continue',
    'Connection',
    'keep-alive',
  ];
  const read = gate(raw({ target: '/a?b=c', rawHeaders }));
  t.match(read, {
    ok: true,
    value: {
      path: '/a',
      host: 'h',
      clientAddress: '127.0.0.1',
      clientRequestId: 'Client-1',
      userAgent: 'x',
      expectsContinue: true,
    },
  });
  t.match(
    gate(raw({ rawHeaders: ['Host', 'h', 'X-Request-Id', 'a b'] })),
    { ok: true, value: { clientRequestId: null } },
    'an odd id is not taken over',
  );
  t.match(gate(raw({ httpVersion: '1.0' })), { ok: true }, 'HTTP/1.0 without a body passes');
});

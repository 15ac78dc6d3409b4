import t from 'tap';
import { namesOf } from './support/bytes.js';
import { SA, wireCase } from './support/cases.js';
import { startProgram } from './support/program.js';

const program = await startProgram(t, {
  config: { gateway: { allowed_hosts: ['localhost:8080'], trusted_proxies: ['127.0.0.2'] } },
});
const recall = '/api/v1/memories/recall?q=x';

await wireCase(t, program, { name: 'HD-01 Connection nominates an identity header' }, async (c) => {
  for (const value of [
    'close, X-Auth-Subject',
    'x-auth-subject',
    'X-Auth-Key-Id',
    'x-request-id',
    'X_Auth_Spaces',
    'keep-alive, ,X-Auth-Spaces',
  ]) {
    await c.refused(value, c.goodWith(`Connection: ${value}\r\n`), { status: 400, code: 'gate.header' });
  }
});

await wireCase(t, program, { name: 'HD-02 Connection nominates what was decided on' }, async (c) => {
  for (const value of [
    'x-memory-space',
    'Authorization',
    'Content-Length',
    'host',
    'Content-Type',
    'X-API-Key',
    'cookie',
  ]) {
    await c.refused(value, c.goodWith(`Connection: ${value}\r\n`), { status: 400, code: 'gate.header' });
  }
  const passed = await c.passes('a header that nothing reads', c.goodWith('Connection: x-note\r\nX-Note: y\r\n'));
  c.t.notOk(namesOf(passed).includes('x-note'), 'is for us alone');
  await c.refused('two lines', c.goodWith('Connection: close\r\nConnection: x-note\r\n'), { status: 400 });
});

await wireCase(t, program, { name: 'HD-04 hop-by-hop headers' }, async (c) => {
  const passed = await c.passes(
    'all of them',
    c.goodWith(
      'Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\nTrailer: X-T\r\nProxy-Authorization: x\r\nUpgrade: foo\r\nProxy-Authenticate: x\r\n',
    ),
  );
  const gone = [
    'keep-alive',
    'proxy-connection',
    'te',
    'trailer',
    'proxy-authorization',
    'upgrade',
    'proxy-authenticate',
  ];
  c.t.strictSame(
    gone.filter((name) => namesOf(passed).includes(name)),
    [],
  );
});

await wireCase(t, program, { name: 'HD-05 two Authorization lines' }, async (c) => {
  const bare = `GET ${recall} HTTP/1.1\r\nHost: localhost:8080\r\n${SA}`;
  await c.refused('KA and garbage', `${bare}${c.key('KA')}Authorization: Bearer x\r\n\r\n`, { status: 400 });
  await c.refused('garbage and KA', `${bare}authorization: Bearer x\r\n${c.key('KA')}\r\n`, { status: 400 });
  await c.refused('KA twice', `${bare}${c.key('KA')}${c.key('KA')}\r\n`, { status: 400 });
  await c.refused(
    'an alias beside it',
    `${bare}${c.key('KA')}authorization_: x\r\n`.replace('authorization_', 'x_api_key') + '\r\n',
    { status: 400 },
  );
});

await wireCase(t, program, { name: 'HD-06 Authorization and X-API-Key' }, async (c) => {
  const both = c.goodWith(`X-API-Key: ${program.keys.KB.text}\r\n`);
  await c.refused('KA and KB', both, { status: 400, code: 'identify.many-credentials' });
  await c.refused('KA twice over', c.goodWith(`X-API-Key: ${program.keys.KA.text}\r\n`), {
    status: 400,
    code: 'identify.many-credentials',
  });
});

await wireCase(t, program, { name: 'HD-07 fields of one value' }, async (c) => {
  for (const name of [
    'User-Agent',
    'Referer',
    'Range',
    'If-Match',
    'if-none-match',
    'If-Modified-Since',
    'Max-Forwards',
  ]) {
    const lines = `${name}: a\r\n${name.toLowerCase()}: b\r\n`;
    await c.refused(`two ${name}`, c.goodWith(lines), { status: 400, code: 'gate.header' });
    const { values } = await c.passes(`one ${name}`, c.goodWith(`${name}: a\r\n`));
    c.t.strictSame(values(name), ['a'], `one ${name} arrives`);
  }
  const { values } = await c.passes('two lines of a list', c.goodWith('Accept: a\r\naccept: b\r\n'));
  c.t.strictSame(values('accept'), ['a', 'b'], 'a list may stand in two lines');
});

await wireCase(t, program, { name: 'HD-07 long names' }, async (c) => {
  const longest = 'x'.repeat(255);
  const { values } = await c.passes('255 bytes', c.goodWith(`${longest}: a\r\n`));
  c.t.strictSame(values(longest), ['a'], 'the longest name arrives');
  await c.refused('256 bytes', c.goodWith(`${longest}x: a\r\n`), { status: 400, code: 'gate.header' });
});

await wireCase(t, program, { name: 'HD-08 Host' }, async (c) => {
  const withHost = (lines: string, version = '1.1'): string =>
    `GET ${recall} HTTP/${version}\r\n${lines}${c.key('KA')}${SA}\r\n`;
  const host = 'Host: localhost:8080\r\n';
  await c.refused('two', withHost(host + host), { status: 400 });
  await c.refused('none', withHost(''), { status: 400 });
  await c.refused('none in HTTP/1.0', withHost('', '1.0'), { status: [400, 505] });
  for (const value of [
    '',
    'a, b',
    'u@h',
    'localhost:80x',
    'localhost:',
    'localhost:99999',
    '[::1',
    'a b',
    'localhost:8080/x',
    'a\\b',
    '%6cocalhost:8080',
  ]) {
    await c.refused(JSON.stringify(value), withHost(`Host: ${value}\r\n`), { status: 400, code: 'gate.host' });
  }
});

await wireCase(t, program, { name: 'HD-09 allowed hosts' }, async (c) => {
  const at = (host: string): string => c.good.replace('localhost:8080', host);
  await c.refused('evil', at('evil'), { status: [400, 421] });
  await c.refused('another port', at('localhost:8081'), { status: 421, code: 'gate.host-unknown' });
  await c.passes('upper case', at('LOCALHOST:8080'));
  await c.passes('a dot at the end', at('localhost.:8080'));
  await c.refused('two ports', at('localhost:8080:1'), { status: 400 });
});

await wireCase(t, program, { name: 'HD-11 forwarded addresses' }, async (c) => {
  const lines =
    'X-Forwarded-For: 1.2.3.4, 127.0.0.2\r\nX-Real-IP: 9.9.9.9\r\nForwarded: for=9.9.9.9\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\n';
  const seen = async (
    localAddress: string,
    more: string,
  ): Promise<{ audited: unknown; forwarded: readonly string[] }> => {
    const request = await c.passes(localAddress, c.goodWith(more), { localAddress });
    const record = await program.audit.find(c.from.audit, ({ id, effect }) => id === request.id && effect === 'allow');
    c.t.strictSame(request.values('x-forwarded-proto'), ['http'], 'what we know ourselves');
    c.t.strictSame(request.values('x-forwarded-host'), ['localhost:8080']);
    for (const name of ['x-real-ip', 'forwarded']) c.t.strictSame(request.values(name), [], `${name} is gone`);
    return { audited: record['client_address'], forwarded: request.values('x-forwarded-for') };
  };
  c.t.strictSame(
    await seen('127.0.0.2', lines),
    { audited: '1.2.3.4', forwarded: ['1.2.3.4'] },
    'behind the trusted proxy',
  );
  c.t.strictSame(
    await seen('127.0.0.3', lines),
    { audited: '127.0.0.3', forwarded: ['127.0.0.3'] },
    'from anybody else they are ignored',
  );
  const long = 'X-Forwarded-For: 6.6.6.6, 1.2.3.4, 127.0.0.2\r\n';
  c.t.strictSame(
    await seen('127.0.0.2', long),
    { audited: '1.2.3.4', forwarded: ['1.2.3.4'] },
    'the right-most that is not trusted',
  );
  const garbage = 'X-Forwarded-For: 6.6.6.6, x, 127.0.0.2\r\n';
  c.t.strictSame(
    await seen('127.0.0.2', garbage),
    { audited: '127.0.0.2', forwarded: ['127.0.0.2'] },
    'nothing left of garbage is believed',
  );
  const mapped = 'X-Forwarded-For: ::ffff:1.2.3.4\r\n';
  c.t.strictSame(
    await seen('127.0.0.2', mapped),
    { audited: '1.2.3.4', forwarded: ['1.2.3.4'] },
    'an IPv4-mapped address is an IPv4 address',
  );
});

await wireCase(t, program, { name: 'HD-12 method overrides' }, async (c) => {
  for (const name of ['X-HTTP-Method-Override', 'X-HTTP-Method', 'X-Method-Override']) {
    const passed = await c.passes(name, c.remember('{"content":"x"}', `${name}: DELETE\r\n`));
    c.t.equal(passed.method, 'POST');
    c.t.notOk(namesOf(passed).includes(name.toLowerCase()), 'is gone');
    const record = await program.audit.find(c.from.audit, ({ id, effect }) => id === passed.id && effect === 'allow');
    c.t.strictSame([record['method'], record['action']], ['POST', 'memory:write'], 'decided as what it is');
  }
  await c.refused('an alias', c.goodWith('X_HTTP_Method_Override: DELETE\r\n'), { status: 400 });
});

await wireCase(t, program, { name: 'HD-13 other URLs in headers' }, async (c) => {
  for (const name of [
    'X-Original-URL',
    'X-Rewrite-URL',
    'X-Forwarded-Uri',
    'X-Forwarded-Prefix',
    'X-Forwarded-Method',
    'X-Original-Host',
  ]) {
    const passed = await c.passes(name, c.goodWith(`${name}: /api/v1/spaces\r\n`));
    c.t.notOk(namesOf(passed).includes(name.toLowerCase()), 'is gone');
    c.t.equal(passed.target, recall, 'the request line decides');
  }
});

await wireCase(t, program, { name: 'HD-15 bytes above ASCII' }, async (c) => {
  const passed = await c.passes('in a header that nothing reads', c.goodWith('X-Note: \xff\xfe\r\n'));
  c.t.strictSame(passed.values('x-note'), ['\xff\xfe'], 'the same bytes');
  await c.passes('in User-Agent', c.goodWith('User-Agent: \xff\x80 x\r\n'));
  for (const line of ['X-Memory-Space-Id: alph\xe4', 'X-Request-Id: \xff', 'Content-Type: \xff', 'Cookie: \xff']) {
    await c.refused(JSON.stringify(line), c.goodWith(`${line}\r\n`), { status: 400, code: 'gate.header' });
  }
  const text = program.audit.textSince(c.from.audit);
  c.t.notMatch(text, /[\ufffd\u007f-\u009f]/, 'records are valid UTF-8 without controls');
  c.t.match(text, /"user_agent":"\u00ff\\\\u0080 x"/, 'and say what came');
});

await wireCase(t, program, { name: 'HD-18 X-Request-Id' }, async (c) => {
  const told = async (name: string, more: string): Promise<unknown> => {
    const request = await c.passes(name, c.goodWith(more));
    const record = await program.audit.find(c.from.audit, ({ id, effect }) => id === request.id && effect === 'allow');
    c.t.match(request.id, /^[A-Za-z0-9._-]{1,64}$/, `${name}: ours`);
    c.t.equal(c.exchanges.at(-1)?.answers[0]?.header('x-request-id'), request.id, `${name}: the answer says it too`);
    return record['client_request_id'];
  };
  c.t.equal(await told('512 bytes', `X-Request-Id: ${'a'.repeat(512)}\r\n`), null);
  c.t.equal(await told('a tab', 'X-Request-Id: a\tb\r\n'), null);
  c.t.equal(await told('none', ''), null);
  c.t.equal(
    await told('a good one', 'X-Request-Id: Client.1-2_3\r\n'),
    'Client.1-2_3',
    'the client’s own is recorded beside ours',
  );
  await c.refused('two', c.goodWith('X-Request-Id: a\r\nX-Request-Id: b\r\n'), { status: 400 });
});

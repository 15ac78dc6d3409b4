import t, { type Test } from 'tap';
import type { AuditRecord } from './support/audit.js';
import { H } from './support/cases.js';
import { makeKey, type KeyName } from './support/keys.js';
import { startProgram } from './support/program.js';
import { acceptFor, clientKey, frame, obeyInits, SocketClient, upgradeLines } from './support/websocket.js';
import { send } from './support/wire.js';

const path = '/v1/stream';
const config = {
  streams: { first_message_timeout_ms: 1_000, message_max_bytes: 1_024 },
  gateway: { inspect_max_bytes: 4_096, inspect_max_bytes_in_progress: 4_096 },
};
const program = await startProgram(t, { config });
const { recorder, audit } = program;

const requestOf = (key: string, more = upgradeLines(), target = path): string =>
  `GET ${target} HTTP/1.1\r\n${H}Authorization: Bearer ${key}\r\n${more}\r\n`;
const request = (name: KeyName, more?: string, target?: string): string =>
  requestOf(program.keys[name].text, more, target);

async function open(t: Test, name: KeyName = 'KA', more?: string): Promise<SocketClient> {
  const socket = await SocketClient.open(program.port, request(name, more));
  t.teardown(() => socket.client.close());
  return socket;
}

async function socketOf(t: Test, key: string): Promise<SocketClient> {
  const socket = await SocketClient.open(program.port, requestOf(key));
  t.teardown(() => socket.client.close());
  return socket;
}

const init = (space?: string): object => ({ type: 'init', ...(space !== undefined && { memory_space_id: space }) });

const outcomeOf = (id: string): Promise<AuditRecord> =>
  audit.find(0, (record) => record.id === id && record['ended_by'] !== undefined);

/** Records of the messages of a tunnel. */
const decisionsOf = (socket: SocketClient): readonly AuditRecord[] =>
  audit.records().filter((record) => record.effect !== undefined && record['session'] === socket.id);

await t.test('a tunnel to the space of the key', async (t) => {
  const servers = obeyInits(recorder);
  const socket = await open(t);
  t.equal(socket.status, 101);
  t.match(
    socket.head,
    new RegExp(`^Sec-WebSocket-Accept: ${acceptFor(clientKey).replaceAll(/[+/]/g, '.')}$`, 'm'),
    'our key is answered',
  );
  t.ok(audit.hasAllowed(socket.id), 'the handshake is on record');
  const [server] = servers;
  t.notOk(server?.headers.get('authorization'), 'the credential stays here');
  t.not(server?.headers.get('sec-websocket-key'), clientKey, 'the key towards the server is another');
  t.equal(server?.headers.get('x-request-id'), socket.id);
  t.equal(await socket.say(init('alpha')), '{"type":"init-ack","space":"alpha"}');
  t.equal(await socket.say({ type: 'observation', content: 'x' }), '{"type":"observation-ack","space":"alpha"}');
  t.equal(await socket.say(init('alpha')), '{"type":"init-ack","space":"alpha"}', 'the same space again');
  t.match(
    decisionsOf(socket).map(({ effect, spaces, route }) => ({ effect, ids: spaces.ids, route })),
    [
      { effect: 'allow', ids: ['alpha'], route: 'stream.socket' },
      { effect: 'allow', ids: ['alpha'], route: 'stream.socket' },
    ],
    'each message that names the space is on record, and no other',
  );
  for (const { id = '' } of decisionsOf(socket))
    t.match(await outcomeOf(id), { status: 101, ended_by: 'completed', not_forwarded: null });
  t.equal(await program.metric('leases_open'), 1);
  socket.send(Buffer.from([0x03, 0xe8]), { opcode: 8 });
  t.ok(await socket.client.until(() => socket.closed !== undefined), 'the server answers the close');
  server?.reply.end();
  t.ok(await socket.client.until(() => socket.client.isClosed), 'and the connection ends');
  t.match(await outcomeOf(socket.id), { status: 101, ended_by: 'completed', code: null });
  t.equal(await program.metric('leases_open'), 0);
});

await t.test('row 9: a later init that switches to a space of somebody else', async (t) => {
  const servers = obeyInits(recorder);
  const socket = await open(t);
  t.equal(await socket.say(init('alpha')), '{"type":"init-ack","space":"alpha"}');
  const seen = servers[0]?.seen.length;
  socket.send(JSON.stringify(init('beta')));
  t.ok(await socket.client.until(() => socket.client.isClosed), 'it is closed');
  t.equal(socket.closed, '1008 authorize.denied', 'and told why');
  t.equal(servers[0]?.seen.filter(({ opcode }) => opcode === 1).length, seen, 'the server has not seen it');
  t.equal(servers[0]?.space, 'alpha', 'and writes where it wrote');
  t.match(decisionsOf(socket).at(-1), {
    effect: 'deny',
    code: 'authorize.denied',
    spaces: { ids: ['beta'] },
    subject: { id: program.keys.KA.id },
  });
  t.match(await outcomeOf(socket.id), { status: 101, ended_by: 'gateway', code: 'authorize.denied' });
});

const refusedMessages: Readonly<Record<string, readonly [message: string, closed: string]>> = {
  'the first names a foreign space': [JSON.stringify(init('beta')), '1008 authorize.denied'],
  'the first names none, which means the default': [JSON.stringify(init()), '1008 authorize.denied'],
  'the first is another message': ['{"type":"observation"}', '1008 tunnel.message'],
  'another message that names a foreign space': [
    '{"type":"observation","memory_space_id":"beta"}',
    '1008 authorize.denied',
  ],
  'a key twice': ['{"type":"init","memory_space_id":"alpha","memory_space_id":"beta"}', '1008 tunnel.message'],
  'a key in another case': ['{"type":"init","Memory_Space_Id":"alpha"}', '1008 space.malformed'],
  'no string': ['{"type":"init","memory_space_id":["alpha"]}', '1008 space.malformed'],
  'another spelling': ['{"type":"init","memory_space_id":" alpha"}', '1008 space.malformed'],
  'an unknown space': ['{"type":"init","memory_space_id":"nosuchspace"}', '1008 authorize.denied'],
  'no JSON': ['init alpha', '1008 tunnel.message'],
  'two documents': ['{"type":"init","memory_space_id":"alpha"}{}', '1008 tunnel.message'],
  'too large': [`{"type":"init","memory_space_id":"alpha","x":"${'x'.repeat(2_000)}"}`, '1009 tunnel.too-large'],
};
for (const [name, [message, closed]] of Object.entries(refusedMessages)) {
  await t.test(`a message that does not pass: ${name}`, async (t) => {
    const servers = obeyInits(recorder);
    const socket = await open(t);
    socket.send(message);
    t.ok(await socket.client.until(() => socket.client.isClosed));
    t.equal(socket.closed, closed);
    t.strictSame(
      servers[0]?.seen.filter(({ opcode }) => opcode < 8),
      [],
      'the server has seen no message',
    );
    t.equal((await outcomeOf(socket.id)).code, closed.split(' ')[1]);
  });
}

await t.test('frames: what is whole in pieces passes, and what is none ends the tunnel', async (t) => {
  const text = JSON.stringify(init('alpha'));
  await t.test('a message in fragments, with a ping in between', async (t) => {
    const servers = obeyInits(recorder);
    const socket = await open(t);
    socket.send(text.slice(0, 10), { fin: false });
    socket.send('hello', { opcode: 9 });
    socket.send(text.slice(10, 20), { opcode: 0, fin: false });
    await recorder.until(() => servers[0]?.seen.length === 1);
    t.equal(servers[0]?.seen[0]?.opcode, 9, 'a ping goes on at once, a part does not');
    socket.send(text.slice(20), { opcode: 0 });
    t.ok(await socket.client.until(() => socket.texts.length === 1));
    t.equal(socket.texts[0], '{"type":"init-ack","space":"alpha"}');
  });
  await t.test('byte by byte', async (t) => {
    obeyInits(recorder);
    const socket = await open(t);
    for (const byte of frame(text)) {
      socket.client.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    t.ok(await socket.client.until(() => socket.texts.length === 1));
  });
  const wrong: Readonly<Record<string, readonly [Buffer | string, object, string]>> = {
    'not masked': [text, { masked: false }, '1002 tunnel.protocol'],
    'a reserved bit': [text, { rsv: 4 }, '1002 tunnel.protocol'],
    'another reserved bit': [text, { rsv: 1 }, '1002 tunnel.protocol'],
    'an unknown opcode': [text, { opcode: 3 }, '1002 tunnel.protocol'],
    'a binary message': [text, { opcode: 2 }, '1003 tunnel.message'],
    'a part of nothing': [text, { opcode: 0 }, '1002 tunnel.protocol'],
    'a long ping': [Buffer.alloc(126), { opcode: 9 }, '1002 tunnel.protocol'],
    'a split ping': ['x', { opcode: 9, fin: false }, '1002 tunnel.protocol'],
    'a length in a long form': [text, { length: 'long' }, '1002 tunnel.protocol'],
    'a close of one byte': ['x', { opcode: 8 }, '1002 tunnel.protocol'],
    'a close with a code that nobody sends': [Buffer.from([0x03, 0xed]), { opcode: 8 }, '1002 tunnel.protocol'],
    'text that is not UTF-8': [Buffer.from([0x7b, 0xff, 0x7d]), {}, '1008 tunnel.message'],
  };
  for (const [name, [payload, wish, closed]] of Object.entries(wrong)) {
    await t.test(name, async (t) => {
      const servers = obeyInits(recorder);
      const socket = await open(t);
      socket.send(payload, wish);
      t.ok(await socket.client.until(() => socket.client.isClosed));
      t.equal(socket.closed, closed);
      t.strictSame(
        servers[0]?.seen.filter(({ opcode, payload: got }) => opcode !== 8 || got.readUInt16BE(0) !== 1001),
        [],
      );
    });
  }
});

await t.test('messages that are held, together with bodies, are held up to the bound', async (t) => {
  obeyInits(recorder);
  const whole = frame(JSON.stringify({ ...init('alpha'), note: 'x'.repeat(900) }));
  const [begun, rest] = [whole.subarray(0, 900), whole.subarray(900)];
  const sockets: SocketClient[] = [];
  for (let n = 0; n < 5; n += 1) {
    const socket = await open(t);
    t.equal(await socket.say(init('alpha')), '{"type":"init-ack","space":"alpha"}');
    sockets.push(socket);
  }
  const [first, ...others] = sockets;
  const last = others.pop();
  if (first === undefined || last === undefined) throw new Error('no sockets');
  for (const { client } of [first, ...others]) client.write(begun);
  last.client.write(begun);
  t.ok(await last.client.until(() => last.client.isClosed), 'one too many ends');
  t.equal(last.closed, '1013 gate.overloaded');
  t.match(await outcomeOf(last.id), { ended_by: 'gateway', code: 'gate.overloaded', status: 101 });
  first.client.write(rest);
  t.ok(await first.client.until(() => first.texts.length === 2), 'one of the others is whole, and answered');
  const again = await open(t);
  t.equal(
    await again.say({ ...init('alpha'), note: 'x'.repeat(900) }),
    '{"type":"init-ack","space":"alpha"}',
    'what is given back is there again',
  );
});

await t.test('a client that says nothing', async (t) => {
  obeyInits(recorder);
  const socket = await open(t);
  t.ok(await socket.client.until(() => socket.client.isClosed, 3_000));
  t.equal(socket.closed, '1008 tunnel.first');
});

await t.test('the upgrade', async (t) => {
  const cases: Readonly<Record<string, readonly [bytes: string, status: number]>> = {
    'without a credential': [`GET ${path} HTTP/1.1\r\n${H}${upgradeLines()}\r\n`, 401],
    'of a key without the right': [request('KR'), 403],
    'on a route that is none': [request('KA', upgradeLines(), '/api/v1/memories/recall?q=x'), 400],
    'on no route': [request('KA', upgradeLines(), '/nowhere'), 404],
    'none at all': [request('KA', ''), 400],
    'another version': [request('KA', upgradeLines({ 'Sec-WebSocket-Version': '8' })), 400],
    'no version': [request('KA', upgradeLines({ 'Sec-WebSocket-Version': null })), 400],
    'no key': [request('KA', upgradeLines({ 'Sec-WebSocket-Key': null })), 400],
    'a short key': [request('KA', upgradeLines({ 'Sec-WebSocket-Key': 'YWJj' })), 400],
    'two keys': [request('KA', `${upgradeLines()}Sec-WebSocket-Key: ${clientKey}\r\n`), 400],
    'no Connection': [request('KA', upgradeLines({ Connection: null })), 400],
    'a Connection that nominates more': [request('KA', upgradeLines({ Connection: 'Upgrade, X-Foo' })), 400],
    'two protocols': [request('KA', upgradeLines({ Upgrade: 'websocket, h2c' })), 400],
    'PS-29 a body': [
      request('KA', `${upgradeLines()}Content-Length: 31\r\n`) + 'GET /api/v1/spaces HTTP/1.1\r\n\r\n',
      400,
    ],
    'by POST': [request('KA', `${upgradeLines()}Content-Length: 0\r\n`).replace('GET', 'POST'), 400],
    'bytes behind the head': [`${request('KA')}GET /api/v1/spaces HTTP/1.1\r\n${H}\r\n`, 400],
    'an expectation': [request('KA', `${upgradeLines()}Expect: 100-continue\r\n`), 400],
  };
  for (const [name, [bytes, status]] of Object.entries(cases)) {
    const from = audit.mark();
    const got = recorder.received;
    const { answers, isClosed } = await send(program.port, bytes);
    t.strictSame(
      [answers.map((answer) => answer.status), isClosed],
      [[status], true],
      `${name}: ${status}, once, and closed`,
    );
    t.equal(recorder.received - got, 0, `${name}: the server got nothing`);
    const id = answers[0]?.header('x-request-id');
    t.ok(
      await audit.find(from, (record) => record.id === id && record.effect === 'deny').catch(() => null),
      `${name}: one record`,
    );
  }
  const keepAlive = await open(t, 'KA', upgradeLines({ Connection: 'keep-alive, Upgrade' }));
  t.equal(keepAlive.status, 101, 'as Firefox asks for it');
});

await t.test('an upgrade behind a request that is not answered', async (t) => {
  recorder.script({
    request: (_, reply) => setTimeout(() => reply.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'), 200),
  });
  const from = recorder.mark();
  const good = `GET /api/v1/memories/recall?q=x HTTP/1.1\r\n${H}Authorization: Bearer ${program.keys.KA.text}\r\nX-Memory-Space: alpha\r\n\r\n`;
  const { answers } = await send(program.port, good + request('KA'), { answers: 2 });
  t.strictSame(
    answers.map(({ status }) => status),
    [200, 400],
    'the first is answered, the second refused',
  );
  t.equal(recorder.requestsSince(from).length, 1);
});

await t.test('what the server answers', async (t) => {
  const heads: Readonly<Record<string, readonly [head: string, status: number, code: string]>> = {
    'an accept for another key': ['', 502, 'upstream.invalid'],
    'a subprotocol not asked for': ['Sec-WebSocket-Protocol: chat\r\n', 502, 'upstream.invalid'],
    'an extension not asked for': ['Sec-WebSocket-Extensions: permessage-deflate\r\n', 502, 'upstream.invalid'],
  };
  for (const [name, [head, status, code]] of Object.entries(heads)) {
    obeyInits(recorder, head === '' ? { accept: acceptFor('another') } : { head });
    const socket = await open(
      t,
      'KA',
      `${upgradeLines()}Sec-WebSocket-Extensions: permessage-deflate\r\nSec-WebSocket-Protocol: chat\r\n`,
    );
    t.equal(socket.status, status, name);
    t.match(await outcomeOf(socket.id), { code, status });
  }
  recorder.script({ request: (_, reply) => reply.write('HTTP/1.1 403 Forbidden\r\nContent-Length: 6\r\n\r\nsecret') });
  const declined = await open(t);
  t.equal(declined.status, 403, 'a no is passed on');
  t.notMatch(declined.client.bytes.toString(), 'secret', 'without its body');
  recorder.script({ request: (_, reply) => reply.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok') });
  t.equal((await open(t)).status, 502, 'and a yes of another kind is none');
  recorder.script({
    request: (_, reply) => reply.write('HTTP/2.0 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n'),
  });
  t.equal((await open(t)).status, 502, 'nor is another version');
  const servers = obeyInits(recorder);
  const masked = await open(t);
  await masked.say(init('alpha'));
  servers[0]?.reply.write(Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0x78]));
  t.ok(await masked.client.until(() => masked.client.isClosed));
  t.equal(masked.closed, '1011 upstream.invalid', 'a frame that a server must not send');
  const left = await open(t);
  await left.say(init('alpha'));
  servers.at(-1)?.reply.reset();
  t.ok(await left.client.until(() => left.client.isClosed));
  t.match(await outcomeOf(left.id), { ended_by: 'upstream', status: 101 }, 'a server that breaks off');
});

await t.test('a revoked key', async (t) => {
  obeyInits(recorder);
  const mine = await open(t, 'KA');
  await mine.say(init('alpha'));
  const other = await open(t, 'KB');
  await other.say(init('beta'));
  const { code, stderr } = await program.command([
    'auth',
    'revoke-key',
    program.keys.KB.id,
    '--reason',
    'test',
    '--yes',
  ]);
  t.equal(code, 0, stderr);
  t.ok(await other.client.until(() => other.client.isClosed, 1_000), 'within a second');
  t.equal(other.closed, '1008 lease.revoked');
  t.match(await outcomeOf(other.id), { ended_by: 'gateway', code: 'lease.revoked', status: 101 });
  t.equal(await mine.say({ type: 'observation' }), '{"type":"observation-ack","space":"alpha"}', 'another goes on');
});

await t.test('a space that a message chose, and the key has lost since', async (t) => {
  const both = await makeKey('both', { spaces: ['alpha', 'beta'], permissions: ['MemoryRead', 'MemoryWrite'] });
  await program.writeManifest([both]);
  await program.reload();
  obeyInits(recorder);
  const [loses, keeps] = await Promise.all([socketOf(t, both.text), socketOf(t, both.text)]);
  await loses.say(init('beta'));
  await keeps.say(init('alpha'));
  await program.writeManifest([{ ...both, entry: { ...both.entry, spaces: ['alpha'] } }]);
  await program.reload();
  t.ok(await loses.client.until(() => loses.client.isClosed, 1_000), 'within a second');
  t.equal(loses.closed, '1008 lease.denied');
  t.equal(await keeps.say({ type: 'observation' }), '{"type":"observation-ack","space":"alpha"}', 'the other goes on');
});

await t.test('a message that was only observed', async (t) => {
  obeyInits(recorder);
  const socket = await open(t, 'KA');
  await socket.say(init('alpha'));
  await program.writeConfig({ ...config, enforcement: 'observe' });
  await program.reload();
  t.equal(await socket.say(init('beta')), '{"type":"init-ack","space":"beta"}', 'nothing is blocked');
  await program.writeConfig(config);
  await program.reload();
  t.ok(await socket.client.until(() => socket.client.isClosed, 1_000), 'it does not outlive the observing');
  t.equal(socket.closed, '1008 lease.denied');
});

await t.test('LC-02 SIGTERM', async (t) => {
  await program.writeConfig({ ...config, drain_ms: 1_500 });
  await program.reload();
  obeyInits(recorder);
  const socket = await open(t);
  await socket.say(init('alpha'));
  t.equal(await program.stop(), 0);
  t.equal(socket.closed, '1001 lease.shutdown');
});

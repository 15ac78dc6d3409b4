import { constants } from 'node:http2';
import { connect } from 'node:net';
import t from 'tap';
import { startProgram } from '../wire/support/program.js';
import { Caller, MemoryServer, status } from './support/calls.js';
import { field, framed, RawCaller, type RawCall } from './support/raw.js';

const server = await MemoryServer.start();
t.teardown(() => server.stop());
const grpc = {
  listen: '127.0.0.1:0',
  upstream: `http://127.0.0.1:${server.port}`,
  max_message_bytes: 1_000,
  message_timeout_ms: 1_000,
  max_resets_per_minute: 60,
};
const program = await startProgram(t, { config: { grpc } });
const portNow = (): number => Number([...program.stderr.matchAll(/"grpc":"http:\/\/127\.0\.0\.1:(\d+)"/g)].at(-1)?.[1]);
const { KA } = program.keys;
const raw = new RawCaller(portNow(), KA.text);
t.teardown(() => raw.close());

const space = field(1, 'alpha');
const good = framed(space);
const zip = { 'grpc-encoding': 'gzip' };

interface Odd extends RawCall {
  readonly name: string;
  readonly code: number;
  readonly says: string;
}

const invalid = status.INVALID_ARGUMENT;
const odd: readonly Odd[] = [
  {
    name: 'a space that stands twice',
    bytes: framed(Buffer.concat([space, field(1, 'beta')])),
    code: invalid,
    says: 'resolve.body',
  },
  { name: 'the same space twice', bytes: framed(Buffer.concat([space, space])), code: invalid, says: 'resolve.body' },
  { name: 'a space that is a number', bytes: framed(Buffer.from([8, 1])), code: invalid, says: 'resolve.body' },
  {
    name: 'a group',
    bytes: framed(Buffer.concat([space, Buffer.from([0x7b, 0x7c])])),
    code: invalid,
    says: 'resolve.body',
  },
  {
    name: 'a tag that is longer than it need be',
    bytes: framed(Buffer.concat([Buffer.from([0x8a, 0]), space.subarray(1)])),
    code: invalid,
    says: 'resolve.body',
  },
  {
    name: 'a length beyond the message',
    bytes: framed(Buffer.from([0x0a, 9, 1])),
    code: invalid,
    says: 'resolve.body',
  },
  {
    name: 'a space that is not UTF-8',
    bytes: framed(field(1, Buffer.from([0xff, 0xfe, 0xfd]))),
    code: invalid,
    says: 'resolve.body',
  },
  { name: 'garbage', bytes: framed(Buffer.from('not protobuf at all')), code: invalid, says: 'resolve.body' },
  { name: 'a compressed message', bytes: framed(space, 1), code: status.UNIMPLEMENTED, says: 'resolve.content-type' },
  { name: 'a coding', bytes: good, headers: zip, code: status.UNIMPLEMENTED, says: 'resolve.content-type' },
  { name: 'an unknown flag', bytes: framed(space, 2), code: invalid, says: 'gate.framing' },
  {
    name: 'two messages in a call that has one',
    bytes: Buffer.concat([good, good]),
    code: invalid,
    says: 'gate.framing',
  },
  { name: 'a message that is cut off', bytes: good.subarray(0, 8), code: invalid, says: 'gate.framing' },
  { name: 'no message', bytes: Buffer.alloc(0), code: invalid, says: 'resolve.body' },
  {
    name: 'a message over the bound',
    bytes: Buffer.from([0, 0, 0, 4, 0]),
    code: status.RESOURCE_EXHAUSTED,
    says: 'gate.body-too-large',
    isWhole: false,
  },
  {
    name: 'a message that never comes',
    bytes: good.subarray(0, 8),
    code: status.DEADLINE_EXCEEDED,
    says: 'gate.timeout',
    isWhole: false,
  },
  {
    name: 'another content type',
    bytes: good,
    headers: { 'content-type': 'application/json' },
    code: status.UNIMPLEMENTED,
    says: 'resolve.content-type',
  },
  { name: 'a query', bytes: good, path: '/engram.v1.EngramService/Remember?a=1', code: invalid, says: 'resolve.query' },
  {
    name: 'another method of HTTP',
    bytes: good,
    headers: { ':method': 'PUT' },
    code: status.UNIMPLEMENTED,
    says: 'resolve.method',
  },
  {
    name: 'a path in another form',
    bytes: good,
    path: '/engram.v1.EngramService//Remember',
    code: invalid,
    says: 'gate.target',
  },
  {
    name: 'an alias of a header of ours',
    bytes: good,
    headers: { x_auth_subject: 'root' },
    code: invalid,
    says: 'gate.header',
  },
  {
    name: 'a space twice in the metadata',
    bytes: good,
    headers: { 'x-memory-space': ['alpha', 'alpha'] },
    code: invalid,
    says: 'gate.header',
  },
  {
    name: 'a head that is too large',
    bytes: good,
    headers: { 'x-big': 'y'.repeat(20_000) },
    code: status.RESOURCE_EXHAUSTED,
    says: 'gate.headers-too-large',
  },
  {
    name: 'a head of too many lines',
    bytes: good,
    headers: Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`x-line-${at}`, 'x'])),
    code: status.RESOURCE_EXHAUSTED,
    says: 'gate.headers-too-large',
  },
  {
    name: 'a time in another form',
    bytes: good,
    headers: { 'grpc-timeout': 'soon' },
    code: invalid,
    says: 'gate.header',
  },
];

for (const { name, code, says, ...call } of odd)
  t.test(`refused: ${name}`, async (t) => {
    const before = server.got.length;
    const end = await raw.call(call);
    t.equal(end.grpcStatus, String(code), end.message);
    t.equal(server.got.length, before, 'nothing went on');
    const record = await program.audit.find(0, ({ id, effect }) => id === end.id && effect !== undefined);
    t.match(record, { effect: 'deny', code: says });
  });

t.test('the same connection serves whoever does it right', async (t) => {
  const unknown = Buffer.concat([space, Buffer.from([0x18, 0x80, 1, 0x25, 1, 2, 3, 4, 0x29, 1, 2, 3, 4, 5, 6, 7, 8])]);
  t.equal((await raw.call({ bytes: framed(unknown) })).grpcStatus, '0', 'fields that nobody knows are passed on');
});

t.test('a head that is far too large is refused by the library', async (t) => {
  const end = await raw.call({ bytes: good, headers: { 'x-big': 'y'.repeat(62_000) } });
  t.match(end, { grpcStatus: '', rst: constants.NGHTTP2_ENHANCE_YOUR_CALM });
});

t.test('bytes that are no HTTP/2 end their connection', async (t) => {
  for (const bytes of [
    'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxx',
  ]) {
    const socket = connect(portNow(), '127.0.0.1');
    socket.on('error', () => undefined).resume();
    socket.write(bytes);
    await new Promise((resolve) => socket.on('close', resolve));
  }
  t.ok(await program.audit.find(0, ({ code }) => code === 'gate.malformed'));
  t.equal(program.exit, null);
});

t.test('a client that begins and breaks off loses its connection, and nobody else does', async (t) => {
  const before = server.got.length;
  const rapid = new RawCaller(portNow(), KA.text);
  const closed = new Promise((resolve) => rapid.session.on('close', resolve));
  let begun = 0;
  const timer = setInterval(() => {
    for (let n = 0; n < 10 && !rapid.session.destroyed; n += 1) {
      begun += 1;
      const stream = rapid.begin({ bytes: good.subarray(0, 3), isWhole: false });
      setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), 5); // not before its head has left
    }
  }, 10);
  await closed;
  clearInterval(timer);
  t.ok(begun < 1_000, `after ${begun} calls`);
  t.equal(server.got.length, before, 'none of them went on');
  t.equal((await raw.call({ bytes: good })).grpcStatus, '0');
});

t.test('observe: what would be refused goes on with its own credential, and is recorded', async (t) => {
  await program.writeConfig({ grpc, enforcement: 'observe' });
  t.equal((await program.reload()).status, 200);
  const before = server.got.length;
  const caller = new Caller(portNow());
  t.teardown(() => caller.close());
  const foreign = await caller.call('Remember', { memory_space_id: 'beta' }, { authorization: `Bearer ${KA.text}` });
  t.equal(foreign.code, status.OK);
  t.strictSame(server.got.at(-1)!.metadata.get('authorization'), [`Bearer ${KA.text}`]);
  const unknown = await raw.call({ bytes: good, path: '/engram.v1.EngramService/Nothing' });
  t.equal(unknown.grpcStatus, String(status.UNIMPLEMENTED), 'the memory server says so');
  t.equal((await raw.call({ bytes: framed(space, 2) })).grpcStatus, String(invalid), 'what is no message is refused');
  t.equal(server.got.length, before + 1);
  const records = program.audit.records().filter(({ effect }) => effect === 'would_deny');
  t.match(records, [{ code: 'authorize.denied' }, { code: 'resolve.unknown-route' }]);
});

t.test('a listener for a profile without calls is refused at the start', async (t) => {
  const profile = `${program.dir}/bare.yaml`;
  const { readFileSync, writeFileSync } = await import('node:fs');
  const text = readFileSync('config/profiles/engram.yaml', 'utf8');
  writeFileSync(profile, text.replace(/^grpc:\n[^]*?(?=^routes:)/m, ''));
  await program.writeConfig({ grpc, profile });
  const answer = await program.reload();
  t.equal(answer.status, 422);
  t.match(JSON.stringify(answer.body), /lists no method under grpc/);
  t.notMatch(program.stderr, /"msg":"bug"|uncaught/);
});

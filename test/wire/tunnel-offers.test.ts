import t, { type Test } from 'tap';
import { H } from './support/cases.js';
import { startProgram } from './support/program.js';
import { obeyInits, SocketClient, upgradeLines } from './support/websocket.js';

/* What a client may agree on with the memory server: subprotocols that the profile lists, and compression where nothing is read. */

const profileText = `
name: offers
space:
  pattern: '^[a-z0-9_-]{3,64}$'
  absent: refuse
  unknown: free
  carriers: [{ header: X-Memory-Space }]
routes:
  - id: socket
    match: GET /socket
    action: stream:read
    permission: MemoryRead
    class: content
    space: [header:X-Memory-Space]
    stream: websocket
    websocket: { messages: none, subprotocols: [chat.v2, chat.v3], compression: true }
`;
const profile = `${t.testdir({ 'offers.yaml': profileText })}/offers.yaml`;
const program = await startProgram(t, { config: { profile } });
const { recorder } = program;

async function open(t: Test, offers: string): Promise<SocketClient> {
  const credential = `Authorization: Bearer ${program.keys.KA.text}\r\nX-Memory-Space: alpha\r\n`;
  const bytes = `GET /socket HTTP/1.1\r\n${H}${credential}${upgradeLines()}${offers}\r\n`;
  const socket = await SocketClient.open(program.port, bytes);
  t.teardown(() => socket.client.close());
  return socket;
}

const compressed = 'Sec-WebSocket-Extensions: permessage-deflate\r\n';

await t.test('of what a client offers, what the profile lists', async (t) => {
  const servers = obeyInits(recorder, { head: `Sec-WebSocket-Protocol: chat.v3\r\n${compressed}` });
  const socket = await open(
    t,
    'Sec-WebSocket-Protocol: chat.v1, chat.v3, chat.v2\r\nSec-WebSocket-Extensions: x-other, permessage-deflate; client_max_window_bits\r\n',
  );
  t.equal(socket.status, 101);
  const asked = servers[0]?.headers;
  t.equal(asked?.get('sec-websocket-protocol'), 'chat.v3, chat.v2', 'in the order of the client');
  t.equal(asked?.get('sec-websocket-extensions'), 'permessage-deflate', 'and no other extension');
  t.match(socket.head, /^Sec-WebSocket-Protocol: chat\.v3$/im, 'the client is told which');
  t.match(socket.head, /^Sec-WebSocket-Extensions: permessage-deflate$/im);
  socket.send('{"type":"init","memory_space_id":"beta"}', { rsv: 4 });
  t.ok(await socket.client.until(() => socket.texts.length === 1), 'a frame that says that it is compressed passes');
});

await t.test('who offers nothing that is listed', async (t) => {
  const servers = obeyInits(recorder);
  const socket = await open(t, 'Sec-WebSocket-Protocol: chat.v1, Chat.v2\r\n');
  t.equal(socket.status, 101);
  t.notOk(servers[0]?.headers.has('sec-websocket-protocol'), 'asks for nothing');
  t.notOk(servers[0]?.headers.has('sec-websocket-extensions'));
  socket.send('{"type":"init"}', { rsv: 4 });
  t.ok(await socket.client.until(() => socket.client.isClosed));
  t.equal(socket.closed, '1002 tunnel.protocol', 'nor may a frame be compressed');
});

await t.test('a server that takes what was not passed on', async (t) => {
  const offer = `Sec-WebSocket-Protocol: chat.v1, chat.v2\r\n${compressed}`;
  for (const head of ['Sec-WebSocket-Protocol: chat.v1\r\n', 'Sec-WebSocket-Extensions: x-other\r\n']) {
    obeyInits(recorder, { head });
    t.equal((await open(t, offer)).status, 502, head.trim());
  }
});

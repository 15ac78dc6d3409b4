import t, { type Test } from 'tap';
import type { AuditRecord } from './support/audit.js';
import { H } from './support/cases.js';
import { startProgram } from './support/program.js';
import { frame, obeyInits, SocketClient, upgradeLines } from './support/websocket.js';

/* A server that takes its space from the first message of a WebSocket, and from no later one: that message is decided, the rest passes. */

const profileText = `
name: first
space:
  pattern: '^[a-z0-9_-]{3,64}$'
  absent: refuse
  unknown: free
  carriers: []
routes:
  - id: socket
    match: GET /socket
    action: stream:read
    permission: MemoryRead
    class: content
    space: NONE
    stream: websocket
    websocket: { messages: first, space: [body:memory_space_id] }
`;
const profile = `${t.testdir({ 'first.yaml': profileText })}/first.yaml`;
const program = await startProgram(t, { config: { profile } });
const { recorder, audit } = program;

async function open(t: Test): Promise<SocketClient> {
  const credential = `Authorization: Bearer ${program.keys.KA.text}\r\n`;
  const socket = await SocketClient.open(
    program.port,
    `GET /socket HTTP/1.1\r\n${H}${credential}${upgradeLines()}\r\n`,
  );
  t.teardown(() => socket.client.close());
  t.equal(socket.status, 101);
  return socket;
}

const init = (space: string): string => JSON.stringify({ type: 'init', memory_space_id: space });
const decisionsOf = (socket: SocketClient): readonly AuditRecord[] =>
  audit.records().filter((record) => record.effect !== undefined && record['session'] === socket.id);

await t.test('the first message is decided, and what comes behind it passes unread', async (t) => {
  const servers = obeyInits(recorder);
  const socket = await open(t);
  socket.client.write(Buffer.concat([frame(init('alpha')), frame('{"type":"no space"}')])); // both in one piece
  t.ok(await socket.client.until(() => socket.texts.length === 2));
  socket.send(init('beta'));
  socket.send('{"type":"x","type":"twice"}');
  t.ok(await socket.client.until(() => socket.texts.length === 4), 'whatever it says');
  t.equal(servers[0]?.seen.length, 4);
  t.match(
    decisionsOf(socket).map(({ effect, spaces }) => ({ effect, ids: spaces.ids })),
    [{ effect: 'allow', ids: ['alpha'] }],
    'one decision',
  );
});

const refused: Readonly<Record<string, readonly [text: string, reason: string]>> = {
  'a foreign space': [init('beta'), 'authorize.denied'],
  'no space': ['{"type":"init"}', 'space.absent'],
  'no JSON': ['init alpha', 'tunnel.message'],
  'two spaces': ['{"memory_space_id":"alpha","memory_space_id":"beta"}', 'tunnel.message'],
};
for (const [name, [text, reason]] of Object.entries(refused))
  await t.test(`${name} in the first message ends it, and nothing behind it passes`, async (t) => {
    const servers = obeyInits(recorder);
    const socket = await open(t);
    socket.client.write(Buffer.concat([frame(text), frame(init('alpha'))]));
    t.ok(await socket.client.until(() => socket.client.isClosed));
    t.equal(socket.closed, `1008 ${reason}`);
    t.strictSame(
      servers[0]?.seen.filter(({ opcode }) => opcode < 8),
      [],
      'the server has seen no message',
    );
  });

import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { root } from './support/build.js';
import { H } from './support/cases.js';
import { accepts, call, json, mcpProfile, rpc } from './support/mcp.js';
import { startProgram } from './support/program.js';
import { obeyInits, SocketClient, upgradeLines } from './support/websocket.js';
import { send, type Answer } from './support/wire.js';

/*
 * Rows 8 and 9 of the traps: what a request does stands in a message, and there are second doors. As in traps.test.ts each bait is thrown
 * to a proxy that passes everything on, which must fall for it, and to memgate, which must not.
 */

const secret = 'what beta knows';
const profiles = {
  engram: join(root, 'config', 'profiles', 'engram.yaml'),
  mcp: `${t.testdir({ 'mcp.yaml': mcpProfile })}/mcp.yaml`,
};
const program = await startProgram(t, { config: { profile: profiles.mcp } });
const { recorder } = program;
const proxyPort = await pipes(t, recorder.port);
const authorization = `Authorization: Bearer ${program.keys.KA.text}\r\n`;

/** Passes bytes both ways, whatever they are. @returns its port */
async function pipes(t: Test, port: number): Promise<number> {
  const server = createServer((client) => {
    const onward = connect({ host: '127.0.0.1', port });
    client.on('error', () => onward.destroy()).on('close', () => onward.destroy());
    onward.on('error', () => client.destroy()).on('close', () => client.destroy());
    client.pipe(onward).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => server.close());
  return (server.address() as AddressInfo).port;
}

async function useProfile(name: keyof typeof profiles): Promise<void> {
  await program.writeConfig({ profile: profiles[name] });
  const { status, body } = await program.reload();
  if (status !== 200) throw new Error(JSON.stringify(body));
}

/** What a server of MCP does with a message: of two keys the last one counts, batches are done one by one, and no header is looked at. */
function obeyed(message: unknown): unknown {
  if (Array.isArray(message)) return message.map(obeyed);
  const {
    id = null,
    method,
    params,
  } = message as { id?: unknown; method: string; params?: { name?: string; arguments?: { project?: string } } };
  const text =
    method !== 'tools/call' ? 'a list' : params?.arguments?.project === 'alpha' ? 'what alpha knows' : secret;
  return { jsonrpc: '2.0', id, result: { content: [{ type: 'text', text }] } };
}

const serveMcp = (): void =>
  recorder.script({
    request: ({ body, target }, reply) =>
      reply.write(
        json(target.startsWith('/sse') ? { endpoint: '/messages', secret } : obeyed(JSON.parse(body.toString()))),
      ),
  });

const postMcp = (body: string, headers = '', target = '/mcp'): string =>
  `POST ${target} HTTP/1.1\r\n${H}${authorization}Content-Type: application/json\r\n${accepts}${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

const ofAlpha = call('read_notes', { project: 'alpha' });
const ofBeta = JSON.stringify(call('read_notes', { project: 'beta' }));
const twice = (from: string, to: string): string => JSON.stringify(ofAlpha).replace(from, to);

const messages: Readonly<Record<string, readonly [bytes: string, status: number, code: string]>> = {
  'row 8: Mcp-Method says that it is a list': [
    postMcp(ofBeta, 'Mcp-Method: tools/list\r\n'),
    400,
    'mcp.header-mismatch',
  ],
  'row 8: Mcp-Name says that it is another tool': [
    postMcp(JSON.stringify(call('wipe', {})), 'Mcp-Method: tools/call\r\nMcp-Name: read_notes\r\n'),
    400,
    'mcp.header-mismatch',
  ],
  'row 8: a header says that it is another space': [
    postMcp(ofBeta, 'Mcp-Param-Project: alpha\r\n'),
    400,
    'mcp.header-mismatch',
  ],
  'row 8: the second of a batch': [postMcp(`[${JSON.stringify(ofAlpha)},${ofBeta}]`), 400, 'mcp.batch'],
  'row 8: two names, of which the last one counts': [
    postMcp(twice('"name":"read_notes"', '"name":"read_notes","name":"wipe"').replace('alpha', 'beta')),
    400,
    'resolve.body',
  ],
  'row 8: two spaces, of which the last one counts': [
    postMcp(twice('"project":"alpha"', '"project":"alpha","project":"beta"')),
    400,
    'resolve.body',
  ],
  'row 8: two methods, of which the last one counts': [
    postMcp(ofBeta.replace('"method"', '"method":"tools/list","method"')),
    400,
    'resolve.body',
  ],
  'row 9: a second transport': [`GET /sse HTTP/1.1\r\n${H}${authorization}\r\n`, 404, 'resolve.unknown-route'],
  'row 9: and where its messages go': [postMcp(ofBeta, '', '/messages?sessionId=1'), 404, 'resolve.unknown-route'],
};

const first = async (port: number, bytes: string): Promise<Answer | undefined> => (await send(port, bytes)).answers[0];

for (const [name, [bytes, status, code]] of Object.entries(messages))
  t.test(name, async (t) => {
    serveMcp();
    t.match((await first(proxyPort, bytes))?.body.toString(), secret, 'a proxy that passes it on gives beta away');
    const [audit, reached] = [program.audit.mark(), recorder.received];
    const answer = await first(program.port, bytes);
    t.equal(answer?.status, status, 'memgate refuses');
    t.notMatch(answer?.body.toString(), secret);
    t.equal(recorder.received, reached, 'the server gets no byte of it');
    const id = answer?.header('x-request-id');
    t.match(await program.audit.find(audit, (record) => record.id === id), { effect: 'deny', code });
    t.match(
      (await first(program.port, postMcp(JSON.stringify(ofAlpha))))?.body.toString(),
      'what alpha knows',
      'its own is there',
    );
    t.equal((await first(program.port, postMcp(JSON.stringify(rpc('ping')))))?.status, 200);
  });

const upgrade = (path: string): string => `GET ${path} HTTP/1.1\r\n${H}${authorization}${upgradeLines()}\r\n`;
const init = (space: string): object => ({ type: 'init', memory_space_id: space });

t.test('row 9: the first message of a WebSocket names the space', async (t) => {
  await useProfile('engram');
  const servers = obeyInits(recorder);
  const bait = await SocketClient.open(proxyPort, upgrade('/v1/stream'));
  t.teardown(() => bait.client.close());
  t.equal(
    await bait.say(init('beta')),
    '{"type":"init-ack","space":"beta"}',
    'a proxy that looks at the handshake lets it into beta',
  );
  const socket = await SocketClient.open(program.port, upgrade('/v1/stream'));
  t.teardown(() => socket.client.close());
  t.equal(socket.status, 101);
  t.equal(await socket.say(init('beta')), undefined, 'memgate does not');
  t.equal(socket.closed, '1008 authorize.denied');
  t.strictSame(
    servers[1]?.seen.filter(({ opcode }) => opcode < 8),
    [],
    'the server has not seen the message',
  );
  const own = await SocketClient.open(program.port, upgrade('/v1/stream'));
  t.teardown(() => own.client.close());
  t.equal(await own.say(init('alpha')), '{"type":"init-ack","space":"alpha"}', 'its own space is there');
});

t.test('row 9: a WebSocket where the profile has none', async (t) => {
  await useProfile('engram');
  const servers = obeyInits(recorder);
  const path = '/api/v1/memories/recall?q=x';
  const bait = await SocketClient.open(proxyPort, upgrade(path));
  t.teardown(() => bait.client.close());
  t.equal(await bait.say(init('beta')), '{"type":"init-ack","space":"beta"}', 'a proxy opens it');
  const socket = await SocketClient.open(program.port, upgrade(path));
  t.teardown(() => socket.client.close());
  t.not(socket.status, 101, `memgate does not (${socket.status})`);
  t.notOk(socket.texts.some((text) => text.includes('beta')));
  t.ok(servers.length === 1, 'no upgrade reaches the server');
});

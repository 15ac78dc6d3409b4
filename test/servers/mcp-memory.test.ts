import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { createServer, type AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import t from 'tap';
import { makeKey, type FixtureKey } from '../wire/support/keys.js';
import { startProgram } from '../wire/support/program.js';
import { startServer } from './support/process.js';

const home = resolve('.cache/servers/mcp-memory');
const inHome = createRequire(join(home, 'package.json'));
if (!existsSync(join(home, 'installed.json')))
  throw new Error('The MCP memory server is not installed: npm run test:servers -- mcp-memory');
const modules = join(home, 'node_modules');
const bridge = join(modules, 'mcp-proxy/dist/bin/mcp-proxy.mjs');
const memory = join(modules, '@modelcontextprotocol/server-memory/dist/index.js');

/** The bridge does not say which port it has taken: it is told one that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((done) => server.listen({ host: '127.0.0.1', port: 0 }, done));
  const { port } = server.address() as AddressInfo;
  await new Promise((done) => server.close(done));
  return port;
}

const apiKey = randomBytes(24).toString('base64url');
const dir = t.testdir({ 'api-key': `${apiKey}\n` });
const port = await freePort();
await startServer(t, {
  program: process.execPath,
  args: [bridge, '--host', '127.0.0.1', '--port', String(port), '--apiKey', apiKey, '--', process.execPath, memory],
  cwd: dir,
  env: { MEMORY_FILE_PATH: join(dir, 'memory.jsonl') },
  port: /starting server on port (\d+)/,
});
const base = `http://127.0.0.1:${port}`;
for (let tries = 0; ; tries += 1) {
  if (
    await fetch(`${base}/ping`)
      .then((answer) => answer.ok)
      .catch(() => false)
  )
    break;
  if (tries > 100) throw new Error('the bridge does not answer');
  await sleep(100);
}

const upstream = { url: base, credential: { header: 'X-API-Key', scheme: '', from_file: join(dir, 'api-key') } };
const program = await startProgram(t, { config: { profile: 'mcp-memory', upstream }, warm: false });
const rights = ['MemoryRead', 'MemoryWrite'];
const keyOf = (name: string, spaces: readonly string[], permissions: readonly string[]): Promise<FixtureKey> =>
  makeKey(name, { spaces, permissions });
const [writer, reader, stranger, leaver, listener] = await Promise.all([
  keyOf('writer', ['default'], rights),
  keyOf('reader', ['default'], ['MemoryRead']),
  keyOf('stranger', ['beta'], rights),
  keyOf('leaver', ['default'], rights),
  keyOf('listener', ['default'], rights),
]);
await program.writeManifest([writer, reader, stranger, leaver, listener]);
const reloaded = await program.reload();
if (reloaded.status !== 200) throw new Error(JSON.stringify(reloaded.body));
const endpoint = new URL(`http://127.0.0.1:${program.port}/mcp`);

// eslint-disable-next-line @typescript-eslint/no-explicit-any -- the clients are installed for this test alone: nobody has their types
const load = async (name: string): Promise<any> => import(pathToFileURL(inHome.resolve(name)).href);
const sdk = {
  ...(await load('@modelcontextprotocol/sdk/client/index.js')),
  ...(await load('@modelcontextprotocol/sdk/client/streamableHttp.js')),
};
// Its package has no entry for CommonJS.
const modernSdk = await import(pathToFileURL(join(modules, '@modelcontextprotocol/client/dist/index.mjs')).href);

const info = { name: 'memgate-test', version: '1' };
const bearer = (key: FixtureKey): Record<string, string> => ({ Authorization: `Bearer ${key.text}` });
const generations = {
  '2025-11-25': (): unknown => new sdk.Client(info),
  '2026-07-28': (): unknown => new modernSdk.Client(info, { versionNegotiation: { mode: { pin: '2026-07-28' } } }),
} as const;

async function connected(version: keyof typeof generations, key: FixtureKey) {
  const { StreamableHTTPClientTransport } = version === '2025-11-25' ? sdk : modernSdk;
  const transport = new StreamableHTTPClientTransport(endpoint, { requestInit: { headers: bearer(key) } });
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- see above
  const client = generations[version]() as any;
  await client.connect(transport);
  return { client, transport, close: () => client.close() };
}

const messageOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'it passed',
    (error: unknown) => String(error),
  );
const namesOf = (listed: { tools: { name: string }[] }): string[] => listed.tools.map(({ name }) => name).sort();
const readTools = ['open_nodes', 'read_graph', 'search_nodes'];
const writeTools = ['add_observations', 'create_entities', 'create_relations'];
const graph = 'memory://knowledge-graph';

for (const version of ['2025-11-25', '2026-07-28'] as const) {
  await t.test(`the official client of ${version}`, async (t) => {
    const one = await connected(version, writer);
    t.strictSame(
      namesOf(await one.client.listTools()),
      [...readTools, ...writeTools].sort(),
      'a writer sees what it may call',
    );
    const entity = `entity of ${version}`;
    const made = await one.client.callTool({
      name: 'create_entities',
      arguments: { entities: [{ name: entity, entityType: 'test', observations: ['it was made'] }] },
    });
    t.match(JSON.stringify(made), entity, 'a tool is called');
    t.match(
      JSON.stringify(await one.client.callTool({ name: 'read_graph', arguments: {} })),
      entity,
      'and did what it says',
    );
    t.match(JSON.stringify(await one.client.listResources()), graph, 'the resource is listed');
    t.match(JSON.stringify(await one.client.readResource({ uri: graph })), entity, 'and read');
    t.match(
      await messageOf(one.client.callTool({ name: 'delete_entities', arguments: { entityNames: [entity] } })),
      /Missing required permission: MemoryDelete|Insufficient scope: required "MemoryDelete"/,
      'no right to delete',
    );
    t.match(
      await messageOf(one.client.callTool({ name: 'shutdown', arguments: {} })),
      /There is no such tool/,
      'no such tool',
    );
    await one.close();
    const other = await connected(version, reader);
    t.strictSame(namesOf(await other.client.listTools()), readTools, 'a reader sees less');
    t.match(
      await messageOf(other.client.callTool({ name: 'create_entities', arguments: { entities: [] } })),
      /Missing required permission: MemoryWrite|Insufficient scope: required "MemoryWrite"/,
      'and may do less',
    );
    t.match(
      JSON.stringify(await other.client.callTool({ name: 'read_graph', arguments: {} })),
      entity,
      'nothing was deleted',
    );
    await other.close();
    t.match(await messageOf(connected(version, stranger)), /403|not allow/, 'a key of another space does not come in');
  });
}

interface Ask {
  readonly key: FixtureKey;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
  readonly path?: string;
}

const ask = ({ key, method = 'POST', headers = {}, body, path = '/mcp' }: Ask): Promise<Response> =>
  fetch(new URL(path, endpoint), {
    method,
    signal: AbortSignal.timeout(15_000),
    headers: {
      ...bearer(key),
      Accept: 'application/json, text/event-stream',
      ...(body !== undefined && { 'Content-Type': 'application/json' }),
      ...headers,
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
const rpc = (method: string, params: object = {}) => ({ jsonrpc: '2.0', id: 1, method, params });
const opening = rpc('initialize', { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: info });

async function openSession(key: FixtureKey): Promise<string> {
  const answer = await ask({ key, body: opening });
  await answer.text();
  return answer.headers.get('mcp-session-id') ?? '';
}

await t.test('what the bridge would have done, and does not get to do', async (t) => {
  const session = { 'Mcp-Session-Id': await openSession(writer) };
  t.not(session['Mcp-Session-Id'], '', 'a session is open');
  const entities = { entityNames: ['entity of 2025-11-25'] };
  const deletion = rpc('tools/call', { name: 'delete_entities', arguments: entities });
  const statusOf = async (asked: Ask): Promise<number> => {
    const answer = await ask(asked);
    await answer.text();
    return answer.status;
  };
  const headers = session;
  t.equal(await statusOf({ key: writer, headers, body: [rpc('tools/list'), deletion] }), 400, 'a batch');
  t.equal(
    await statusOf({
      key: writer,
      headers: { ...headers, 'Mcp-Method': 'tools/list', 'Mcp-Name': 'search_nodes' },
      body: deletion,
    }),
    400,
    'headers that lie',
  );
  t.equal(await statusOf({ key: reader, headers, body: rpc('tools/list') }), 404, "somebody else's session");
  t.equal(await statusOf({ key: reader, method: 'DELETE', headers }), 404, 'which they cannot end');
  t.equal(await statusOf({ key: reader, method: 'GET', headers }), 404, 'or listen to');
  t.equal(await statusOf({ key: writer, method: 'GET', path: '/sse' }), 404, 'a second transport');
  t.equal(
    await statusOf({ key: writer, method: 'POST', path: '/messages?sessionId=x', body: deletion }),
    404,
    'and its messages',
  );
  t.equal(
    await statusOf({ key: writer, headers: { ...headers, Origin: 'https://evil.example.org' }, body: rpc('ping') }),
    403,
    'a page of somebody else',
  );
  const answer = await ask({ key: writer, headers, body: rpc('tools/call', { name: 'read_graph', arguments: {} }) });
  t.match(await answer.text(), /entity of 2025-11-25/, 'nothing was deleted');
  t.equal(answer.headers.get('access-control-allow-origin'), null, 'no page may read it');
  const second = await fetch(`${base}/sse`, { headers: { 'X-API-Key': apiKey } });
  t.equal(second.status, 200, 'although the bridge has that transport');
  await second.body?.cancel();
  const over = await ask({ key: writer, method: 'DELETE', headers });
  t.ok(over.ok, `its owner ends it (${String(over.status)} ${await over.text()})`);
  t.equal(await statusOf({ key: writer, headers, body: rpc('ping') }), 404, 'and then it is gone');
  t.notOk(program.audit.textSince(0).includes(session['Mcp-Session-Id']), 'it stands in no record');
});

/** Reads on until the stream ends. @returns what came, and how long after `fromMs` it ended */
async function endOf(answer: Response, fromMs: () => number): Promise<{ text: string; afterMs: number }> {
  const text = await answer.text().catch((error: unknown) => `cut: ${String(error)}`);
  return { text, afterMs: performance.now() - fromMs() };
}

await t.test('a key that is revoked in the middle of a stream', async (t) => {
  const session = { 'Mcp-Session-Id': await openSession(leaver) };
  const notice = { jsonrpc: '2.0', method: 'notifications/initialized' };
  await (await ask({ key: leaver, headers: session, body: notice })).text();
  const meta = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientInfo': info,
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const modern = { 'MCP-Protocol-Version': '2026-07-28', 'Mcp-Method': 'subscriptions/listen' };
  const streams = {
    'the stream of a session': [leaver, await ask({ key: leaver, method: 'GET', headers: session })],
    'a subscription of 2026-07-28': [
      listener,
      await ask({
        key: listener,
        headers: modern,
        body: rpc('subscriptions/listen', { notifications: { toolsListChanged: true }, _meta: meta }),
      }),
    ],
  } as const;
  for (const [name, [key, answer]] of Object.entries(streams)) {
    t.equal(answer.status, 200, name);
    t.match(answer.headers.get('content-type'), /^text\/event-stream/, name);
    let revokedMs = Infinity;
    const ended = endOf(answer, () => revokedMs);
    await sleep(300);
    const { code, stderr } = await program.command(['auth', 'revoke-key', key.id, '--reason', 'test', '--yes']);
    revokedMs = performance.now();
    t.equal(code, 0, stderr);
    const { text, afterMs } = await ended;
    t.ok(afterMs < 2_000, `${name}: it ended (${Math.round(afterMs)} ms after the command)`);
    t.match(text, /event: memgate-closed\n/, `${name}: with a last event`);
    t.equal((await ask({ key, body: rpc('ping') })).status, 401, `${name}: nothing works with that key`);
  }
});

import { Agent, request as send, type IncomingMessage } from 'node:http';
import t, { type Test } from 'tap';
import { startMemoryServer, type MemoryServer, type Reading } from '../../src/demo/server/server.js';

let nowMs = 1_790_000_000_000;
const clock = { nowMs: () => (nowMs += 1), monotonicMs: () => 0 };

async function start(t: Test): Promise<{ server: MemoryServer; readings: Reading[]; ask: Ask }> {
  const readings: Reading[] = [];
  const server = await startMemoryServer({
    port: 0,
    dataDir: t.testdir(),
    spaces: ['acme', 'bravo'],
    clock,
    onReading: (reading) => readings.push(reading),
  });
  const agent = new Agent({ keepAlive: true });
  t.teardown(async () => {
    agent.destroy();
    await server.close();
  });
  return {
    server,
    readings,
    ask: (method, target, options = {}) => exchange(server.url, { method, target, agent, ...options }),
  };
}

interface Options {
  readonly headers?: readonly (readonly [string, string])[];
  readonly body?: unknown;
}
type Ask = (method: string, target: string, options?: Options) => Promise<Reply>;
interface Reply {
  readonly status: number;
  readonly text: string;
  readonly json: Record<string, unknown>;
  readonly headers: IncomingMessage['headers'];
}

function exchange(
  url: string,
  { method, target, agent, headers = [], body }: Options & { method: string; target: string; agent: Agent },
): Promise<Reply> {
  const text = body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body);
  const typed = text !== undefined && !headers.some(([name]) => name.toLowerCase() === 'content-type');
  const { hostname, port } = new URL(url);
  const list = [
    'Host',
    hostname,
    ...headers.flat(),
    ...(typed ? ['Content-Type', 'application/json'] : []),
    ...(text === undefined ? [] : ['Content-Length', String(Buffer.byteLength(text))]),
  ];
  return new Promise((resolve, reject) => {
    const request = send({ hostname, port, method, path: target, agent, headers: list as never }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        let json: Record<string, unknown> = {};
        if (/json/.test(response.headers['content-type'] ?? '') && text !== '')
          json = JSON.parse(text) as Record<string, unknown>;
        resolve({ status: response.statusCode ?? 0, text, json, headers: response.headers });
      });
    });
    request.on('error', reject);
    request.end(text);
  });
}

const H = (space: string): readonly [string, string] => ['X-Memory-Space', space];
const recall = '/api/v1/memories/recall';
const remember = '/api/v1/memories/remember';
const says = (space: string): { content: string; memory_space_id: string } => ({
  content: 'tea',
  memory_space_id: space,
});

/** What was observed on the real server: the space that is used, or the status. */
const table: {
  name: string;
  method?: string;
  target: string;
  headers?: (readonly [string, string])[];
  body?: unknown;
  want: string | number;
}[] = [
  { name: 'recall: nothing', target: recall, want: 'default' },
  { name: 'recall: header', target: recall, headers: [H('acme')], want: 'acme' },
  { name: 'recall: query', target: `${recall}?space=bravo`, want: 'bravo' },
  { name: 'recall: header and query', target: `${recall}?space=bravo`, headers: [H('acme')], want: 'acme' },
  { name: 'recall: X-Memory-Space-Id', target: recall, headers: [['X-Memory-Space-Id', 'bravo']], want: 'default' },
  {
    name: 'recall: X-Engram-Memory-Space',
    target: recall,
    headers: [['X-Engram-Memory-Space', 'bravo']],
    want: 'default',
  },
  { name: 'recall: query memory_space_id', target: `${recall}?memory_space_id=bravo`, want: 'default' },
  { name: 'recall: body', target: recall, body: says('bravo'), want: 'default' },
  { name: 'recall: header twice', target: recall, headers: [H('acme'), H('bravo')], want: 'acme' },
  { name: 'recall: empty header and query', target: `${recall}?space=bravo`, headers: [H('')], want: 400 },
  { name: 'recall: query twice', target: `${recall}?space=acme&space=bravo`, want: 400 },
  { name: 'list: query twice', target: '/api/v1/memories?space=acme&%73pace=bravo', want: 400 },
  { name: 'search: query twice', target: '/api/v1/memories/search?space=acme&space=bravo', want: 'bravo' },
  { name: 'recall: escaped value', target: `${recall}?space=%61cme`, want: 'acme' },
  { name: 'recall: escaped name', target: `${recall}?%73pace=acme`, want: 'acme' },
  { name: 'recall: white space', target: `${recall}?space=%20acme+`, want: 'acme' },
  { name: 'recall: no-break space in the query', target: `${recall}?space=%C2%A0acme`, want: 'acme' },
  { name: 'recall: next line, which JavaScript does not trim', target: `${recall}?space=acme%C2%85`, want: 'acme' },
  { name: 'recall: byte order mark, which JavaScript trims', target: `${recall}?space=%EF%BB%BFacme`, want: 400 },
  { name: 'recall: no-break space in the header', target: recall, headers: [H('\u00a0acme')], want: 400 },
  { name: 'recall: upper case', target: recall, headers: [H('ACME')], want: 400 },
  { name: 'recall: spaces/acme', target: recall, headers: [H('spaces/acme')], want: 400 },
  { name: 'recall: empty query', target: `${recall}?space=`, want: 400 },
  { name: 'recall: query without a value', target: `${recall}?space`, want: 400 },
  { name: 'recall: two characters', target: `${recall}?space=ab`, want: 400 },
  { name: 'recall: 64 characters', target: `${recall}?space=${'a'.repeat(64)}`, want: 'a'.repeat(64) },
  { name: 'recall: 65 characters', target: `${recall}?space=${'a'.repeat(65)}`, want: 400 },
  { name: 'remember: nothing', method: 'POST', target: remember, body: { content: 'tea' }, want: 'default' },
  {
    name: 'remember: header and body',
    method: 'POST',
    target: remember,
    headers: [H('acme')],
    body: says('bravo'),
    want: 'acme',
  },
  {
    name: 'remember: header and a malformed body field',
    method: 'POST',
    target: remember,
    headers: [H('acme')],
    body: says('NO'),
    want: 'acme',
  },
  {
    name: 'remember: query and body',
    method: 'POST',
    target: `${remember}?space=acme`,
    body: says('bravo'),
    want: 'bravo',
  },
  {
    name: 'remember: query alone',
    method: 'POST',
    target: `${remember}?space=acme`,
    body: { content: 'tea' },
    want: 'default',
  },
  {
    name: 'remember: null in the body',
    method: 'POST',
    target: remember,
    body: { content: 'tea', memory_space_id: null },
    want: 'default',
  },
  {
    name: 'remember: number in the body',
    method: 'POST',
    target: remember,
    body: { content: 'tea', memory_space_id: 7 },
    want: 422,
  },
  { name: 'remember: white space in the body', method: 'POST', target: remember, body: says(' acme '), want: 'acme' },
  {
    name: 'episode: header and body',
    method: 'POST',
    target: '/api/v1/episodes/remember',
    headers: [H('acme')],
    body: { what: 'tea', memory_space_id: 'bravo' },
    want: 'acme',
  },
  {
    name: 'episode: query and body',
    method: 'POST',
    target: '/api/v1/episodes/remember?space=acme',
    body: { what: 'tea', memory_space_id: 'bravo' },
    want: 'bravo',
  },
  {
    name: 'store: body and query',
    method: 'POST',
    target: '/api/v1/memories?space=acme',
    body: says('bravo'),
    want: 'default',
  },
  {
    name: 'store: header',
    method: 'POST',
    target: '/api/v1/memories',
    headers: [H('acme')],
    body: says('bravo'),
    want: 'acme',
  },
  {
    name: 'query: header and body',
    method: 'POST',
    target: '/api/v1/query',
    headers: [H('acme')],
    body: { query_text: 'RECALL x', memory_space_id: 'bravo' },
    want: 'bravo',
  },
  {
    name: 'query: header',
    method: 'POST',
    target: '/api/v1/query',
    headers: [H('acme')],
    body: { query_text: 'RECALL x' },
    want: 'acme',
  },
  {
    name: 'query: query',
    method: 'POST',
    target: '/api/v1/query?space=bravo',
    body: { query_text: 'RECALL x' },
    want: 'default',
  },
  {
    name: 'query: empty body field',
    method: 'POST',
    target: '/api/v1/query',
    headers: [H('acme')],
    body: { query_text: 'RECALL x', memory_space_id: '' },
    want: 400,
  },
  {
    name: 'complete: header and body',
    method: 'POST',
    target: '/api/v1/complete',
    headers: [H('acme')],
    body: { memory_space_id: 'bravo' },
    want: 'acme',
  },
  {
    name: 'new space: header',
    method: 'POST',
    target: '/api/v1/spaces',
    headers: [H('bravo')],
    body: { id: 'acme' },
    want: 'acme',
  },
  { name: 'new space: bad name', method: 'POST', target: '/api/v1/spaces', body: { id: 'A' }, want: 400 },
  {
    name: 'duplicate JSON key',
    method: 'POST',
    target: remember,
    body: '{"content":"a","memory_space_id":"acme","memory_space_id":"acme"}',
    want: 422,
  },
  {
    name: 'duplicate JSON key in other letters',
    method: 'POST',
    target: remember,
    body: '{"content":"a","memory_space_id":"acme","memory_\\u0073pace_id":"bravo"}',
    want: 422,
  },
  {
    name: 'duplicate JSON key that nothing reads',
    method: 'POST',
    target: remember,
    body: '{"content":"a","x":{"content":1},"x":[",",{"memory_space_id":"bravo"}]}',
    want: 'default',
  },
  { name: 'field missing', method: 'POST', target: remember, body: {}, want: 422 },
  { name: 'an array', method: 'POST', target: remember, body: [], want: 422 },
  { name: 'no JSON', method: 'POST', target: remember, body: '{', want: 400 },
  { name: 'two documents', method: 'POST', target: remember, body: '{"content":"a"}{}', want: 400 },
  { name: 'lone surrogate', method: 'POST', target: remember, body: '{"content":"\\ud800"}', want: 400 },
  {
    name: 'depth',
    method: 'POST',
    target: remember,
    body: `{"content":"a","x":${'['.repeat(500)}${']'.repeat(500)}}`,
    want: 400,
  },
  {
    name: 'text/plain',
    method: 'POST',
    target: remember,
    headers: [['Content-Type', 'text/plain']],
    body: says('acme'),
    want: 415,
  },
  {
    name: 'any other JSON label',
    method: 'POST',
    target: remember,
    headers: [['content-type', 'application/x+json; charset=utf-16']],
    body: says('acme'),
    want: 'acme',
  },
  {
    name: 'a label of compression that is no compression',
    method: 'POST',
    target: remember,
    headers: [['Content-Encoding', 'gzip']],
    body: says('acme'),
    want: 'acme',
  },
  { name: '3 MB', method: 'POST', target: remember, body: { content: 'x'.repeat(3_000_000) }, want: 413 },
  {
    name: 'nearly 2 MB of escapes',
    method: 'POST',
    target: remember,
    body: `{"content":"${'\\n.'.repeat(650_000)}"}`,
    want: 'default',
  },
  { name: 'HEAD is served as GET', method: 'HEAD', target: `${recall}?space=acme`, want: 'acme' },
  { name: 'trailing slash', target: `${recall}/`, want: 404 },
  { name: 'two slashes', target: '//api/v1/memories/recall', want: 404 },
  { name: 'dot segments', target: '/health/../api/v1/memories', want: 404 },
  { name: 'another method', method: 'PUT', target: recall, want: 405 },
  { name: 'an id with a method of its own name', method: 'DELETE', target: recall, want: 405 },
  { name: 'absolute form', target: 'http://other/api/v1/memories?space=acme', want: 'acme' },
];

t.test('reads the space of each route as it was observed on the real server', async (t) => {
  const { ask, readings, server } = await start(t);
  for (const { name, method = 'GET', target, headers = [], body, want } of table) {
    readings.length = 0;
    const reply = await ask(method, target, { headers, body });
    if (typeof want === 'number') {
      t.equal(reply.status, want, name);
      t.strictSame(readings, [], `${name}: no reading`);
    } else {
      t.ok(reply.status < 300, `${name}: ${String(reply.status)} ${reply.text}`);
      t.strictSame(readings, [{ method, target, space: want }], name);
      if (method !== 'HEAD') t.equal(reply.json['memory_space_id'], want, name);
    }
  }
  t.ok(server.reads.length > 20);
  t.match((await ask('GET', `${recall}?space=A`)).json, { error: { code: 'INVALID_MEMORY_SPACE', message: String } });
  t.equal((await ask('PUT', recall)).headers.allow, 'GET');
});

t.test('keeps memories, finds them by their words, and only in their space', async (t) => {
  const { ask } = await start(t);
  const kept = await ask('POST', remember, {
    headers: [H('acme')],
    body: { content: 'Green tea at "noon" OR else', id: 'recall', confidence: 0.9 },
  });
  t.match(kept, { status: 201, json: { memory_id: 'recall', memory_space_id: 'acme' } });
  await ask('POST', remember, { headers: [H('bravo')], body: { content: 'Black tea' } });
  const contents = async (target: string, space: string): Promise<unknown[]> => {
    const { json } = await ask('GET', target, { headers: [H(space)] });
    return (json['memories'] as { content: string }[]).map(({ content }) => content);
  };
  t.strictSame(await contents(`${recall}?q=TEA`, 'acme'), ['Green tea at "noon" OR else']);
  t.strictSame(await contents(`${recall}?query=tea`, 'bravo'), ['Black tea']);
  t.strictSame(await contents('/api/v1/memories/search?q=green+tea', 'bravo'), ['Black tea']);
  t.strictSame(await contents(`${recall}?q=coffee`, 'acme'), []);
  t.strictSame(await contents(`${recall}?q=%22+AND+*`, 'acme'), []);
  t.strictSame(await contents('/api/v1/memories', 'acme'), ['Green tea at "noon" OR else']);
  t.match(
    await ask('GET', '/api/v1/memories/%72ecall', { headers: [H('acme')] }),
    { status: 200, json: { id: 'recall' } },
    'routes are found by the raw path',
  );
  t.match(await ask('GET', '/api/v1/memories/%72ecall', { headers: [H('bravo')] }), {
    status: 404,
    json: { error: { code: 'MEMORY_NOT_FOUND' } },
  });
  await ask('POST', remember, { headers: [H('acme')], body: { content: 'White tea', id: 'recall' } });
  t.strictSame(await contents(`${recall}?q=tea`, 'acme'), ['White tea'], 'the same id is replaced, its words too');
  t.match(
    await ask('DELETE', '/api/v1/memories/%72ecall', { headers: [H('bravo')] }),
    { json: { deleted: 1 } },
    'deleting overlooks the space',
  );
  t.strictSame(await contents(`${recall}?q=tea`, 'acme'), []);
  const query = (query_text: string): Promise<Reply> =>
    ask('POST', '/api/v1/query', { headers: [H('bravo')], body: { query_text } });
  t.match(await query('recall tea'), { status: 200, json: { total_count: 1 } });
  t.match(await query('# tea\n consolidate tea'), { status: 200 });
  t.match(await query('EXPLAIN tea'), { status: 400 });
  t.match(await ask('GET', '/api/v1/consolidations?space=bravo'), {
    json: { consolidations: [{ content: 'Black tea' }] },
  });
});

t.test('creates a space that is only read from, and tells all of them', async (t) => {
  const { ask } = await start(t);
  const ids = async (): Promise<unknown> => (await ask('GET', '/api/v1/spaces')).json['spaces'];
  t.match(await ids(), [{ id: 'acme' }, { id: 'bravo' }, { id: 'default' }]);
  await ask('GET', `${recall}?space=ghost`);
  t.match(await ids(), [{ id: 'acme' }, { id: 'bravo' }, { id: 'default' }, { id: 'ghost' }]);
  t.equal(((await ask('GET', '/api/v1/system/health')).json['spaces'] as unknown[]).length, 4);
  t.equal(((await ask('GET', '/api/v1/system/health?space=acme')).json['spaces'] as unknown[]).length, 1);
  t.match((await ask('GET', '/metrics/prometheus')).text, /engram_memories_total\{memory_space="ghost"\} 0/);
  t.match(await ask('GET', '/health/alive'), { status: 200, text: '' });
  t.match(await ask('POST', '/cluster/migrate', { body: { space: 'acme' } }), {
    status: 501,
    json: { error: { code: 'FEATURE_NOT_ENABLED' } },
  });
  t.equal((await ask('GET', '/docs/a/b')).status, 200);
});

/** Opens a stream and gives its events one by one. */
async function stream(
  url: string,
  headers: Record<string, string> = {},
): Promise<{ next: () => Promise<string>; close: () => void }> {
  const abort = new AbortController();
  const response = await fetch(url, { headers, signal: abort.signal });
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  return {
    next: async () => (await reader.read()).value ?? '',
    close: () => {
      abort.abort();
    },
  };
}

t.test('streams the events of the default space, whatever is stated', async (t) => {
  const { ask, server, readings } = await start(t);
  const open = await stream(`${server.url}/api/v1/stream/memories?space=acme`, { 'X-Memory-Space': 'acme' });
  t.match(readings, [{ space: 'default' }]);
  await ask('POST', remember, { headers: [H('acme')], body: { content: 'tea' } });
  await ask('POST', remember, { body: { content: 'tea', id: 'seen' } });
  t.match(
    await open.next(),
    /^id: 1\nevent: memory_stored\ndata: \{"memory_space_id":"default","memory_id":"seen"\}\n\n$/,
  );
  open.close();
  const made = await stream(`${server.url}/api/v1/monitor/activations?space=nosuchspace`);
  t.match(await made.next(), /"memory_space_id":"nosuchspace"/);
  made.close();
  t.notMatch((await ask('GET', '/api/v1/spaces')).text, /nosuchspace/, 'made-up figures create nothing');
  t.equal((await ask('HEAD', '/api/v1/stream/activities')).status, 200, 'HEAD of a stream ends');
});

t.test('close() ends open streams, and a restart finds what was kept', async (t) => {
  const dataDir = t.testdir();
  const options = { port: 0, dataDir, spaces: [], clock };
  const first = await startMemoryServer(options);
  const open = await stream(`${first.url}/api/v1/stream/activities`);
  await fetch(`${first.url}${remember}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{"content":"tea"}',
  });
  await open.next();
  await first.close();
  await t.rejects(open.next());
  const second = await startMemoryServer(options);
  t.teardown(() => second.close());
  t.match(await (await fetch(`${second.url}${recall}?q=tea`)).json(), { memories: [{ content: 'tea' }] });
  await t.rejects(startMemoryServer({ ...options, port: Number(new URL(second.url).port) }), { code: 'EADDRINUSE' });
});

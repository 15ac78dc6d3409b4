import { createServer, request as httpRequest, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { root } from './support/build.js';
import { startProgram } from './support/program.js';
import { send } from './support/wire.js';

/*
 * The traps in which a proxy falls that looks at headers and paths and passes the rest on. Each is tried three times: at the memory
 * server, to see that the bait is there; through such a proxy, which must fall into it; and through memgate, which must not.
 *
 * The other traps have their tests elsewhere:
 *   7 headers that open the server     test/wire/traps-trust.test.ts
 *   8 mirrored MCP headers, batches    test/wire/traps-messages.test.ts
 *   9 second doors, WebSocket          test/wire/traps-messages.test.ts; ports beside it: test/sidedoors/sidedoors.test.ts
 */

/** What is remembered: one text a space. Nobody but a caller of beta may see beta's. */
const notes = new Map<string, string>();
const secret = 'what beta knows';
const reset = (): void => {
  notes.clear();
  for (const [space, text] of [
    ['alpha', 'what alpha knows'],
    ['beta', secret],
    ['default', 'what everybody is told'],
  ] as const)
    notes.set(space, text);
};

interface Asked {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- a server that believes what it is sent
  readonly body: any;
}

/** The spaces that are read; a name that is not there is made by it, as Engram's registry does. */
function read(space: string): string[] {
  if (!notes.has(space)) notes.set(space, '');
  return [space];
}

const everything = (): string[] => [...notes.keys()];
/** An object of beta's, which its id alone opens. */
const betasId = '5f0c2a4e-7a52-4d0f-9d0b-1f2e3d4c5b6a';
/** The texts, and whose they are, in the forms in which mem0 and LangGraph say it. */
const answerOf = (spaces: readonly string[]): object => ({
  notes: spaces.map((space) => notes.get(space)),
  user_id: spaces[0],
  items: spaces.map((space) => ({ namespace: [space, 'x'], value: {} })),
});
const firstOf = (value: string | string[] | undefined): string | undefined => (Array.isArray(value) ? value[0] : value);

/** The spaces of a filter, where a later key wins and `*` is everybody, as mem0's two filter functions do. */
function filtered(filters: Readonly<Record<string, unknown>>): string | undefined {
  let user = typeof filters['user_id'] === 'string' ? filters['user_id'] : undefined;
  for (const part of (filters['AND'] ?? []) as Readonly<Record<string, unknown>>[]) user = filtered(part) ?? user;
  return user;
}

/** How the real servers choose the space, by profile and route. */
const readings: Readonly<Record<string, (asked: Asked) => string[]>> = {
  'engram /api/v1/memories/recall': ({ headers, query }) =>
    read(firstOf(headers['x-memory-space']) ?? query.get('space') ?? 'default'),
  'engram /api/v1/query': ({ headers, body }) =>
    read(String(body.memory_space_id ?? firstOf(headers['x-memory-space']) ?? 'default')),
  [`mem0 /memories/${betasId}`]: () => read('beta'),
  'mem0 /search': ({ body }) => {
    const user = filtered({ user_id: body.user_id, ...body.filters });
    return user === '*' || user === undefined ? everything() : read(user);
  },
  'graphiti /search': ({ body }) => ((body.group_ids ?? []).length === 0 ? everything() : body.group_ids.flatMap(read)),
  'langgraph /store/items/search': ({ body }) =>
    (body.namespace_prefix ?? []).length === 0 ? everything() : read(body.namespace_prefix[0]),
};
/** Which server it is just now. */
let inForce = '';

const listening = (server: Server): Promise<number> =>
  new Promise((resolve) => {
    t.teardown(() => {
      server.closeAllConnections();
      server.close();
    });
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

const memoryPort = await listening(
  createServer((request, response) => {
    void bytesOf(request).then((bytes) => {
      const url = new URL(request.url ?? '/', 'http://memory');
      const asked: Asked = {
        path: url.pathname,
        query: url.searchParams,
        headers: request.headers,
        body: bytes.length === 0 ? {} : JSON.parse(bytes.toString()),
      };
      const reading = readings[`${inForce} ${asked.path}`];
      const text = JSON.stringify(answerOf(reading === undefined ? [] : reading(asked)));
      response.writeHead(reading === undefined ? 404 : 200, { 'Content-Type': 'application/json' }).end(text);
    });
  }),
);

/** The proxy of the trap: a key for alpha, checked against the one header that says where the request goes. */
const proxyPort = await listening(
  createServer((request, response) => {
    const named = firstOf(request.headers['x-memory-space-id']);
    if (named !== undefined && named !== 'alpha') {
      response.writeHead(403).end();
      return;
    }
    const { method, url, headers } = request;
    const upstream = httpRequest({ port: memoryPort, host: '127.0.0.1', method, path: url, headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    request.pipe(upstream);
  }),
);

const program = await startProgram(t);

interface Bait {
  readonly method?: 'GET' | 'POST';
  readonly target: string;
  readonly headers?: string;
  readonly body?: object;
  /** What memgate says. */
  readonly status: number | readonly number[];
  readonly code: string | RegExp;
}

interface Trap {
  readonly row: number;
  readonly name: string;
  /** Of `config/profiles`. */
  readonly profile: string;
  readonly baits: readonly Bait[];
  /** What the caller may do there, and gets. */
  readonly fair: Omit<Bait, 'status' | 'code'>;
}

const SA = 'X-Memory-Space: alpha\r\n';
const forbidden = (target: string, body: object): Bait => ({
  method: 'POST',
  target,
  body,
  status: 403,
  code: 'authorize.denied',
});
const traps: readonly Trap[] = [
  {
    row: 1,
    name: 'the header that is checked is not the header that is obeyed',
    profile: 'engram',
    fair: { target: '/api/v1/memories/recall?q=x', headers: SA },
    baits: [
      {
        target: '/api/v1/memories/recall?q=x',
        headers: 'X-Memory-Space: beta\r\n',
        status: 403,
        code: 'authorize.denied',
      },
      {
        target: '/api/v1/memories/recall?q=x',
        headers: 'X-Memory-Space: beta\r\nX-Memory-Space-Id: alpha\r\n',
        status: 400,
        code: 'space.conflict',
      },
      { target: '/api/v1/memories/recall?q=x&space=beta', status: 403, code: 'authorize.denied' },
    ],
  },
  {
    row: 2,
    name: 'one route takes the body before the header, the others do not',
    profile: 'engram',
    fair: { method: 'POST', target: '/api/v1/query', headers: SA, body: { query_text: 'RECALL x' } },
    baits: [
      {
        method: 'POST',
        target: '/api/v1/query',
        headers: SA,
        body: { query_text: 'RECALL x', memory_space_id: 'beta' },
        status: 400,
        code: 'space.conflict',
      },
      {
        method: 'POST',
        target: '/api/v1/query',
        body: { query_text: 'RECALL x', memory_space_id: 'beta' },
        status: 403,
        code: 'authorize.denied',
      },
    ],
  },
  {
    row: 4,
    name: 'a route names an object and no space',
    profile: 'mem0',
    fair: { method: 'POST', target: '/search', body: { query: 'q', user_id: 'alpha' } },
    // 404 where the profile asks the server whose it is.
    baits: [{ target: `/memories/${betasId}`, status: [403, 404], code: /./ }],
  },
  {
    row: 5,
    name: 'SP-12 a filter names another space than the request, and wins',
    profile: 'mem0',
    fair: {
      method: 'POST',
      target: '/search',
      body: { query: 'q', user_id: 'alpha', filters: { AND: [{ score: 1 }] } },
    },
    baits: [
      { user_id: 'alpha', filters: { AND: [{ user_id: 'beta' }] } },
      { user_id: 'alpha', filters: { user_id: 'beta' } },
      { user_id: 'alpha', filters: { user_id: '*' } },
      { user_id: 'alpha', filters: { AND: [{ AND: [{ user_id: '*' }] }] } },
    ].map((body) => ({ method: 'POST' as const, target: '/search', body, status: 400, code: 'space.malformed' })),
  },
  {
    row: 6,
    name: 'SP-14 null, nothing or an empty list is everybody',
    profile: 'graphiti',
    fair: { method: 'POST', target: '/search', body: { query: 'q', group_ids: ['alpha'] } },
    baits: [{ group_ids: null }, { group_ids: [] }, {}, { group_ids: ['alpha', 'beta'] }, { group_ids: ['beta'] }].map(
      (body) => forbidden('/search', { query: 'q', ...body }),
    ),
  },
  {
    row: 6,
    name: 'the prefix of no label is the prefix of everything',
    profile: 'langgraph',
    fair: { method: 'POST', target: '/store/items/search', body: { namespace_prefix: ['alpha', 'x'] } },
    baits: [{ namespace_prefix: [] }, { namespace_prefix: null }, {}, { namespace_prefix: ['beta', 'x'] }].map((body) =>
      forbidden('/store/items/search', body),
    ),
  },
];

function bytesFor({ method = 'GET', target, headers = '', body }: Omit<Bait, 'status' | 'code'>): string {
  const text = body === undefined ? null : JSON.stringify(body);
  const framed = text === null ? '' : `Content-Type: application/json\r\nContent-Length: ${String(text.length)}\r\n`;
  const key = `Authorization: Bearer ${program.keys.KA.text}\r\n`;
  return `${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${key}${headers}${framed}\r\n${text ?? ''}`;
}

async function useProfile(name: string): Promise<void> {
  if (inForce === name) return;
  inForce = name;
  await program.writeConfig({
    profile: join(root, 'config', 'profiles', `${name}.yaml`),
    upstream: { url: `http://127.0.0.1:${String(memoryPort)}` },
  });
  const { status, body } = await program.reload();
  if (status !== 200) throw new Error(JSON.stringify(body));
}

for (const { row, name, profile, baits, fair } of traps) {
  t.test(`trap ${String(row)}: ${name}`, async (t) => {
    await useProfile(profile);
    for (const bait of baits) {
      reset();
      const shown = `${bait.target} ${bait.headers?.trim() ?? ''} ${JSON.stringify(bait.body ?? '')}`;
      const bytes = bytesFor(bait);
      const through = (await send(proxyPort, bytes)).answers[0];
      t.match(through?.body.toString(), secret, `${shown}: a proxy that passes it on gives beta away`);
      const mark = program.audit.mark();
      const { answers } = await send(program.port, bytes);
      const wanted = typeof bait.status === 'number' ? [bait.status] : bait.status;
      t.ok(wanted.includes(answers[0]?.status ?? 0), `${shown}: memgate refuses (${String(answers[0]?.status)})`);
      t.notMatch(answers[0]?.body.toString(), secret);
      const id = answers[0]?.header('x-request-id');
      t.match(await program.audit.find(mark, (record) => record.id === id), { code: bait.code, effect: 'deny' });
    }
    reset();
    const { answers } = await send(program.port, bytesFor(fair));
    t.strictSame(answers[0]?.json().notes, ['what alpha knows'], 'and the caller’s own is there');
  });
}

t.test('trap 3: no carrier is the default space, and a read of an unknown name makes it', async (t) => {
  await useProfile('engram');
  reset();
  const bare = bytesFor({ target: '/api/v1/memories/recall?q=x' });
  const ghost = bytesFor({ target: '/api/v1/memories/recall?q=x', headers: 'X-Memory-Space: ghost\r\n' });
  t.match(
    (await send(proxyPort, bare)).answers[0]?.body.toString(),
    'what everybody is told',
    'the proxy reads default',
  );
  await send(proxyPort, ghost);
  t.ok(notes.has('ghost'), 'and makes a space');
  reset();
  t.equal((await send(program.port, bare)).answers[0]?.status, 403, 'decided as default');
  t.equal((await send(program.port, ghost)).answers[0]?.status, 403);
  t.strictSame([...notes.keys()], ['alpha', 'beta', 'default'], 'nothing was made');
});

import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { root } from './support/build.js';
import { H, J, wireCase, type Case } from './support/cases.js';
import { makeKey } from './support/keys.js';
import { startProgram } from './support/program.js';

/** A request, as far as it is the server's own: its first line, further header lines, and a body. */
interface Ask {
  readonly line: string;
  readonly headers?: readonly string[];
  readonly body?: unknown;
}

interface Server {
  /** The space of the key, where the server knows one only. */
  readonly space?: string;
  /** A request inside the space `alpha` that must pass. */
  readonly own: Ask;
  /** What reaches the server: the target, and every carrier among the headers. */
  readonly target: string;
  readonly carriers?: readonly string[];
  /** Headers of the caller that the server would obey, beside those of every server. */
  readonly opens?: readonly string[];
  /** The same request for the space `beta`; without it the key of another space sends the first one. */
  readonly foreign?: Ask;
  readonly unknown: string;
  /** What else must not get there: name, request, status. */
  readonly refused: readonly (readonly [name: string, ask: Ask, status: number])[];
}

const chroma = '/api/v2/tenants/alpha/databases/d/collections';
const uuid = '247f22f3-d1ff-44a5-b9ba-06d4d0d6b8c5';

/** A call of a tool, of a revision that has sessions. */
const call = (name: string, args: object): Ask => ({
  line: 'POST /mcp',
  headers: ['Accept: application/json, text/event-stream'],
  body: { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } },
});

const servers: Readonly<Record<string, Server>> = {
  engram: {
    own: { line: 'GET /api/v1/memories?space=alpha' },
    target: '/api/v1/memories',
    carriers: ['x-memory-space: alpha'],
    foreign: { line: 'GET /api/v1/memories?space=beta' },
    unknown: '/api/v2/memories',
    refused: [['an id without a space', { line: 'DELETE /api/v1/memories/m1' }, 403]],
  },
  memoric: {
    own: { line: 'GET /memories?thread_id=t', headers: ['X-Memory-Space: alpha'] },
    target: '/memories?thread_id=t&user_id=alpha',
    foreign: { line: 'GET /memories?user_id=beta' },
    unknown: '/auth/me',
    refused: [
      ['a user who stands twice', { line: 'GET /memories?user_id=alpha&user_id=alpha' }, 400],
      ['another user in the body', { line: 'POST /memories?user_id=alpha', body: { user_id: 'beta' } }, 400],
      ['all users', { line: 'POST /policies/run' }, 404],
    ],
  },
  soma: {
    space: 'standalone',
    own: {
      line: 'GET /memories/search?query=x&filters=%7B%22owner%22:%22a%22%7D',
      headers: ['X-Soma-Tenant: standalone'],
    },
    target: '/memories/search?query=x&filters=%7B%22owner%22:%22a%22%7D',
    unknown: '/admin/roles',
    refused: [
      [
        'another tenant in a header that is passed over',
        { line: 'GET /memories/1,2', headers: ['X-Soma-Tenant: victim'] },
        400,
      ],
      [
        'another tenant in a link',
        { line: 'POST /graph/link', body: { from_coord: '1,2', metadata: { _tenant: 'victim' } } },
        400,
      ],
      ['filters that are no JSON', { line: 'GET /memories/search?filters=%7Bowner' }, 400],
      ['filters that are a look-up', { line: 'GET /memories/search?filters=%7B%22owner__regex%22:%22b%22%7D' }, 400],
      ['counts of all tenants', { line: 'GET /stats' }, 403],
    ],
  },
  'soma-2025': {
    own: { line: 'GET /memories/1,2', headers: ['X-Soma-Namespace: agents:alpha'] },
    target: '/memories/1,2',
    carriers: ['x-soma-tenant: alpha'],
    foreign: { line: 'GET /memories/1,2', headers: ['X-Soma-Namespace: alpha:beta'] },
    unknown: '/recall',
    refused: [
      ['two tenants', { line: 'GET /stats', headers: ['X-Soma-Tenant: alpha', 'X-Soma-Namespace: a:beta'] }, 400],
      ['no tenant, which is the default', { line: 'GET /memories/1,2' }, 403],
    ],
  },
  koryphaios: {
    space: '/srv/alpha',
    own: { line: 'GET /api/notes/search?q=x', headers: ['X-Koryphaios-Project: /srv/alpha'] },
    target: '/api/notes/search?q=x',
    carriers: ['x-koryphaios-project: /srv/alpha'],
    foreign: { line: 'GET /api/notes/search?q=x', headers: ['X-Koryphaios-Project: /srv/beta'] },
    unknown: '/api/sessions',
    refused: [
      [
        'a session for whoever looks local',
        { line: 'POST /api/auth/session', headers: ['X-Forwarded-For: 127.0.0.1'] },
        404,
      ],
      [
        'a way out of the directory',
        { line: 'GET /api/notes/', headers: ['X-Koryphaios-Project: /srv/alpha/../beta'] },
        400,
      ],
      ['no project', { line: 'GET /api/notes/' }, 400],
      ['a token in the query', { line: 'GET /api/notes/?auth=x', headers: ['X-Koryphaios-Project: /srv/alpha'] }, 400],
    ],
  },
  mem0: {
    own: { line: 'POST /search', body: { query: 'q', user_id: 'alpha', agent_id: 'a', filters: { topic: 'a' } } },
    target: '/search',
    foreign: { line: 'POST /search', body: { query: 'q', user_id: 'beta' } },
    unknown: '/configure',
    refused: [
      [
        'another user deeper',
        { line: 'POST /search', body: { user_id: 'alpha', filters: { AND: [{ user_id: 'beta' }] } } },
        400,
      ],
      ['a wildcard', { line: 'POST /search', body: { query: 'q', filters: { user_id: '*' } } }, 400],
      ['an operator', { line: 'POST /search', body: { user_id: 'alpha', filters: { user_id__in: ['beta'] } } }, 400],
      ['a number', { line: 'POST /memories', body: { user_id: 7 } }, 400],
      ['an agent in a filter', { line: 'POST /search', body: { user_id: 'alpha', filters: { agent_id: '*' } } }, 400],
      ['a run that is an operator', { line: 'POST /search', body: { user_id: 'alpha', run_id: { ne: '' } } }, 400],
      ['an agent alone', { line: 'POST /memories', body: { agent_id: 'a' } }, 400],
      ['everything', { line: 'GET /memories?agent_id=a' }, 403],
      ['an id in another spelling', { line: 'DELETE /memories/M1' }, 400],
    ],
  },
  openmemory: {
    space: 'openmemory',
    own: { line: 'POST /memory/query', body: { query: 'q' } },
    target: '/memory/query',
    unknown: '/mcp',
    refused: [
      ['a user in the query', { line: 'GET /memory/all?user_id=x' }, 400],
      ['a user in filters', { line: 'POST /memory/query', body: { query: 'q', filters: { user_id: 'x' } } }, 400],
    ],
  },
  graphiti: {
    own: { line: 'POST /search', body: { query: 'q', group_ids: ['alpha'] } },
    target: '/search',
    foreign: { line: 'POST /search', body: { query: 'q', group_ids: ['beta'] } },
    unknown: '/groups',
    refused: [
      ['no group, which is all', { line: 'POST /search', body: { query: 'q' } }, 403],
      ['null, which is all', { line: 'POST /search', body: { query: 'q', group_ids: null } }, 403],
      ['an empty list, which is all', { line: 'POST /search', body: { query: 'q', group_ids: [] } }, 403],
      ['one group more', { line: 'POST /search', body: { query: 'q', group_ids: ['alpha', 'beta'] } }, 403],
      [
        'a group in a message',
        { line: 'POST /messages', body: { group_id: 'alpha', messages: [{ group_id: 'beta' }] } },
        400,
      ],
      [
        'an episode of another group by its uuid',
        { line: 'POST /messages', body: { group_id: 'alpha', messages: [{ content: 'x', uuid: 'u1' }] } },
        400,
      ],
      [
        'a node of another group by its uuid',
        { line: 'POST /entity-node', body: { group_id: 'alpha', uuid: 'u1' } },
        400,
      ],
      ['an id without a group', { line: 'GET /entity-edge/u1' }, 403],
    ],
  },
  chroma: {
    own: { line: `GET ${chroma}?limit=1` },
    target: `${chroma}?limit=1`,
    foreign: { line: `GET ${chroma.replace('alpha', 'beta')}` },
    unknown: '/api/v1/collections',
    refused: [
      ['an empty tenant', { line: 'GET /api/v2/tenants//databases/d/collections' }, 400],
      ['a dot segment for a tenant', { line: 'GET /api/v2/tenants/../databases/d/collections' }, 400],
      ['another tenant in a CRN', { line: 'GET /api/v2/collections/beta:d:c' }, 403],
      [
        'a collection of another tenant',
        { line: `POST ${chroma.replace('alpha', 'beta')}/${uuid}/get`, body: {} },
        403,
      ],
      ['all tenants', { line: 'POST /api/v2/reset' }, 403],
    ],
  },
  qdrant: {
    own: { line: 'POST /collections/alpha/points/query', body: { query: [0.5], limit: 3 } },
    target: '/collections/alpha/points/query',
    foreign: { line: 'POST /collections/beta/points/query', body: {} },
    unknown: '/collections/alpha/snapshots',
    refused: [
      [
        'vectors of another collection',
        { line: 'POST /collections/alpha/points/query', body: { prefetch: [{ lookup_from: { collection: 'beta' } }] } },
        400,
      ],
      [
        'the same by the order of the items, without a key',
        {
          line: 'POST /collections/alpha/points/query',
          body: { prefetch: [null, '5', null, null, null, null, 10, ['beta', null, null]] },
        },
        400,
      ],
      [
        'the same in a list, further down',
        {
          line: 'POST /collections/alpha/points/query/batch',
          body: {
            searches: [{ prefetch: [{ prefetch: [[null, '5', null, null, null, null, 10, { collection: 'beta' }]] }] }],
          },
        },
        400,
      ],
      [
        'payloads of another collection',
        { line: 'POST /collections/alpha/points/query/groups', body: { with_lookup: 'beta' } },
        400,
      ],
      ['another name for a collection', { line: 'POST /collections/aliases', body: {} }, 405],
      ['a batch of several rights', { line: 'POST /collections/alpha/points/batch', body: {} }, 405],
      ['all collections', { line: 'GET /telemetry' }, 403],
    ],
  },
  letta: {
    own: { line: 'GET /v1/agents/', headers: ['user_id: alpha'] },
    target: '/v1/agents/',
    carriers: ['user_id: alpha'],
    opens: [
      'X-BARE-PASSWORD',
      'X-Project-Id',
      'X-Billing-Plan-Type',
      'X-Billing-Cost-Source',
      'X-Billing-Customer-Id',
      'X-Experimental-Message-Async',
      'X-Experimental-Letta-V1-Agent',
      'X-Experimental-Letta-V1-Agent-Message-Async',
      'X-Experimental-Modal-Sandbox',
      'X-Experimental-Auto-Mode',
    ],
    foreign: { line: 'GET /v1/agents/', headers: ['user_id: beta'] },
    unknown: '/latest/agents/',
    refused: [
      [
        'another spelling of the header',
        { line: 'GET /v1/agents/', headers: ['user_id: alpha', 'user-id: beta'] },
        400,
      ],
      ['an id without a user', { line: 'GET /v1/agents/agent-1', headers: ['user_id: alpha'] }, 403],
      ['no user', { line: 'GET /v1/agents/' }, 400],
    ],
  },
  langgraph: {
    own: { line: 'GET /store/items?namespace=alpha.notes&key=k' },
    target: '/store/items?namespace=alpha.notes&key=k',
    foreign: { line: 'GET /store/items?namespace=beta.notes&key=k' },
    unknown: '/threads',
    refused: [
      ['an empty prefix, which is all', { line: 'POST /store/items/search', body: { namespace_prefix: [] } }, 403],
      ['no prefix, which is all', { line: 'POST /store/items/search', body: {} }, 403],
      ['a suffix alone', { line: 'POST /store/namespaces', body: { suffix: ['alpha'] } }, 403],
      [
        'another namespace',
        { line: 'PUT /store/items', body: { namespace: ['beta', 'alpha'], key: 'k', value: {} } },
        403,
      ],
      ['a label that matches any', { line: 'POST /store/namespaces', body: { prefix: ['*'] } }, 400],
    ],
  },
  'mcp-memory': {
    space: 'default',
    own: call('read_graph', {}),
    target: '/mcp',
    unknown: '/sse',
    refused: [
      ['a tool that is not listed', call('drop_everything', {}), 403],
      ['a batch', { ...call('read_graph', {}), body: [] }, 400],
    ],
  },
  'basic-memory': {
    space: 'main',
    own: call('read_note', { identifier: 'n', project: 'main' }),
    target: '/mcp',
    opens: ['X-Basic-Memory-Workspace-Slug', 'X-Basic-Memory-Workspace-Type'],
    unknown: '/v2/projects/main',
    refused: [
      ['another project', call('read_note', { identifier: 'n', project: 'beta' }), 400],
      ['a project by its UUID', call('search_notes', { query: 'q', project_id: uuid }), 400],
      ['every project', call('search_notes', { query: 'q', search_all_projects: true }), 400],
      ['a project that is made', call('create_memory_project', { project_name: 'x' }), 403],
    ],
  },
  'graphiti-mcp': {
    own: call('search_nodes', { query: 'q', group_ids: 'alpha' }),
    target: '/mcp',
    foreign: call('search_nodes', { query: 'q', group_ids: ['beta'] }),
    unknown: '/sse',
    refused: [
      ['a group that the server reads as none', call('add_memory', { group_id: 'null', name: 'n' }), 400],
      ['the same where a list may stand', call('search_nodes', { query: 'q', group_ids: 'null' }), 400],
      ['an empty list, which is all', call('search_memory_facts', { query: 'q', group_ids: [] }), 403],
      ['no group, which is one that nobody told', call('get_episodes', {}), 400],
      ['one group more', call('get_episodes', { group_ids: ['alpha', 'beta'] }), 403],
      ['an episode of another group', call('add_memory', { group_id: 'alpha', name: 'n', uuid }), 400],
      [
        'a saga that goes on from an episode of another group',
        call('add_memory', { group_id: 'alpha', name: 'n', saga: 's', saga_previous_episode_uuid: uuid }),
        400,
      ],
      ['the saga of another group', call('summarize_saga', { saga_name: 's', group_id: 'beta' }), 403],
      ['a saga of no group', call('summarize_saga', { saga_name: 's' }), 400],
      ['a saga by its id', call('summarize_saga', { saga_name: 's', group_id: 'alpha', saga_id: uuid }), 400],
      ['an id without a group', call('delete_episode', { uuid }), 403],
    ],
  },
  generic: {
    own: { line: 'POST /api/a/b', headers: ['X-Memory-Space: alpha'], body: { text: 'x' } },
    target: '/api/a/b',
    carriers: ['x-memory-space: alpha'],
    foreign: { line: 'POST /api/a/b', headers: ['X-Memory-Space: beta'], body: {} },
    unknown: '/other',
    refused: [
      [
        'another space in the body',
        { line: 'PUT /api/a', headers: ['X-Memory-Space: alpha'], body: { space: 'beta' } },
        400,
      ],
      ['no space', { line: 'GET /api/a' }, 400],
    ],
  },
};

const carrierHeaders =
  /^(?:x-memory-space(?:-id)?|x-engram-memory-space|x-soma-(?:tenant|namespace)|x-koryphaios-project|user_id): /;
/** A tool of a profile is a route of its own. */
const toolRoute = /^mcp\.tools\.call\.[a-z_]+$/;
const permissions = ['MemoryRead', 'MemoryWrite', 'MemoryDelete', 'SpaceList'];
const program = await startProgram(t);
const spaces = [...new Set(['alpha', 'beta', ...Object.values(servers).flatMap(({ space }) => space ?? [])])];
const keys = new Map(
  await Promise.all(
    spaces.map(
      async (space, at) => [space, await makeKey(`p${String(at)}`, { spaces: [space], permissions })] as const,
    ),
  ),
);
await program.writeManifest([...keys.values()]);

/** The bytes of a request as the key of a space. */
function bytes({ line, headers = [], body }: Ask, space: string): string {
  const text = body === undefined ? '' : JSON.stringify(body);
  const framing = body === undefined ? '' : `${J}Content-Length: ${String(Buffer.byteLength(text))}\r\n`;
  const lines = headers.map((header) => `${header}\r\n`).join('');
  return `${line} HTTP/1.1\r\n${H}Authorization: Bearer ${keys.get(space)?.text ?? ''}\r\n${lines}${framing}\r\n${text}`;
}

async function passes(c: Case, server: Server): Promise<void> {
  const { own, target, carriers = [], space = 'alpha' } = server;
  const opens = ['X-Auth-Scheme', ...(server.opens ?? [])];
  const ask = { ...own, headers: [...(own.headers ?? []), ...opens.map((name) => `${name}: langsmith`)] };
  const got = await c.passes('in its own space', bytes(ask, space));
  c.t.equal(got.target, target, 'the target');
  c.t.strictSame(
    got.headers.map(([key, value]) => `${key.toLowerCase()}: ${value}`).filter((header) => carrierHeaders.test(header)),
    carriers,
    'one canonical carrier, and no other',
  );
  for (const name of opens)
    c.t.strictSame(got.values(name.toLowerCase()), [], `nothing that opens the server: ${name}`);
}

await t.test('each profile, through the running program', async (t) => {
  for (const [name, server] of Object.entries(servers)) {
    await program.writeConfig({ profile: name });
    const reloaded = await program.reload();
    t.equal(reloaded.status, 200, JSON.stringify(reloaded.body));
    const allow = { good: null, routes: toolRoute };
    await wireCase(t, program, { name: `SP profile ${name}`, allow }, async (c) => {
      const { space = 'alpha' } = server;
      await passes(c, server);
      const foreign = server.foreign === undefined ? bytes(server.own, 'beta') : bytes(server.foreign, space);
      await c.refused('a foreign space', foreign, { status: 403 });
      await c.refused('a route that is none', bytes({ line: `GET ${server.unknown}` }, space), { status: 404 });
      for (const [what, ask, status] of server.refused) await c.refused(what, bytes(ask, space), { status });
    });
  }
});

t.test('every profile has its requests here', async (t) => {
  const files = readdirSync(join(root, 'config', 'profiles')).map((file) => file.replace(/\.yaml$/, ''));
  t.strictSame(Object.keys(servers).sort(), files.sort());
});

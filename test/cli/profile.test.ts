import { execFile } from 'node:child_process';
import { join } from 'node:path';
import t from 'tap';
import { entry, freshBuild } from '../wire/support/build.js';

await freshBuild();

interface Ended {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

const profile = (...args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(process.execPath, [entry, 'profile', ...args], { timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? null), stdout, stderr });
    });
  });

const json = ({ stdout }: Ended): unknown => JSON.parse(stdout);

t.test('profile list', async (t) => {
  t.match(await profile('list'), { code: 0, stdout: /^NAME +SERVER +ROUTES.*\n(?:.*\n)*engram /, stderr: '' });
  const rows = json(await profile('list', '--format', 'json')) as { name: string; routes: number }[];
  t.ok(rows.some(({ name, routes }) => name === 'engram' && routes > 40));
});

t.test('profile show, routes', async (t) => {
  t.match(await profile('routes', 'mcp-memory'), {
    code: 0,
    stdout: /^mcp\.tools\.call\.read_graph +tools\/call read_graph /m,
  });
  t.match(await profile('show', 'engram'), { code: 0, stdout: /^side doors +50051 \(gRPC\)/m });
  t.match(json(await profile('show', 'engram', '--format', 'json')), { name: 'engram', space: { unknown: 'refuse' } });
  t.match(await profile('routes', 'engram'), {
    code: 0,
    stdout: /^spaces\.create +POST \/api\/v1\/spaces +space:create +SpaceCreate +body:id +refuse +-$/m,
  });
  t.match(json(await profile('routes', 'engram', '--format', 'json')), [{ id: String, match: String, notes: Array }]);
  t.match(await profile('show', 'nosuch'), { code: 1, stdout: '', stderr: /nosuch: is none of the profiles/ });
});

const small = `name: small
space: { pattern: '^[a-z]{1,8}$', absent: refuse, unknown: free, carriers: [] }
denied: [{ match: '* /admin', why: not for callers }]
routes: []
`;

t.test('profile check', async (t) => {
  const dir = t.testdir({ 'small.yaml': small, 'bad.yaml': small.replace('[a-z]', 'a-z').replace('free', 'maybe') });
  t.match(await profile('check', join(dir, 'small.yaml')), {
    code: 0,
    stdout: /good: it has no route, so every request is denied/,
  });
  t.match(await profile('check', 'engram'), {
    code: 0,
    stdout: /profile engram is good: \d+ routes, \d+ of them for keys of every space only\n/,
  });
  t.match(json(await profile('check', join(dir, 'small.yaml'), '--format', 'json')), { ok: true, routes: 0 });
  t.match(await profile('check', join(dir, 'bad.yaml')), {
    code: 1,
    stdout: '',
    stderr: /bad\.yaml:2:\d+: space\.pattern: .*\n.*bad\.yaml:2:\d+: space\.unknown: .*must be one of refuse, free/,
  });
  t.match(json(await profile('check', join(dir, 'bad.yaml'), '--format', 'json')), {
    ok: false,
    problems: [/2:\d+/, /2:\d+/],
  });
  t.match(await profile('show', join(dir, 'small.yaml')), { stdout: /^DENIED +WHY\n\* \/admin +not for callers/m });
});

t.test('profile init', async (t) => {
  const get = { parameters: [{ in: 'query', name: 'user_id', schema: { type: 'string' } }] };
  const document = { openapi: '3.1.0', paths: { '/memories': { get }, '/reset': { post: {} } } };
  const dir = t.testdir({ 'openapi.json': JSON.stringify(document) });
  const made = await profile('init', '--openapi', join(dir, 'openapi.json'), '--name', 'mine');
  t.match(made, { code: 0, stdout: /^name: mine$/m, stderr: /^2 operations: 1 allowed .*, 1 left out/ });
  t.match(made.stdout, /match: "GET \/memories"\n(?:.*\n){3} +space: \['query:user_id'\]/);
  t.match(made.stdout, /^# "reset" in the path is .*\n# {2}- id: reset\.post$/m);
  t.match(await profile('init', '--openapi', join(dir, 'none.json')), {
    code: 1,
    stdout: '',
    stderr: /does not exist/,
  });
  t.match(await profile('init'), { code: 2 });
});

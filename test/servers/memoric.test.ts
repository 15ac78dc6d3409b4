import { createHmac, randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { startProgram } from '../wire/support/program.js';
import { send, type Answer } from '../wire/support/wire.js';
import { startServer } from './support/process.js';
import { tapLine } from './support/line-tap.js';

const python = resolve('.cache/servers/memoric/bin/python');
if (!existsSync(python)) throw new Error('Memoric is not installed: npm run test:servers -- memoric');

/** The real program, on a port of its own choice. */
const runner = `
import os, socket, uvicorn
from memoric.api import create_app
from memoric.core.memory_manager import Memoric
memoric = Memoric(overrides={"storage": {"tiers": [{"name": "long_term", "dsn": "sqlite:///" + os.environ["MEMORIC_DB"]}]}})
memoric.initialize()
line = socket.socket()
line.bind(("127.0.0.1", 0))
print("port", line.getsockname()[1], flush=True)
uvicorn.Server(uvicorn.Config(create_app(mem=memoric, enable_auth=True))).run(sockets=[line])
`;
const secret = randomBytes(32).toString('hex');
const dir = t.testdir({ 'run.py': runner, secret: `${secret}\n` });
const server = await startServer(t, {
  program: python,
  args: ['run.py'],
  cwd: dir,
  env: { MEMORIC_DB: join(dir, 'memoric.db'), MEMORIC_JWT_SECRET: secret },
  port: /port (\d+)[^]*startup complete/,
});
const line = await tapLine(t, server);
const upstream = {
  url: `http://127.0.0.1:${line.port}`,
  credential: { mint: { secret: { from_file: join(dir, 'secret') } } },
};
const program = await startProgram(t, {
  config: { profile: resolve('config/profiles/memoric.yaml'), upstream },
  warm: false,
});

interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>> | readonly (readonly [string, string])[];
  readonly body?: unknown;
  readonly port?: number;
}

async function ask(target: string, { method = 'GET', headers = {}, body, port = program.port }: Ask): Promise<Answer> {
  const text = body === undefined ? '' : JSON.stringify(body);
  const pairs: readonly (readonly [string, string])[] = Array.isArray(headers) ? headers : Object.entries(headers);
  const lines = pairs.map(([name, value]) => `${name}: ${value}\r\n`).join('');
  const framing =
    body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`;
  const { answers } = await send(
    port,
    `${method} ${target} HTTP/1.1\r\nHost: memory.example\r\n${lines}${framing}\r\n${text}`,
    {
      timeoutMs: 15_000,
    },
  );
  const [answer] = answers;
  if (answer === undefined) throw new Error(`no answer to ${method} ${target}`);
  return answer;
}

const as = (
  name: 'KA' | 'KB' | 'KALL' | 'KADM',
  more: Readonly<Record<string, string>> = {},
): Record<string, string> => ({
  Authorization: `Bearer ${program.keys[name].text}`,
  ...more,
});

/** A token as anybody makes it who has the secret. */
function forged(claims: object): string {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(claims)}`;
  return `Bearer ${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`;
}

const inAnHour = Math.floor(Date.now() / 1_000) + 3_600;
const users = (answer: Answer): readonly string[] =>
  [...new Set((answer.json() as { user_id: string }[]).map(({ user_id: user }) => user))].sort();
const texts = (answer: Answer): string => answer.body.toString('utf8');

interface Upstreamed {
  readonly head: readonly string[];
  readonly target: string;
  readonly authorization: readonly string[];
  readonly claims: Readonly<Record<string, unknown>>;
}

/** The one request that has gone to Memoric since the last look. */
function upstreamed(): Upstreamed {
  const head = (line.taken().split('\r\n\r\n')[0] ?? '').split('\r\n');
  const values = (name: string): string[] =>
    head.filter((text) => text.toLowerCase().startsWith(`${name}:`)).map((text) => text.slice(name.length + 1).trim());
  const authorization = values('authorization');
  const claims = (authorization[0] ?? '').split('.')[1] ?? '';
  return {
    head,
    target: head[0]?.split(' ')[1] ?? '',
    authorization,
    claims: JSON.parse(Buffer.from(claims, 'base64url').toString() || '{}'),
  };
}

t.test('two users write, and neither sees what the other wrote', async (t) => {
  for (const [name, space] of [
    ['KA', 'alpha'],
    ['KB', 'beta'],
  ] as const) {
    const stored = await ask('/memories', {
      method: 'POST',
      headers: as(name),
      body: { content: `secret of ${space}` },
    });
    t.equal(stored.status, 200, `${name} writes`);
    t.equal(upstreamed().claims['sub'], space, 'as the space of the key, which was not named');
  }
  for (const [name, own, foreign] of [
    ['KA', 'alpha', 'beta'],
    ['KB', 'beta', 'alpha'],
  ] as const) {
    for (const more of [{}, { 'X-Memory-Space': own }]) {
      const listed = await ask('/memories', { headers: as(name, more) });
      t.equal(listed.status, 200);
      t.strictSame(users(listed), [own], `${name} sees its own`);
      t.match(texts(listed), new RegExp(`secret of ${own}`));
      t.notMatch(texts(listed), new RegExp(`secret of ${foreign}`));
    }
    t.equal(
      (await ask(`/memories?user_id=${own}`, { headers: as(name) })).status,
      200,
      'naming itself changes nothing',
    );
  }
  const both = await ask('/memories', { headers: as('KALL', { 'X-Memory-Space': 'beta' }) });
  t.strictSame(users(both), ['beta'], 'a key for all spaces reads the one that it names');
});

t.test('the trap is real: an empty subject reads everybody, and roles open more', async (t) => {
  const everybody = await ask('/memories', {
    port: server,
    headers: { Authorization: forged({ sub: '', exp: inAnHour }) },
  });
  t.equal(everybody.status, 200);
  t.match(texts(everybody), /secret of alpha/);
  t.match(texts(everybody), /secret of beta/);
  const admin = forged({ sub: 'alpha', roles: ['admin'], exp: inAnHour });
  t.match(
    texts(await ask('/memories?user_id=beta', { port: server, headers: { Authorization: admin } })),
    /secret of beta/,
  );
});

t.test('an empty or blank subject is never minted', async (t) => {
  line.taken();
  for (const [name, request] of Object.entries({
    'an empty header': { target: '/memories', headers: as('KA', { 'X-Memory-Space': '' }) },
    'an empty query': { target: '/memories?user_id=', headers: as('KA') },
    'a blank query': { target: '/memories?user_id=%20', headers: as('KA') },
    'a no-break space': { target: '/memories?user_id=%C2%A0', headers: as('KA') },
    'an empty query of a key for all': { target: '/memories?user_id=', headers: as('KALL') },
    'no name, of a key for all': { target: '/memories', headers: as('KALL') },
    'the star, of a key for all': { target: '/memories?user_id=*', headers: as('KALL') },
  })) {
    t.equal((await ask(request.target, { headers: request.headers })).status, 400, name);
    t.equal(line.taken(), '', `${name}: nothing was forwarded`);
  }
});

t.test('what the caller says of itself never arrives', async (t) => {
  line.taken();
  const headers = as('KA', {
    'X-Memory-Space': 'alpha',
    'X-Forwarded-For': '203.0.113.9',
    Forwarded: 'for=203.0.113.9',
    'X-Real-IP': '203.0.113.9',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'evil.example',
    'X-Auth-Subject': 'root',
  });
  t.equal((await ask('/memories?limit=5', { headers })).status, 200);
  const sent = upstreamed();
  t.equal(sent.authorization.length, 1, 'one Authorization');
  t.notOk(sent.head.join('\n').includes(program.keys.KA.text), 'and not the caller’s');
  t.strictSame(Object.keys(sent.claims).sort(), ['exp', 'iat', 'sub'], 'no role, no audience');
  t.equal(sent.claims['sub'], 'alpha');
  t.ok(Number(sent.claims['exp']) - Number(sent.claims['iat']) <= 60, 'a short life');
  t.notMatch(sent.head.join('\n'), /203\.0\.113\.9|evil\.example|root|X-Memory-Space/i);
  t.match(
    sent.target,
    /^\/memories\?(?:limit=5&user_id=alpha|user_id=alpha&limit=5|limit=5)$/,
    'a user_id that is there is the decided one',
  );
  const own = await ask('/memories', { headers: { Authorization: forged({ sub: 'alpha', exp: inAnHour }) } });
  t.equal(own.status, 401, 'a token of Memoric’s own form opens nothing here');
});

t.test('a user_id that differs, or stands twice, is refused before anything is forwarded', async (t) => {
  line.taken();
  const foreign = as('KA');
  const refused: readonly (readonly [string, Ask, number])[] = [
    ['/memories?user_id=beta', { headers: foreign }, 403],
    ['/memories?user_id=alpha&user_id=beta', { headers: foreign }, 400],
    ['/memories?user_id=beta&user_id=alpha', { headers: foreign }, 400],
    ['/memories?user_id=alpha&user_id=alpha', { headers: foreign }, 400],
    ['/memories?user_id=alpha&%75ser_id=beta', { headers: foreign }, 400],
    ['/memories?user_id=beta', { headers: as('KA', { 'X-Memory-Space': 'alpha' }) }, 400],
    ['/clusters?user_id=beta', { headers: foreign }, 403],
    ['/memories', { headers: as('KA', { 'X-Memory-Space': 'beta' }) }, 403],
    ['/memories', { method: 'POST', headers: foreign, body: { content: 'x', user_id: 'beta' } }, 403],
    [
      '/memories',
      {
        method: 'POST',
        headers: as('KA', { 'X-Memory-Space': 'alpha' }),
        body: { content: 'x', user_id: 'beta' },
      },
      400,
    ],
    ['/memories?user_id=beta', { method: 'POST', headers: foreign, body: { content: 'x' } }, 403],
  ];
  for (const [target, request, status] of refused) {
    const { status: got } = await ask(target, request);
    t.equal(got, status, `${request.method ?? 'GET'} ${target}`);
    t.equal(line.taken(), '', 'nothing was forwarded');
  }
});

t.test('registration, login, audit and policies are no routes, for nobody', async (t) => {
  line.taken();
  for (const [method, target, status] of [
    ['POST', '/auth/register', 404],
    ['POST', '/auth/login', 404],
    ['POST', '/auth/logout', 404],
    ['GET', '/auth/me', 404],
    ['GET', '/audit/logs', 404],
    ['GET', '/audit/logs/user/alpha', 404],
    ['GET', '/audit/statistics', 404],
    ['POST', '/policies/run', 404],
    ['GET', '/docs', 404],
    ['GET', '/memories/', 404],
    ['GET', '//memories', 400],
    ['GET', '/%6demories', 400],
    ['GET', '/Memories', 404],
    ['DELETE', '/memories', 405],
  ] as const) {
    const answer = await ask(target, { method, headers: as('KALL'), ...(method === 'POST' && { body: {} }) });
    t.equal(answer.status, status, `${method} ${target}`);
    t.equal(line.taken(), '', 'nothing was forwarded');
  }
});

t.test('a redirect never shows where Memoric is', async (t) => {
  const text = await readFile('config/profiles/memoric.yaml', 'utf8');
  const route =
    '\n  - { id: redirected, match: GET /memories/, action: memory:read, permission: MemoryRead, class: content, space: [query:user_id] }\n';
  await writeFile(join(dir, 'redirecting.yaml'), text + route);
  const before = program.overrides;
  await program.writeConfig({ ...before, profile: join(dir, 'redirecting.yaml') });
  t.equal((await program.reload()).status, 200);
  const answer = await ask('/memories/', { headers: as('KA') });
  t.equal(answer.status, 307, 'Memoric redirects');
  t.match(answer.header('location'), /^\/memories(?:\?user_id=alpha)?$/, 'to a path of our own');
  t.notMatch(JSON.stringify(answer.headers), new RegExp(`127\\.0\\.0\\.1|${line.port}|${server}`));
  await program.writeConfig(before);
  t.equal((await program.reload()).status, 200);
});

t.test('a new secret on both sides needs no restart of ours; a wrong one is the operator’s concern', async (t) => {
  await writeFile(join(dir, 'secret'), randomBytes(32).toString('hex'));
  let status = 200;
  for (let i = 0; i < 60 && status === 200; i += 1) {
    await sleep(100);
    ({ status } = await ask('/memories', { headers: as('KA') }));
  }
  t.equal(status, 502, 'Memoric refuses what is signed with another secret');
  await writeFile(join(dir, 'secret'), secret);
  for (let i = 0; i < 60 && status !== 200; i += 1) {
    await sleep(100);
    ({ status } = await ask('/memories', { headers: as('KA') }));
  }
  t.equal(status, 200, 'and takes the right one again');
});

t.test('what Memoric repeats of a wrong body goes to the caller, and into nothing that we write', async (t) => {
  const body = { content: { deep: 'hunter2-hunter2' } };
  const answer = await ask('/memories', { method: 'POST', headers: as('KA'), body });
  t.equal(answer.status, 422);
  t.match(texts(answer), /hunter2/, 'Memoric repeats it');
  const written = { log: program.stderr, audit: program.audit.textSince(0), metrics: await program.metrics() };
  for (const [place, text] of Object.entries(written)) t.notMatch(text, /hunter2/, `not in the ${place}`);
});

t.test('no secret and no token is in anything that we write', async (t) => {
  const { answers } = await send(
    program.port,
    `GET /memories HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${program.keys.KA.text}\r\n\r\n`,
  );
  t.equal(answers[0]?.status, 200);
  const token = upstreamed().authorization[0]?.replace('Bearer ', '') ?? '';
  const written = { log: program.stderr, audit: program.audit.textSince(0), metrics: await program.metrics() };
  for (const [place, text] of Object.entries(written))
    for (const hidden of [secret, token, token.split('.')[2] ?? '', program.keys.KA.secret])
      t.notOk(hidden === '' || text.includes(hidden), `not in the ${place}`);
});

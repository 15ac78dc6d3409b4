// Servers that believe a header, or want a credential of their own. Each plays the one rule of the real server that makes the trap,
// and each trap is first shown to be one: through a proxy that passes everything on.
import { randomBytes } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { passThrough } from './support/pass-through.js';
import { root } from './support/build.js';
import { startProgram, type Program } from './support/program.js';
import { send, type Answer } from './support/wire.js';

interface Said {
  readonly status: number;
  readonly body: string;
}

interface Played {
  readonly port: number;
  /** Requests since the last look. */
  seen(): readonly IncomingMessage[];
}

/** A server of one rule. */
async function play(t: Test, rule: (request: IncomingMessage) => Said): Promise<Played> {
  let seen: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    seen.push(request);
    const { status, body } = rule(request);
    request.resume().on('end', () => response.writeHead(status, { 'Content-Type': 'application/json' }).end(body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  return {
    port: (server.address() as AddressInfo).port,
    seen: () => {
      const all = seen;
      seen = [];
      return all;
    },
  };
}

const secret = randomBytes(24).toString('base64url');
const program = await startProgram(t, {
  config: { upstream: { credential: { from_env: 'UPSTREAM_SECRET' } } },
  env: { UPSTREAM_SECRET: secret },
});

/** Puts the program in front of a server. */
async function infront(server: Played, profile: string): Promise<void> {
  await program.writeConfig({
    profile,
    upstream: { url: `http://127.0.0.1:${server.port}`, credential: { from_env: 'UPSTREAM_SECRET' } },
  });
  const { status, body } = await program.reload();
  if (status !== 200) throw new Error(JSON.stringify(body));
}

const profileFile = (name: string): string => join(root, 'config', 'profiles', `${name}.yaml`);

interface Ask {
  readonly method?: string;
  readonly lines?: readonly string[];
  readonly body?: string;
  /** Where the caller is. */
  readonly from?: string;
}

async function ask(
  port: number,
  target: string,
  { method = 'GET', lines = [], body = '', from }: Ask,
): Promise<Answer> {
  const framing = body === '' ? [] : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(body)}`];
  const head = [`${method} ${target} HTTP/1.1`, 'Host: localhost', ...lines, ...framing].join('\r\n');
  const { answers } = await send(port, `${head}\r\n\r\n${body}`, from === undefined ? {} : { localAddress: from });
  const [answer] = answers;
  if (answer === undefined) throw new Error(`no answer to ${method} ${target}`);
  return answer;
}

const key = (of: Program, name: 'KA' | 'KALL'): string => `Authorization: Bearer ${of.keys[name].text}`;
const caller = '127.0.0.5';

t.test('Koryphaios makes a session for whoever says that it is local (row 7)', async (t) => {
  const isLocal = (text: string): boolean => text === '' || /^(?:127\.0\.0\.1|192\.168\.|10\.|172\.)/.test(text);
  const server = await play(t, ({ url, method, headers }) => {
    if (method !== 'POST' || url !== '/api/auth/session') return { status: 200, body: '[]' };
    const [first = ''] = String(headers['x-forwarded-for'] ?? '').split(',');
    return isLocal(first.trim()) ? { status: 200, body: '{"permissions":["*"]}' } : { status: 403, body: '{}' };
  });
  const bare = await passThrough(t, server.port);
  const tricks = [[], ['X-Forwarded-For: 127.0.0.1'], ['X-Forwarded-For: 127.0.0.1, 8.8.8.8']];
  for (const lines of tricks) {
    const { status } = await ask(bare, '/api/auth/session', { method: 'POST', lines, from: caller });
    t.equal(status, 200, `the trap is one: ${lines.join() || 'no header'}`);
  }
  server.seen();

  await infront(server, profileFile('koryphaios'));
  for (const name of ['KA', 'KALL'] as const)
    for (const lines of tricks) {
      const answer = await ask(program.port, '/api/auth/session', {
        method: 'POST',
        lines: [key(program, name), ...lines],
        from: caller,
      });
      t.equal(answer.status, 404, `${name}: no such route`);
    }
  t.equal(server.seen().length, 0, 'and nothing arrives');

  // Even where an operator lists the route: the header is always there, once, and says who really calls.
  const text = await readFile(profileFile('koryphaios'), 'utf8');
  const careless = join(program.dir, 'careless.yaml');
  const withoutDenied = text.replace(/ {2}- match: '\* \/api\/auth\/\{\*rest\}'\n.*\n/, '');
  await writeFile(
    careless,
    `${withoutDenied}\n  - { id: careless, match: POST /api/auth/session, action: auth:session, permission: MemoryRead, class: metadata, space: NONE }\n`,
  );
  await infront(server, careless);
  for (const lines of [...tricks, ['Forwarded: for=127.0.0.1', 'X-Real-IP: 127.0.0.1']]) {
    const answer = await ask(program.port, '/api/auth/session', {
      method: 'POST',
      lines: [key(program, 'KALL'), ...lines],
      from: caller,
    });
    t.equal(answer.status, 403, `no session: ${lines.join() || 'no header'}`);
    const [request] = server.seen();
    t.equal(request?.headers['x-forwarded-for'], caller, 'the address that really called');
    t.equal(request?.headers['x-real-ip'], undefined);
    t.equal(request?.headers.forwarded, undefined);
  }
});

t.test('LangGraph leaves its own authentication when a header says so (row 7)', async (t) => {
  const server = await play(t, ({ headers }) => {
    if (headers['x-auth-scheme'] === 'langsmith') return { status: 200, body: '{"user":"langgraph-studio-user"}' };
    return headers.authorization === `Bearer ${secret}`
      ? { status: 200, body: '{"user":"memgate"}' }
      : { status: 401, body: '{}' };
  });
  const bare = await passThrough(t, server.port);
  const item = '{"namespace":["alpha"],"key":"k","value":{}}';
  const trick = 'x-auth-scheme: langsmith';
  const open = await ask(bare, '/store/items', { method: 'PUT', lines: [trick], body: item });
  t.match(open.body.toString(), /studio/, 'the trap is one: no credential at all');
  server.seen();

  await infront(server, profileFile('langgraph'));
  const put = (lines: readonly string[]): Promise<Answer> =>
    ask(program.port, '/store/items', { method: 'PUT', lines, body: item });
  t.equal((await put([trick])).status, 401, 'it is no credential here');
  t.equal(server.seen().length, 0);
  const known = await put([key(program, 'KA'), trick]);
  t.equal(known.body.toString(), '{"user":"memgate"}', 'who is known goes as the one that we are');
  const [request] = server.seen();
  t.equal(request?.headers['x-auth-scheme'], undefined, 'the header never arrives');
  t.strictSame(request?.rawHeaders.filter((text) => text.toLowerCase() === 'authorization').length, 1);
  for (const line of ['X_Auth_Scheme: langsmith', 'X-Auth_Scheme: langsmith'])
    t.equal((await put([key(program, 'KA'), line])).status, 400, `nor in another spelling: ${line}`);
  t.equal(server.seen().length, 0);
});

t.test('mem0 wants one key for everybody, and a proxy shows it that of the caller (row 14)', async (t) => {
  const server = await play(t, ({ headers }) =>
    headers['x-api-key'] === secret ? { status: 200, body: '[]' } : { status: 401, body: '{}' },
  );
  const bare = await passThrough(t, server.port);
  const through = await ask(bare, '/memories?user_id=alpha', { lines: [key(program, 'KA')] });
  t.equal(through.status, 401, 'the trap is one: it knows nobody');
  t.equal(server.seen()[0]?.headers.authorization, `Bearer ${program.keys.KA.text}`, 'and is shown the caller’s own');

  await infront(server, profileFile('mem0'));
  const answer = await ask(program.port, '/memories?user_id=alpha', { lines: [key(program, 'KA')] });
  t.equal(answer.status, 200);
  const [request] = server.seen();
  t.equal(
    request?.headers['x-api-key'],
    secret,
    'ours, under the name that the profile knows, without a word before it',
  );
  t.equal(request?.headers.authorization, undefined, 'and never the caller’s');
  t.equal((await ask(program.port, '/memories?user_id=alpha', { lines: [`X-API-Key: ${secret}`] })).status, 401);
});

t.test('a server is told who calls under the names that its profile gives', async (t) => {
  const server = await play(t, () => ({ status: 200, body: '{}' }));
  const text = await readFile(profileFile('mem0'), 'utf8');
  const own = join(program.dir, 'own-names.yaml');
  const names =
    'identity_headers: { X-User: subject, X-Kind: subject_kind, X-Owner: owner, X-Key: key_id, X-Tenant: space, X-Tenants: spaces, X-Ref: request_id, X-Channel: { fixed: memgate } }\n';
  await writeFile(own, text.replace(/^routes:/m, `${names}routes:`));
  await infront(server, own);
  const lines = [key(program, 'KA'), 'X-User: root', 'X-Tenant: beta', 'X-Channel: other'];
  const answer = await ask(program.port, '/memories?user_id=alpha', { lines });
  t.equal(answer.status, 200);
  const [request] = server.seen();
  const { id, entry } = program.keys.KA;
  const wanted = {
    'x-user': id,
    'x-kind': 'api_key',
    'x-owner': String(entry['owner']),
    'x-key': id,
    'x-tenant': 'alpha',
    'x-tenants': 'alpha',
    'x-ref': answer.header('x-request-id'),
    'x-channel': 'memgate',
  };
  const sent = request?.rawHeaders ?? [];
  for (const [name, value] of Object.entries(wanted)) {
    const values = sent.filter((_, at) => at % 2 === 1 && sent[at - 1]?.toLowerCase() === name);
    t.strictSame(values, [value], `exactly one ${name}`);
  }
  const all = await ask(program.port, '/memories', { lines: [key(program, 'KALL')] });
  t.equal(all.status, 200);
  const everybody = server.seen()[0]?.headers;
  t.equal(everybody?.['x-tenant'], undefined, 'all spaces are not one');
  t.equal(everybody?.['x-tenants'], '*');
  for (const line of ['X_User: root', 'X-User: a\r\nX-User: b'])
    t.equal(
      (await ask(program.port, '/memories?user_id=alpha', { lines: [key(program, 'KA'), line] })).status,
      400,
      line,
    );
  t.equal(server.seen().length, 0);

  for (const [name, why] of [
    ['X-Memory-Space', /identity_headers: "X-Memory-Space" is a carrier/],
    ['Host', /identity_headers: "Host" is a carrier, a trust header or a name of HTTP/],
    ['X-Auth-Subject', /identity_headers\.subject: "X-Auth-Subject" is one of the profile's/],
    ['X-API-Key', /upstream\.credential\.header: "X-API-Key" is one of the profile's/],
  ] as const) {
    await writeFile(own, text.replace(/^routes:/m, `identity_headers: { ${name}: subject }\nroutes:`));
    const { status, body } = await program.reload();
    t.equal(status, 422, name);
    t.match((body.problems as string[]).join('\n'), why);
  }
});

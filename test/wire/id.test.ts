import { randomBytes } from 'node:crypto';
import t from 'tap';
import { namesOf } from './support/bytes.js';
import { H, SA, wireCase } from './support/cases.js';
import type { Allowances } from './support/invariants.js';
import { startProgram } from './support/program.js';
import { answers } from './support/recorder.js';
import { send } from './support/wire.js';

const secret = randomBytes(24).toString('base64url');
const program = await startProgram(t, {
  config: { upstream: { credential: { from_env: 'UPSTREAM_TOKEN' } } },
  env: { UPSTREAM_TOKEN: secret },
});
const allow: Allowances = { credential: { header: 'authorization', value: `Bearer ${secret}` } };

await wireCase(t, program, { name: 'ID-01 X-Auth-Subject of the client', allow }, async (c) => {
  const ours = { 'X-Auth-Subject': program.keys.KA.id, 'X-Auth-Key-Id': program.keys.KA.id, 'X-Auth-Spaces': 'alpha' };
  for (const [name, value] of Object.entries(ours)) {
    const passed = await c.passes(name, c.goodWith(`${name}: root\r\n`));
    c.t.strictSame(passed.values(name), [value], 'exactly one, and it is ours');
    c.t.notMatch(JSON.stringify(passed.headers), /root/);
    await c.refused(`${name} twice`, c.goodWith(`${name}: root\r\n${name}: admin\r\n`), { status: 400 });
  }
  const plain = await c.passes('none', c.good);
  for (const [name, value] of Object.entries(ours)) c.t.strictSame(plain.values(name), [value]);
});

await wireCase(t, program, { name: 'ID-02 other spellings of it', allow }, async (c) => {
  for (const name of [
    'x_auth_subject',
    'X.Auth.Subject',
    'X-Auth_Subject',
    "X'Auth'Subject",
    'X_Memory_Space',
    'x_api_key',
    'X~Forwarded~For',
    'content_length',
    'Transfer_Encoding',
    'x_request_id',
  ]) {
    await c.refused(name, c.goodWith(`${name}: root\r\n`), { status: 400, code: 'gate.header' });
  }
});

await wireCase(t, program, { name: 'ID-04 no header opens anything', allow }, async (c) => {
  const lines = [
    'X-Auth-Subject: root',
    'X-Internal: 1',
    'User-Agent: kube-probe/1.30',
    'User-Agent: GoogleHC/1.0',
    'X-Auth-Scheme: langsmith',
    'X-Forwarded-For: 127.0.0.1',
    'X-Middleware-Subrequest: 1',
    'Proxy-Authorization: Bearer x',
    'Cookie: session=x',
    'X-Original-URL: /health',
  ];
  for (const line of lines)
    await c.refused(line, `GET /api/v1/memories/recall?q=x HTTP/1.1\r\n${H}${line}\r\n${SA}\r\n`, { status: 401 });
  await c.refused(
    'a key in the query',
    `GET /api/v1/memories/recall?api_key=${program.keys.KA.text} HTTP/1.1\r\n${H}${SA}\r\n`,
    { status: 401 },
  );
});

await wireCase(
  t,
  program,
  { name: 'ID-08 probes have a listener of their own', allow: { ...allow, probes: true } },
  async (c) => {
    for (const path of ['/health', '/ready', '/metrics']) {
      await c.refused(`${path} on the gateway`, `GET ${path} HTTP/1.1\r\n${H}\r\n`, { status: 401 });
      const { answers: got } = await send(program.probesPort, `GET ${path} HTTP/1.1\r\n${H}\r\n`);
      c.t.equal(got[0]?.status, 200, `${path} on the listener for probes`);
    }
    await c.refused('/ready with a key', c.get('/ready'), { status: 404 });
    for (const path of ['/-/reload', '/health/detailed', '/api/v1/keys', '/api/v1/memories/recall']) {
      const { answers: got } = await send(program.probesPort, `GET ${path} HTTP/1.1\r\n${H}${c.key('KADM')}\r\n`);
      c.t.equal(got[0]?.status, 404, `${path} is nothing there`);
    }
  },
);

await wireCase(t, program, { name: 'ID-10 an upstream that echoes', allow }, async (c) => {
  c.recorder.script({
    request: (request, reply) => {
      const body = JSON.stringify(request.headers);
      const echoed = request.values('authorization')[0] ?? '';
      reply.write(
        `HTTP/1.1 200 OK\r\nAuthorization: ${echoed}\r\nX-API-Key: ${secret}\r\nX-Auth-Subject: root\r\nX-Request-Id: theirs\r\nX-Note: y\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
      );
    },
  });
  const passed = await c.passes('echo', c.good);
  const [answer] = c.exchanges.at(-1)?.answers ?? [];
  for (const name of ['authorization', 'x-api-key', 'x-auth-subject'])
    c.t.equal(answer?.header(name), undefined, `${name} does not come back`);
  c.t.equal(answer?.header('x-request-id'), passed.id, 'X-Request-Id is ours');
  c.t.equal(answer?.header('x-note'), 'y', 'the rest passes');
  c.t.notOk(answer?.body.includes(program.keys.KA.text), 'the client’s credential was never there');
  c.t.ok(namesOf(passed).includes('authorization'), 'ours was');
});

await wireCase(t, program, { name: 'ID-10 an upstream that refuses our credential', allow }, async (c) => {
  c.recorder.script({
    request: answers.raw(
      'HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm="memory"\r\nContent-Length: 0\r\n\r\n',
    ),
  });
  const { answers: got } = await c.send(c.good);
  c.t.equal(got[0]?.status, 502, 'is no concern of the client');
  c.t.equal(got[0]?.header('www-authenticate'), undefined);
});

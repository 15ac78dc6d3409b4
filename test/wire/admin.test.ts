import t from 'tap';
import { H, SA, wireCase, type Case } from './support/cases.js';
import { keyNames } from './support/keys.js';
import { startProgram } from './support/program.js';
import { answers } from './support/recorder.js';
import { send, type Answer } from './support/wire.js';

const program = await startProgram(t);
const hashing = { hashes: true } as const;

/** Asks a listener. */
const ask = async (one: Case, port: number, line: string, headers = ''): Promise<Answer | undefined> =>
  (
    await one.send(`${line} HTTP/1.1\r\n${H}${headers}${line.startsWith('POST') ? 'Content-Length: 0\r\n' : ''}\r\n`, {
      port,
      head: line.startsWith('HEAD'),
    })
  ).answers[0];

const adminRoutes = ['GET /health/detailed', 'POST /-/reload'];

await wireCase(t, program, { name: 'AD-01', allow: { hashes: true, probes: true } }, async (one) => {
  const { adminPort } = program;
  for (const route of adminRoutes) {
    const status = async (headers: string): Promise<number | undefined> =>
      (await ask(one, adminPort, route, headers))?.status;
    one.t.equal(await status(''), 401, `${route} without a credential`);
    for (const name of ['KX', 'KV'] as const) one.t.equal(await status(one.key(name)), 401, `${route} with ${name}`);
    for (const name of ['KA', 'KR', 'KALL', 'ST'] as const)
      one.t.equal(await status(one.key(name)), 403, `${route} with ${name}`);
    one.t.equal(
      await status(`${one.key('KADM')}X-API-Key: ${program.keys.KADM.text}\r\n`),
      400,
      `${route} with two credentials`,
    );
    one.t.equal(await status(one.key('KADM')), 200, `${route} with KADM`);
  }
  const denied = await ask(one, adminPort, 'POST /-/reload', one.key('KA'));
  one.t.match(denied?.json(), { missing: ['AdminConfig'] }, 'a 403 names the missing permission');
  for (const route of [...adminRoutes, 'GET /ready', 'GET /-/reload', 'GET /status', 'GET /upstream/ready'])
    one.t.equal(
      (await ask(one, program.port, route, `${one.key('KADM')}${SA}`))?.status,
      404,
      `${route} is not on the gateway`,
    );
  const asked = one.forwarded.filter(({ target }) => target !== '/health/alive'); // which the details ask for
  one.t.strictSame(asked, [], 'nothing was forwarded');
});

await wireCase(
  t,
  program,
  { name: 'the operators’ listener has its own routes alone', allow: hashing },
  async (one) => {
    const { adminPort } = program;
    for (const line of [
      'GET /api/v1/memories/recall?q=x',
      'GET /health',
      'GET /metrics',
      'GET /',
      'GET /api/v1/spaces',
    ])
      one.t.equal((await ask(one, adminPort, line, one.key('KADM')))?.status, 404, line);
    const wrong = await ask(one, adminPort, 'GET /-/reload', one.key('KADM'));
    one.t.equal(wrong?.status, 405, 'another method');
    one.t.equal(wrong?.header('allow'), 'POST', 'says which one');
    one.t.equal(
      (await ask(one, adminPort, 'GET //health/detailed', one.key('KADM')))?.status,
      400,
      'the gate stands here too',
    );
    one.t.equal(one.forwarded.length, 0, 'nothing was forwarded');
  },
);

await wireCase(t, program, { name: 'what operators do is recorded before it is done', allow: hashing }, async (one) => {
  const answer = await ask(one, program.adminPort, 'POST /-/reload', one.key('KADM'));
  one.t.equal(answer?.status, 200);
  const id = answer?.header('x-request-id');
  const allowed = await program.audit.find(one.from.audit, (record) => record.id === id && record.effect === 'allow');
  const done = await program.audit.find(one.from.audit, ({ type }) => type === 'config.reloaded');
  one.t.match(done, { actor: 'api_key', actor_id: program.keys.KADM.id, client_address: '127.0.0.1' }, 'who did it');
  one.t.ok(allowed.seq < done.seq, 'in this order');
});

await wireCase(t, program, { name: 'a wish in a body is refused, not left unheard', allow: hashing }, async (one) => {
  const headers = `${one.key('KADM')}Content-Type: application/json\r\n`;
  for (const route of ['/-/reload', '/-/rollback']) {
    const body = '{"dry_run":true}';
    const head = `POST ${route} HTTP/1.1\r\n${H}${headers}Content-Length: ${body.length}\r\n\r\n`;
    const [answer] = (await one.send(`${head}${body}`, { port: program.adminPort })).answers;
    one.t.equal(answer?.status, 400, route);
    one.t.match(answer?.json(), { type: 'urn:memgate:refusal:resolve.body' }, route);
  }
  const records = program.audit.since(one.from.audit);
  one.t.notOk(
    records.some(({ type }) => type === 'config.reloaded'),
    'and nothing was reloaded',
  );
  const nothing = `POST /-/reload HTTP/1.1\r\n${H}${headers}Content-Length: 2\r\n\r\n{}`;
  one.t.equal((await one.send(nothing, { port: program.adminPort })).answers[0]?.status, 200, 'no wish at all');
});

await wireCase(t, program, { name: 'details tell no secret', allow: { hashes: true, probes: true } }, async (one) => {
  await one.passes('GOOD', one.good);
  const answer = await ask(one, program.adminPort, 'GET /health/detailed', one.key('KADM'));
  const text = answer?.body.toString() ?? '';
  one.t.match(
    answer?.json(),
    { generation: { enforcement: 'enforce', profile: 'engram' }, keys: 8, components: {} },
    'what runs',
  );
  for (const name of keyNames) {
    one.t.notOk(text.includes(program.keys[name].secret), `no secret of ${name}`);
    one.t.notOk(text.includes(String(program.keys[name].entry['hash'])), `no hash of ${name}`);
  }
  one.t.notOk(text.includes(program.dir), 'no path');
  one.t.equal(answer?.header('access-control-allow-origin'), undefined, 'no other origin may read it');
});

const states = ['/health', '/ready', '/upstream/live', '/upstream/ready'];

await t.test('ID-08 probes', async (t) => {
  const { recorder } = program;
  const status = async (line: string): Promise<number | undefined> =>
    (await send(program.probesPort, `${line} HTTP/1.1\r\n${H}\r\n`, { head: line.startsWith('HEAD') })).answers[0]
      ?.status;
  for (const path of [...states, '/metrics']) {
    t.equal(await status(`GET ${path}`), 200, `GET ${path} without a key`);
    t.equal(await status(`HEAD ${path}`), 200, `HEAD ${path}`);
    t.equal(await status(`POST ${path}`), 404, `POST ${path}`);
  }
  for (const path of [
    '/',
    '/health/detailed',
    '/-/reload',
    '/health/',
    '/healthz',
    '/api/v1/memories/recall',
    '//metrics',
    '/upstream',
  ])
    t.equal(await status(`GET ${path}`), 404, `GET ${path}`);
  for (const path of [...states, '/metrics']) {
    const [answer] = (await send(program.port, `GET ${path} HTTP/1.1\r\n${H}\r\n`)).answers;
    t.equal(answer?.status, 401, `GET ${path} is not open on the gateway`);
  }
  const asked = recorder.requests.filter(({ target }) => target === '/health/alive');
  t.ok(
    asked.length > 0 && asked.every(({ values }) => values('authorization').length === 0),
    'the upstream’s own health route is asked',
  );
  recorder.script({ request: answers.raw('HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n') });
  await program.audit.until(() => undefined, 1_100); // an answer is shared for a second
  const wanted = { '/health': 200, '/ready': 503, '/upstream/live': 503, '/upstream/ready': 503 };
  for (const [path, want] of Object.entries(wanted))
    t.equal(await status(`GET ${path}`), want, `${path} with a sick upstream`);
  recorder.script({});
  await program.audit.until(() => undefined, 1_100);
  t.equal(await status('GET /ready'), 200, 'and with a well one');
});

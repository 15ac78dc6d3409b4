import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { KeyName } from './support/keys.js';
import { json, ObjectsServer } from './support/objects-server.js';
import { startProgram } from './support/program.js';
import { send, type Answer } from './support/wire.js';

const common = { action: 'memory:read', permission: 'MemoryRead', class: 'content' };
const lookup = {
  param: 'id',
  form: '^m[0-9]{1,6}$',
  request: 'GET /memories/{id}',
  field: '/user_id',
  cache_ms: 2_000,
};
const byField = { space: 'UNSCOPED', object: { lookup } };
const write = { action: 'memory:write', permission: 'MemoryWrite', class: 'content' };
const list = { param: 'id', form: 'uuid', request: 'GET /tenants/{tenant}/collections', item: '/id' };
const profile = {
  name: 'objects-test',
  space: {
    pattern: '^[a-z0-9_-]{3,64}$',
    absent: 'refuse',
    unknown: 'free',
    carriers: [{ header: 'X-Space' }, { query: 'user_id' }],
  },
  routes: [
    { id: 'one.read', match: 'GET /memories/{id}', ...common, ...byField },
    { id: 'one.write', match: 'PUT /memories/{id}', ...write, ...byField },
    { id: 'one.delete', match: 'DELETE /memories/{id}', ...write, permission: 'MemoryDelete', ...byField },
    { id: 'one.deny', match: 'GET /raw/{id}', ...common, space: 'UNSCOPED', object: 'deny' },
    {
      id: 'one.checked',
      match: 'GET /history/{id}',
      ...common,
      space: ['header:X-Space'],
      object: { check_response: { field: '/user_id' } },
    },
    {
      id: 'many.checked',
      match: 'GET /related/{id}',
      ...common,
      space: ['header:X-Space'],
      object: { check_response: { list: '/results', field: '/user_id' } },
    },
    {
      id: 'many.filtered',
      match: 'GET /memories',
      ...common,
      space: 'NONE',
      filter: { list: '/results', field: '/user_id', keep: ['next'] },
    },
    { id: 'spaces.filtered', match: 'GET /spaces', ...common, space: 'NONE', filter: { field: '' } },
    {
      id: 'collections.count',
      match: 'GET /tenants/{tenant}/collections/{id}/count',
      ...common,
      space: ['path:tenant'],
      object: { lookup: list },
    },
    {
      id: 'collections.delete',
      match: 'DELETE /tenants/{tenant}/collections/{id}',
      ...common,
      permission: 'MemoryDelete',
      space: ['path:tenant'],
      object: { lookup: list },
    },
  ],
};

const file = join(t.testdir({}), 'profile.yaml');
writeFileSync(file, JSON.stringify(profile)); // JSON is YAML
const server = await ObjectsServer.start(t);
const objects = {
  lookup_max_bytes: 4_096,
  answer_max_bytes: 4_096,
  lookup_timeout_ms: 500,
  filter_space_entries: 8,
};
const program = await startProgram(t, {
  warm: false,
  config: { profile: file, upstream: { url: server.url, objects } },
});

interface Sent {
  readonly method?: string;
  readonly more?: string;
  readonly body?: string;
}

async function ask(name: KeyName, target: string, { method = 'GET', more = '', body }: Sent = {}): Promise<Answer> {
  const framing =
    body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  const head = `${method} ${target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${program.keys[name].text}\r\n`;
  const { answers } = await send(program.port, `${head}${more}${framing}\r\n${body ?? ''}`, {
    head: method === 'HEAD',
  });
  const [answer] = answers;
  if (answer === undefined) throw new Error(`${method} ${target}: no answer`);
  return answer;
}

const alpha = 'X-Space: alpha\r\n';

/** What the caller got: a status and a code, and nothing of anybody's memories. */
function refused(t: Test, answer: Answer, want: { readonly status: number; readonly code: string }): void {
  t.equal(answer.status, want.status, `status ${want.status}`);
  t.equal(answer.json().type, `urn:memgate:refusal:${want.code}`, want.code);
  t.notMatch(answer.body.toString(), /secret|beta/, 'nothing of the answer');
}

/** One like the other in everything that is not of the request itself. */
const shape = (answer: Answer): object => ({
  status: answer.status,
  names: answer.headers.map(([name]) => name),
  body: { ...answer.json(), instance: null },
});

const record = (answer: Answer, test: (one: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> =>
  program.audit.find(0, (one) => one.id === answer.header('x-request-id') && test(one));

const refusal = (answer: Answer): Promise<Record<string, unknown>> => record(answer, (one) => one['effect'] === 'deny');
const outcome = (answer: Answer): Promise<Record<string, unknown>> =>
  record(answer, (one) => one['ended_by'] !== undefined);

t.beforeEach(() => server.reset());

t.test('an object that is looked up is decided in its own space', async (t) => {
  const own = await ask('KA', '/memories/m1');
  t.equal(own.status, 200);
  t.match(own.json(), { text: 'secret of alpha' });
  t.strictSame(server.asked, ['GET /memories/m1', 'GET /memories/m1'], 'the look-up, then the request');
  t.notOk(server.seen[0]?.headers['x-request-id'], 'the question is ours');
  t.equal(server.seen[1]?.headers['x-auth-spaces'], 'alpha', 'decided on the space that was found');
  t.match(await record(own, (one) => one['effect'] === 'allow'), { spaces: { all: false, ids: ['alpha'] } });
});

t.test('a foreign object and an unknown one look the same, and the record tells them apart', async (t) => {
  for (const method of ['GET', 'PUT', 'DELETE']) {
    const sent = { method, ...(method === 'PUT' && { body: '{"text":"mine"}' }) };
    const foreign = await ask('KA', '/memories/m2', sent);
    const unknown = await ask('KA', '/memories/m9', sent);
    refused(t, foreign, { status: 404, code: 'object.unknown' });
    refused(t, unknown, { status: 404, code: 'object.unknown' });
    t.strictSame(shape(foreign), shape(unknown), `${method}: nothing tells one from the other`);
    t.match(await refusal(foreign), { code: 'object.unknown', reasons: ['space.forbidden'] });
    t.match(await refusal(unknown), { code: 'object.unknown', detail: /does not know/ });
  }
  t.strictSame([...new Set(server.asked)], ['GET /memories/m2', 'GET /memories/m9'], 'only look-ups went upstream');
  t.equal(server.memories.get('m2')?.text, 'secret of beta');
});

t.test('without the right to the action nothing is asked', async (t) => {
  const answer = await ask('KR', '/memories/m2', { method: 'DELETE' });
  refused(t, answer, { status: 403, code: 'authorize.denied' });
  t.match(answer.json(), { missing: ['MemoryDelete'] });
  const stated = await ask('KA', '/memories/m1', { more: 'X-Space: gamma\r\n' });
  refused(t, stated, { status: 403, code: 'authorize.denied' });
  t.strictSame(server.asked, [], 'the memory server was not asked');
});

t.test('a stated space must be that of the object', async (t) => {
  t.equal((await ask('KA', '/memories/m1', { more: alpha })).status, 200);
  t.equal((await ask('KA', '/memories/m1?user_id=alpha')).status, 200);
  refused(t, await ask('KA', '/memories/m2', { more: alpha }), { status: 404, code: 'object.unknown' });
  refused(t, await ask('KALL', '/memories/m2', { more: alpha }), { status: 404, code: 'object.unknown' });
  t.equal((await ask('KALL', '/memories/m2')).status, 200, 'who may reach every space reaches it');
});

t.test('an id has one spelling', async (t) => {
  for (const id of ['M1', 'm01x', 'm', 'm1234567', 'm1.', 'm%201', '%7Bm1%7D'])
    refused(t, await ask('KA', `/memories/${id}`), { status: 400, code: 'object.malformed' });
  refused(t, await ask('KA', '/memories/m%31'), { status: 400, code: 'gate.target' });
  t.strictSame(server.asked, []);
});

t.test('an answer to a look-up that cannot be read is no yes', async (t) => {
  const cases: readonly (readonly [string, number, string, ObjectsServer['instead']])[] = [
    ['no field', 404, 'object.unknown', (_, response) => (json(response, { text: 1 }), true)],
    ['null', 404, 'object.unknown', (_, response) => (json(response, { user_id: null }), true)],
    ['a number', 404, 'object.unknown', (_, response) => (json(response, { user_id: 7 }), true)],
    ['another form', 404, 'object.unknown', (_, response) => (json(response, { user_id: 'ALPHA' }), true)],
    ['a list', 404, 'object.unknown', (_, response) => (json(response, [{ user_id: 'alpha' }]), true)],
    ['410', 404, 'object.unknown', (_, response) => (json(response, {}, 410), true)],
    ['500', 502, 'upstream.unchecked', (_, response) => (json(response, { user_id: 'alpha' }, 500), true)],
    ['302', 502, 'upstream.unchecked', (_, response) => (json(response, { user_id: 'alpha' }, 302), true)],
    ['401', 502, 'upstream.credential', (_, response) => (json(response, {}, 401), true)],
    ['no JSON', 502, 'upstream.unchecked', (_, response) => (response.end('user_id: alpha'), true)],
    ['twice', 502, 'upstream.unchecked', (_, response) => (response.end('{"user_id":"beta","user_id":"alpha"}'), true)],
    [
      'too much',
      502,
      'upstream.unchecked',
      (_, response) => (json(response, { user_id: 'alpha', t: 'x'.repeat(5_000) }), true),
    ],
    ['nothing', 504, 'upstream.timeout', () => true],
    ['a cut', 502, 'upstream.unreachable', (_, response) => (response.destroy(), true)],
  ];
  for (const [at, [name, status, code, instead]] of cases.entries()) {
    server.instead = instead;
    const answer = await ask('KA', `/memories/m${String(100 + at)}`);
    t.equal(answer.status, status, `${name}: ${String(status)}`);
    t.equal(answer.json().type, `urn:memgate:refusal:${code}`, name);
  }
  t.equal(server.seen.length, cases.length, 'each was asked about, and none forwarded');
});

t.test('an answer is used again for its time, and never over a write', async (t) => {
  const asked = (): number => server.asked.filter((one) => one === 'GET /memories/m3').length;
  await ask('KA', '/memories/m3');
  await ask('KA', '/memories/m3');
  t.equal(asked(), 3, 'one look-up for two requests');
  const moved = await ask('KA', '/memories/m3', { method: 'PUT', body: '{"user_id":"beta"}' });
  t.equal(moved.status, 200, 'the owner gives it away');
  refused(t, await ask('KA', '/memories/m3'), { status: 404, code: 'object.unknown' });
  t.equal((await ask('KB', '/memories/m3')).status, 200, "it is the other one's now");
  const before = asked();
  await sleep(2_100);
  await ask('KB', '/memories/m3');
  t.equal(asked() - before, 2, 'after its time it is asked anew');
});

t.test('that an object is unknown is kept for a second at most', async (t) => {
  refused(t, await ask('KA', '/memories/m77'), { status: 404, code: 'object.unknown' });
  server.add('m77', 'alpha');
  await sleep(1_100);
  t.equal((await ask('KA', '/memories/m77')).status, 200);
});

t.test('those who ask the same at a time ask once', async (t) => {
  server.add('m88', 'alpha');
  let lookups = 0;
  server.instead = ({ headers, url }, response) => {
    if (headers['x-request-id'] !== undefined || url !== '/memories/m88') return false;
    lookups += 1;
    setTimeout(() => json(response, server.memories.get('m88')), 100);
    return true;
  };
  const answers = await Promise.all(Array.from({ length: 12 }, () => ask('KA', '/memories/m88')));
  t.strictSame([...new Set(answers.map(({ status }) => status))], [200]);
  t.equal(lookups, 1);
  t.ok((await program.metric('object_lookups_total{result="joined"}')) >= 1);
});

t.test('an object of a list is looked for in the stated space', async (t) => {
  const a = '11111111-2222-4333-8444-55555555555a';
  const target = (tenant: string, id = a): string => `/tenants/${tenant}/collections/${id}/count`;
  t.equal((await ask('KA', target('alpha'))).status, 200);
  t.strictSame(server.asked, ['GET /tenants/alpha/collections', `GET ${target('alpha')}`]);
  server.seen.length = 0;
  refused(t, await ask('KB', target('beta')), { status: 404, code: 'object.unknown' });
  refused(t, await ask('KB', `/tenants/beta/collections/${a}`, { method: 'DELETE' }), {
    status: 404,
    code: 'object.unknown',
  });
  t.strictSame([...new Set(server.asked)], ['GET /tenants/beta/collections'], 'only the list was asked for');
  server.seen.length = 0;
  refused(t, await ask('KB', target('alpha')), { status: 403, code: 'authorize.denied' });
  for (const id of [a.toUpperCase(), a.replaceAll('-', ''), `%7B${a}%7D`, `urn:uuid:${a}`])
    refused(t, await ask('KB', target('beta', id)), { status: 400, code: 'object.malformed' });
  t.strictSame(server.asked, []);
});

t.test('deny is for those who may reach every space', async (t) => {
  refused(t, await ask('KA', '/raw/m1'), { status: 403, code: 'authorize.denied' });
  t.strictSame(server.asked, []);
});

t.test('an answer is held until its space is seen to be the decided one', async (t) => {
  const own = await ask('KA', '/history/m1', {
    more: `${alpha}Accept-Encoding: gzip\r\nRange: bytes=0-9\r\nIf-None-Match: "x"\r\n`,
  });
  t.equal(own.status, 200);
  t.match(own.json(), { user_id: 'alpha', text: 'secret of alpha' });
  t.match(server.seen[0]?.headers, { 'accept-encoding': 'identity' }, 'nothing but a plain whole answer is asked for');
  t.notOk(server.seen[0]?.headers['range'] ?? server.seen[0]?.headers['if-none-match']);
  t.match(await outcome(own), { status: 200, answer: 'passed', items_removed: 0 });
  const foreign = await ask('KA', '/history/m2', { more: alpha });
  const unknown = await ask('KA', '/history/m9', { more: alpha });
  refused(t, foreign, { status: 404, code: 'object.unknown' });
  t.strictSame(shape(foreign), shape(unknown), 'a foreign one and an unknown one look the same');
  t.match(await outcome(foreign), { status: 404, code: 'object.unknown', answer: 'foreign', not_forwarded: null });
  t.match(await outcome(unknown), { status: 404, answer: 'absent' });
  t.equal(server.seen.length, 3);
});

t.test('HEAD is asked as GET, and has no body', async (t) => {
  const own = await ask('KA', '/history/m1', { method: 'HEAD', more: alpha });
  t.equal(own.status, 200);
  t.equal(Number(own.header('content-length')), JSON.stringify(server.memories.get('m1')).length);
  t.equal((await ask('KA', '/history/m2', { method: 'HEAD', more: alpha })).status, 404);
  t.strictSame(server.asked, ['GET /history/m1', 'GET /history/m2']);
});

t.test('one foreign item hides the whole list', async (t) => {
  refused(t, await ask('KA', '/related/m1', { more: alpha }), { status: 404, code: 'object.unknown' });
  server.memories.delete('m2');
  const own = await ask('KA', '/related/m1', { more: alpha });
  t.equal(own.json().results.length, 2);
  t.equal(own.json().total, 2, 'as the memory server has written it');
});

t.test('an answer that cannot be checked does not go out', async (t) => {
  const cases: readonly (readonly [string, ObjectsServer['instead']])[] = [
    [
      'no JSON',
      (_, response) => (
        response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"user_id":"alpha"'),
        true
      ),
    ],
    [
      'another type',
      (_, response) => (response.writeHead(200, { 'Content-Type': 'text/html' }).end('{"user_id":"alpha"}'), true),
    ],
    ['no type', (_, response) => (response.end('{"user_id":"alpha"}'), true)],
    [
      'twice',
      (_, response) => (
        response.writeHead(200, { 'Content-Type': 'application/json' }).end('{"user_id":"alpha","user_id":"beta"}'),
        true
      ),
    ],
    [
      'encoded',
      (_, response) => (
        response
          .writeHead(200, { 'Content-Type': 'application/json', 'Content-Encoding': 'gzip' })
          .end('{"user_id":"alpha"}'),
        true
      ),
    ],
    [
      'UTF-16',
      (_, response) => (
        response
          .writeHead(200, { 'Content-Type': 'application/json' })
          .end(Buffer.from('{"user_id":"alpha","ü":1}', 'latin1')),
        true
      ),
    ],
    ['too much', (_, response) => (json(response, { user_id: 'alpha', secret: 'x'.repeat(5_000) }), true)],
    ['206', (_, response) => (json(response, { user_id: 'alpha' }, 206), true)],
    ['302', (_, response) => (response.writeHead(302, { Location: '/history/secret' }).end(), true)],
    [
      'two types',
      (_, response) => (
        response
          .writeHead(200, ['Content-Type', 'application/json', 'Content-Type', 'text/html'])
          .end('{"user_id":"alpha"}'),
        true
      ),
    ],
  ];
  for (const [name, instead] of cases) {
    server.instead = instead;
    const answer = await ask('KA', '/history/m1', { more: alpha });
    t.equal(answer.status, 502, name);
    t.equal(answer.json().type, 'urn:memgate:refusal:upstream.unchecked', name);
    t.notMatch(answer.body.toString(), /secret/, name);
  }
  server.instead = (_, response) => (json(response, { detail: 'secret of beta' }, 500), true);
  const failed = await ask('KA', '/history/m1', { more: alpha });
  t.equal(failed.status, 500, 'an error passes as a status');
  t.equal(failed.body.length, 0, 'without its body');
  t.notOk(failed.header('x-total-count'), 'and without its headers');
});

t.test('a chunked answer over the cap is not collected', async (t) => {
  let written = 0;
  server.instead = (_, response) => {
    response.writeHead(200, { 'Content-Type': 'application/json' }).write('{"user_id":"alpha","a":"');
    const timer = setInterval(() => {
      written += 1;
      response.write('x'.repeat(1_024));
    }, 5);
    response.on('close', () => clearInterval(timer));
    return true;
  };
  t.equal((await ask('KA', '/history/m1', { more: alpha })).status, 502);
  await sleep(100);
  const after = written;
  await sleep(100);
  t.equal(written, after, 'the memory server was cut off');
});

t.test('a list is reduced to what the caller may see', async (t) => {
  const answer = await ask('KA', '/memories', { more: 'If-None-Match: "all"\r\n' });
  t.equal(answer.status, 200);
  t.strictSame(answer.json(), {
    results: [server.memories.get('m1'), server.memories.get('m3')],
    next: 'page-2',
  });
  t.equal(answer.header('cache-control'), 'private');
  t.equal(Number(answer.header('content-length')), answer.body.length);
  for (const name of ['etag', 'x-total-count']) t.notOk(answer.header(name), name);
  t.match(await outcome(answer), { answer: 'filtered', items_removed: 1, status: 200 });
  t.match(await record(answer, (one) => one['effect'] === 'allow'), { spaces: { all: false, ids: [] } });
  t.strictSame((await ask('KB', '/memories')).json().results, [server.memories.get('m2')]);
  t.strictSame((await ask('KB', '/spaces')).json(), ['beta'], 'a list of names');
  t.strictSame((await ask('KALL', '/spaces')).json(), ['alpha', 'beta'], 'who may reach all sees all');
  t.equal((await ask('KALL', '/memories')).json().total, 3, 'as it came');
});

t.test('where a space is stated a list is reduced to it', async (t) => {
  t.strictSame((await ask('KALL', '/memories', { more: 'X-Space: beta\r\n' })).json().results, [
    server.memories.get('m2'),
  ]);
  refused(t, await ask('KA', '/memories?user_id=gamma'), { status: 403, code: 'authorize.denied' });
});

t.test('what names no space is left out, and too many spaces are not guessed', async (t) => {
  server.instead = (_, response) => {
    json(response, {
      results: [{ user_id: 'alpha', n: 1e3 }, { n: 2 }, { user_id: null }, 7, 'alpha', [{ user_id: 'alpha' }]],
    });
    return true;
  };
  t.strictSame((await ask('KA', '/memories')).json(), { results: [{ user_id: 'alpha', n: 1e3 }] });
  server.instead = (_, response) => {
    json(response, { results: Array.from({ length: 9 }, (_, n) => ({ user_id: `space-${String(n)}` })) });
    return true;
  };
  const answer = await ask('KA', '/memories');
  t.equal(answer.status, 502);
  t.equal(answer.json().type, 'urn:memgate:refusal:upstream.unchecked');
  server.instead = (_, response) => (json(response, { items: [] }), true);
  t.equal((await ask('KA', '/memories')).status, 502, 'no list where the profile says');
});

t.test('the program has told no bug, and counts', async (t) => {
  t.notMatch(program.stderr, /"msg":"bug"|uncaught|unhandled/);
  for (const result of ['hit', 'joined', 'found', 'absent', 'failed'])
    t.ok((await program.metric(`object_lookups_total{result="${result}"}`)) > 0, result);
  for (const result of ['passed', 'filtered', 'foreign', 'absent', 'unread'])
    t.ok((await program.metric(`answers_judged_total{result="${result}"}`)) > 0, result);
});

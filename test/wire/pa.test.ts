import t from 'tap';
import { H, SA, wireCase } from './support/cases.js';
import { startProgram } from './support/program.js';
import { answers } from './support/recorder.js';
import { Client } from './support/wire.js';

const program = await startProgram(t);

await wireCase(t, program, { name: 'PA-01 dot segments' }, async (c) => {
  for (const path of [
    '/api/v1/memories/../spaces',
    '/..',
    '/.',
    '/api/./v1/memories',
    '/api/v1/memories/..',
    '/../api/v1/spaces',
  ]) {
    await c.refused(path, c.get(path), { status: 400, code: 'gate.target' });
  }
});

await wireCase(t, program, { name: 'PA-02 encoded dot segments and slashes' }, async (c) => {
  const paths = [
    '/api/v1/memories/%2e%2e/spaces',
    '/%2E%2E%2fadmin',
    '/api/v1/memories/..%2fspaces',
    '/api/v1/memories/.%2e/spaces',
    '/api/v1/memories%2f..%2fspaces',
    '/api/v1/memories/%5c..%5cspaces',
    '/api/v1/memories\\..\\spaces',
    '/api/v1/memories/%252e%252e/spaces',
    '/api/v1/memories/%00',
    '/api/v1/memories/%zz',
    '/api/v1/memories/%',
    '/api/v1/memories/%c0%ae%c0%ae/spaces',
    '/api/v1/%6demories/recall',
  ];
  for (const path of paths) await c.refused(path, c.get(path), { status: 400, code: 'gate.target' });
});

await wireCase(t, program, { name: 'PA-04 empty segments and a slash at the end' }, async (c) => {
  await c.refused('//', c.get('//api/v1/memories/recall'), { status: 400 });
  await c.refused('/api//v1', c.get('/api//v1/memories/recall'), { status: 400 });
  await c.refused('recall/', c.get('/api/v1/memories/recall/'), { status: 404, code: 'resolve.unknown-route' });
});

await wireCase(t, program, { name: 'PA-05 an authority in the path' }, async (c) => {
  await c.refused('//evil.example', c.get('//evil.example/api/v1/memories/recall'), { status: 400 });
});

await wireCase(t, program, { name: 'PA-06 absolute-form' }, async (c) => {
  const passed = await c.passes('of this host', c.get('http://localhost:8080/api/v1/memories/recall?q=x'));
  c.t.equal(passed.target, '/api/v1/memories/recall?q=x', 'origin-form upstream');
  const others = [
    'http://evil.example/api/v1/memories/recall',
    'https://localhost:8080/api/v1/memories/recall',
    'http://localhost:8081/api/v1/memories/recall',
    'http://u@localhost:8080/api/v1/memories/recall',
    'http://localhost:8080',
    'http://localhost:8080?q=x',
    'ftp://localhost:8080/x',
    'localhost:8080/x',
    'x',
    'http://localhost:8080//api/v1/memories/recall',
    'http://localhost:8080/api/../v1',
  ];
  for (const target of others) await c.refused(target, c.get(target), { status: 400 });
});

await wireCase(t, program, { name: 'PA-08 CONNECT, TRACE and the asterisk' }, async (c) => {
  await c.refused('CONNECT 127.0.0.1:9901', `CONNECT 127.0.0.1:9901 HTTP/1.1\r\n${H}${c.key('KA')}\r\n`, {
    status: 405,
  });
  await c.refused('CONNECT /x', `CONNECT /x HTTP/1.1\r\n${H}${c.key('KA')}\r\n`, { status: [400, 405] });
  await c.refused('GET *', c.get('*'), { status: 400 });
  await c.refused('OPTIONS *', c.get('*').replace('GET', 'OPTIONS'), { status: 405 });
  await c.refused('TRACE', c.get('/api/v1/memories/recall').replace('GET', 'TRACE'), { status: 405 });
  await c.refused('an unknown word', c.get('/api/v1/memories/recall').replace('GET', 'FETCH'), { status: [400, 405] });
  await c.refused('PROPFIND', c.get('/api/v1/memories/recall').replace('GET', 'PROPFIND'), { status: 405 });
});

await wireCase(t, program, { name: 'PA-08 CONNECT behind a good one', allow: { untracked: true } }, async (c) => {
  c.recorder.script({ request: answers.delayed(100) });
  const both = `${c.good}CONNECT 127.0.0.1:9901 HTTP/1.1\r\n${H}\r\n`;
  const { answers: got } = await c.send(both, { answers: 2 });
  c.t.strictSame(
    got.map(({ status }) => status),
    [200, 405],
  );
  const client = await Client.open({ port: program.port });
  client.write(both);
  await c.recorder.until(() => c.forwarded.length === 2);
  client.socket.resetAndDestroy(); // nobody is left to hear of it
});

await wireCase(t, program, { name: 'PA-09 fragments' }, async (c) => {
  for (const target of ['/api/v1/memories/recall#/../spaces', '/api/v1/spaces#x', '/api/v1/memories/recall?q=x#y']) {
    await c.refused(target, c.get(target), { status: 400, code: 'gate.target' });
  }
});

await wireCase(t, program, { name: 'PA-10 path parameters' }, async (c) => {
  for (const target of [
    '/api/v1/memories;x=1/recall',
    '/api/v1/..;a=b/spaces',
    '/api/v1/memories/recall;.css',
    '/api/v1/memories/%3b',
  ]) {
    await c.refused(target, c.get(target), { status: 400, code: 'gate.target' });
  }
});

await wireCase(t, program, { name: 'PA-13 nothing is open on the gateway' }, async (c) => {
  const open = (path: string): string => `GET ${path} HTTP/1.1\r\n${H}\r\n`;
  for (const path of [
    '/health',
    '/health?x=/admin',
    '/healthz',
    '/health/anything',
    '/x/health',
    '/',
    '/favicon.ico',
    '/docs',
    '/api-docs/openapi.json',
  ]) {
    await c.refused(`${path} without a key`, open(path), { status: 401 });
  }
  await c.refused('a dot segment behind it', open('/health/../api/v1/spaces'), { status: 400 });
  for (const path of [
    '/healthz',
    '/health/anything',
    '/x/health',
    '/admin',
    '/-/reload',
    '/health/detailed',
    '/ready',
  ]) {
    await c.refused(`${path} with a key`, c.get(path), { status: 404 });
  }
  await c.refused('a dot segment, with a key', c.get('/health/../api/v1/spaces'), { status: 400 });
});

await wireCase(t, program, { name: 'PA-15 route parameters' }, async (c) => {
  const remove = (id: string): string => c.get(`/api/v1/memories/${id}`).replace('GET', 'DELETE');
  for (const id of ['a%2fb', 'a%2Fb', '..', '.', 'a'.repeat(1_025), '', '%20/', 'a/b']) {
    await c.refused(`GET ${id.slice(0, 20)}`, c.get(`/api/v1/memories/${id}`), { status: [400, 404] });
    await c.refused(`DELETE ${id.slice(0, 20)}`, remove(id), { status: [400, 404] });
  }
  const passed = await c.passes('1,024 bytes', c.get(`/api/v1/memories/${'a'.repeat(1_024)}`));
  c.t.equal(passed.target.length, '/api/v1/memories/'.length + 1_024);
});

await wireCase(t, program, { name: 'PA-17 path and query arrive as they were sent' }, async (c) => {
  const targets = [
    '/api/v1/memories/recall?a=%41&b=+&c=%20',
    '/api/v1/memories/recall?a&b=&=c&&d==',
    "/api/v1/memories/recall?q=!$'()*,:@/?-._~",
    '/api/v1/memories/recall?',
    '/api/v1/memories/%C3%A4?x=%c3%A4',
    "/api/v1/memories/a!$&'()*+,=:@b",
    '/api/v1/memories/recall?q=%25%2e%2F%5C%23%3B',
    '/api/v1/memories/recall?[a]={b}|^`',
  ];
  for (const target of targets) c.t.equal((await c.passes(target, c.get(target))).target, target);
  const cut = await c.passes(
    'carriers are cut',
    c.get('/api/v1/memories/recall?a=%41&space=alpha&b=+&memory_space_id=alpha&c=%20'),
  );
  c.t.equal(cut.target, '/api/v1/memories/recall?a=%41&b=+&c=%20', 'and nothing else');
  const coded = await c.passes('an encoded carrier is one', c.get('/api/v1/memories/recall?%73pace=al%70ha&q=x'));
  c.t.equal(coded.target, '/api/v1/memories/recall?q=x');
});

await wireCase(t, program, { name: 'PA-18 a method in the query' }, async (c) => {
  for (const query of ['_method=DELETE', '_METHOD=DELETE', '%5fmethod=DELETE', 'q=x&_method=']) {
    await c.refused(query, c.get(`/api/v1/memories/recall?${query}`), { status: 400, code: 'resolve.query' });
  }
  await c.refused('known path, other method', `PATCH /api/v1/memories/recall HTTP/1.1\r\n${H}${c.key('KA')}${SA}\r\n`, {
    status: 405,
    code: 'resolve.method',
  });
});

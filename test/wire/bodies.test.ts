import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { H, wireCase } from './support/cases.js';
import { startProgram } from './support/program.js';
import { send } from './support/wire.js';

/*
 * What becomes of a body on its way: passed on byte for byte, or written anew where the profile says so, always with its length.
 */

const program = await startProgram(t);
const route = (id: string, rest: object): object => ({
  id,
  action: 'memory:write',
  permission: 'MemoryWrite',
  class: 'content',
  ...rest,
});
const file = join(program.dir, 'bodies.yaml');
const profile = (more: object): string =>
  JSON.stringify({
    name: 'bodies',
    space: {
      pattern: '^[a-z0-9_-]{3,64}$',
      absent: 'own',
      unknown: 'refuse',
      carriers: [{ header: 'X-Memory-Space' }],
    },
    refuse_body_keys: ['_tenant'],
    ...more,
  });
const readable = { id: 'memories.recall', match: 'GET /api/v1/memories/recall', space: ['header:X-Memory-Space'] };
await writeFile(
  file,
  profile({
    rewrite_body: true,
    routes: [
      { ...route('memories.recall', readable), action: 'memory:read', permission: 'MemoryRead' },
      route('memories.remember', { match: 'POST /write', space: ['body:user_id'] }),
      route('memories.store', { match: 'POST /form', space: ['header:X-Memory-Space', 'form:user_id'], body: 'form' }),
    ],
  }),
);
await program.writeConfig({ profile: file });
const reloaded = await program.reload();
if (reloaded.status !== 200) throw new Error(JSON.stringify(reloaded.body));

const J = 'Content-Type: application/json\r\n';
const F = 'Content-Type: application/x-www-form-urlencoded\r\n';
const post = (path: string, lines: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\n${H}${lines}Content-Length: ${String(Buffer.byteLength(body))}\r\n\r\n${body}`;
const chunked = (path: string, lines: string, body: string): string =>
  `POST ${path} HTTP/1.1\r\n${H}${lines}Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;

await wireCase(t, program, { name: 'rewrite_body: the server gets the checked tree, and its length' }, async (c) => {
  const body = ' { "user_id" : "\\u0061lpha" , "n" : 1.50 }\r\n';
  const wanted = '{"user_id":"alpha","n":1.50}';
  for (const [name, bytes] of [
    ['with a length', post('/write', c.key('KA') + J, body)],
    ['in chunks', chunked('/write', c.key('KA') + J, body)],
  ] as const) {
    const passed = await c.passes(name, bytes);
    c.t.equal(passed.body.toString(), wanted, `${name}: written anew`);
    c.t.strictSame(passed.values('content-length'), [String(wanted.length)], `${name}: one length, of the new text`);
    c.t.equal(passed.framing, 'length');
  }
  const own = await c.passes('the only space of the key', post('/write', c.key('KA') + J, '{"n":1}'));
  c.t.equal(own.body.toString(), '{"n":1,"user_id":"alpha"}');
  await c.refused('a key of every space has no own', post('/write', c.key('KALL') + J, '{"n":1}'), {
    status: 400,
    code: 'space.absent',
  });
  await c.refused('a foreign space', post('/write', c.key('KA') + J, '{"user_id":"beta"}'), { status: 403 });
  await c.refused('a refused key', post('/write', c.key('KA') + J, '{"user_id":"alpha","m":[{"_Tenant":"beta"}]}'), {
    status: 400,
    code: 'resolve.body',
  });
});

await wireCase(t, program, { name: 'forms are read, compared, and passed on as they came' }, async (c) => {
  const body = 'x=1+2&user%5Fid=%61lpha&y=%C3%A4';
  const passed = await c.passes('in alpha', post('/form', c.key('KA') + F, body));
  c.t.equal(passed.body.toString(), body);
  c.t.strictSame(passed.values('x-memory-space'), ['alpha']);
  const refusals: readonly (readonly [string, string, string])[] = [
    ['a foreign space', F, 'user_id=beta'],
    ['two that differ', `${F}X-Memory-Space: alpha\r\n`, 'user_id=beta'],
    ['one that stands twice', F, 'user_id=alpha&user_id=beta'],
    ['the field as a list', F, 'user_id=alpha&user_id[]=beta'],
    ['several parts', 'Content-Type: multipart/form-data; boundary=x\r\n', '--x--'],
    ['JSON', J, '{"user_id":"alpha"}'],
  ];
  for (const [name, lines, text] of refusals)
    await c.refused(name, post('/form', c.key('KA') + lines, text), { status: [400, 403, 415] });
});

t.test('a profile with a mistake is refused at a reload with its place, and the former one stays', async (t) => {
  await writeFile(file, `${profile({ routes: [] }).slice(0, -1)},\n"strict_keys": 7}\n`);
  const { status, body } = await program.reload();
  t.equal(status, 422, JSON.stringify(body));
  t.match(JSON.stringify(body), /bodies\.yaml:2:16: strict_keys: is 7, must be true or false/);
  const key = `Authorization: Bearer ${program.keys.KA.text}\r\n`;
  const { answers } = await send(program.port, post('/write', key + J, '{"user_id":"alpha"}'));
  t.equal(answers[0]?.status, 200);
});

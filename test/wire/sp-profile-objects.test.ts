import t, { type Test } from 'tap';
import { Case, H, J } from './support/cases.js';
import { before } from './support/invariants.js';
import { makeKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import type { RecordedRequest, Reply } from './support/recorder.js';

const program = await startProgram(t);
const lister = await makeKey('lister', { spaces: ['alpha'], permissions: ['SpaceList'] });
await program.writeManifest([lister]);
const id = '247f22f3-d1ff-44a5-b9ba-06d4d0d6b8c5';
const other = '00000000-0000-4000-8000-000000000000';

const json = (value: unknown): string => {
  const text = JSON.stringify(value);
  return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${String(Buffer.byteLength(text))}\r\n\r\n${text}`;
};

/** The server answers each target with what stands here. */
const serve = (c: Case, answers: Readonly<Record<string, unknown>>): void => {
  c.recorder.script({
    request: ({ target }: RecordedRequest, reply: Reply) => {
      reply.write(json(answers[target] ?? {}));
    },
  });
};

/** A request of KA, whose space is alpha. */
const ask = (c: Case, line: string, body?: unknown): string => {
  const text = body === undefined ? '' : JSON.stringify(body);
  const framing = body === undefined ? '' : `${J}Content-Length: ${String(Buffer.byteLength(text))}\r\n`;
  return `${line} HTTP/1.1\r\n${H}${c.key('KA')}${framing}\r\n${text}`;
};

async function status(c: Case, line: string, body?: unknown): Promise<number> {
  return (await c.send(ask(c, line, body))).answers[0]?.status ?? 0;
}

async function under(t: Test, profile: string, run: (c: Case) => Promise<void>): Promise<void> {
  await program.writeConfig({ profile });
  t.equal((await program.reload()).status, 200, profile);
  // Without the invariants: look-ups are requests of memgate's own, beside those that are counted.
  await t.test(`objects of ${profile}`, async (t) => {
    try {
      await run(new Case(t, program, await before(program)));
    } finally {
      program.recorder.script({});
    }
  });
}

await t.test('objects of the profiles', async (t) => {
  await under(t, 'mem0', async (c) => {
    serve(c, { [`/memories/${id}`]: { id, user_id: 'alpha' }, [`/memories/${other}`]: { id: other, user_id: 'beta' } });
    c.t.equal(await status(c, `DELETE /memories/${id}`), 200, 'its own');
    c.t.equal(await status(c, `DELETE /memories/${other}`), 404, "somebody else's");
    c.t.strictSame(
      c.forwarded.filter(({ method }) => method === 'DELETE').map(({ target }) => target),
      [`/memories/${id}`],
      'one was deleted',
    );
  });
  await under(t, 'chroma', async (c) => {
    const collections = '/api/v2/tenants/alpha/databases/d/collections';
    serve(c, { [collections]: [{ id, name: 'notes' }] });
    c.t.equal(await status(c, `POST ${collections}/${id}/get`, {}), 200, 'its own');
    c.t.equal(await status(c, `POST ${collections}/${other}/get`, {}), 404, 'one that is not in the list');
    for (const spelling of [id.toUpperCase(), id.replaceAll('-', ''), `%7B${id}%7D`, `urn:uuid:${id}`])
      c.t.equal(await status(c, `POST ${collections}/${spelling}/get`, {}), 400, spelling);
    c.t.equal(c.forwarded.filter(({ method }) => method === 'POST').length, 1, 'one was read');
  });
  await under(t, 'qdrant', async (c) => {
    serve(c, {
      '/collections': { result: { collections: [{ name: 'alpha' }, { name: 'beta' }] }, status: 'ok', time: 1 },
    });
    const { answers } = await c.send(ask(c, 'GET /collections').replace(c.key('KA'), c.key('KALL')));
    c.t.match(answers[0]?.json(), { result: { collections: [{ name: 'alpha' }, { name: 'beta' }] } }, 'all of them');
  });
  await under(t, 'langgraph', async (c) => {
    const search = 'POST /store/items/search';
    serve(c, { '/store/items/search': { items: [{ namespace: ['alpha', 'notes'], key: 'k' }] } });
    c.t.equal(await status(c, search, { namespace_prefix: ['alpha'] }), 200, 'its own');
    serve(c, { '/store/items/search': { items: [{ namespace: ['alpha', 'n'] }, { namespace: ['alpha2', 'n'] }] } });
    c.t.equal(await status(c, search, { namespace_prefix: ['alpha'] }), 404, 'a store that matches text');
    const list = ask(c, 'POST /store/namespaces', { prefix: ['alpha'] }).replace(program.keys.KA.text, lister.text);
    serve(c, { '/store/namespaces': { namespaces: [['alpha', 'notes'], ['alpha']] } });
    c.t.equal((await c.send(list)).answers[0]?.status, 200, 'its own namespaces');
    serve(c, {
      '/store/namespaces': {
        namespaces: [
          ['alpha', 'notes'],
          ['alpha2', 'notes'],
        ],
      },
    });
    const [alike] = (await c.send(list)).answers;
    c.t.equal(alike?.status, 404, 'beside one that begins alike');
    c.t.notMatch(alike?.body.toString(), 'alpha2', 'whose name is not told');
  });
});

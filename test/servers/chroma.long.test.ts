import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { KeyName } from '../wire/support/keys.js';
import { startProgram } from '../wire/support/program.js';
import { send, type Answer } from '../wire/support/wire.js';
import { tapLine } from './support/line-tap.js';
import { startServer } from './support/process.js';

const dir = resolve('.cache/servers/chroma');
const binding = 'chromadb-js-bindings-linux-x64-gnu';
if (!existsSync(resolve(dir, 'node_modules', binding)))
  throw new Error('Chroma is not installed: npm run test:servers:long -- chroma');

/** The real program takes a port and does not say which: it is given one that was free a moment ago. */
const runner = `
const line = require('node:net').createServer().listen(0, '127.0.0.1', () => {
  const { port } = line.address();
  line.close(() => {
    console.log('port ' + port);
    require('${binding}').cli(['chroma', 'run', '--path', process.env.DATA, '--host', '127.0.0.1', '--port', String(port)]);
  });
});
`;
const port = await startServer(t, {
  program: process.execPath,
  args: ['-e', runner],
  cwd: dir,
  env: { DATA: t.testdir({}) },
  port: /port (\d+)/,
});

const api = '/api/v2/tenants';
const json = { 'Content-Type': 'application/json' };

/** Around memgate, as the one who sets the server up. */
async function direct(method: string, path: string, body?: unknown): Promise<{ status: number; body: unknown }> {
  const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: json };
  const answer = await fetch(`http://127.0.0.1:${port}${path}`, { method, ...sent });
  return { status: answer.status, body: await answer.json().catch(() => null) };
}

for (let tries = 0; tries < 100; tries += 1) {
  const isUp = await fetch(`http://127.0.0.1:${port}/api/v2/heartbeat`).then(
    ({ ok }) => ok,
    () => false,
  );
  if (isUp) break;
  await sleep(100);
}

/** A collection with one row, and many beside it, so that a list that came in pages would show. */
async function collectionOf(tenant: string, text: string): Promise<string> {
  await direct('POST', api, { name: tenant });
  await direct('POST', `${api}/${tenant}/databases`, { name: 'main' });
  const collections = `${api}/${tenant}/databases/main/collections`;
  for (let n = 0; n < 120; n += 1) await direct('POST', collections, { name: `other-${String(n)}` });
  const made = await direct('POST', collections, { name: 'notes' });
  const { id } = made.body as { id: string };
  const row = { ids: ['1'], documents: [text], embeddings: [[1, 2, 3]], metadatas: null, uris: null };
  const added = await direct('POST', `${collections}/${id}/add`, row);
  if (added.status !== 201) throw new Error(`the row was not added: ${JSON.stringify(added)}`);
  return id;
}

const idA = await collectionOf('alpha', 'alice secret');
const idB = await collectionOf('beta', 'bob secret');
const line = await tapLine(t, port);
const program = await startProgram(t, {
  warm: false,
  config: { profile: resolve('config/profiles/chroma.yaml'), upstream: { url: `http://127.0.0.1:${line.port}` } },
});

interface Wanted {
  readonly method: string;
  readonly target: string;
  readonly body?: unknown;
}

async function ask(name: KeyName, { method, target, body }: Wanted): Promise<Answer> {
  const text = body === undefined ? '' : JSON.stringify(body);
  const framing =
    body === undefined ? '' : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(text)}\r\n`;
  const head = `${method} ${target} HTTP/1.1\r\nHost: chroma.example\r\nAuthorization: Bearer ${program.keys[name].text}\r\n`;
  const { answers } = await send(program.port, `${head}${framing}\r\n${text}`, { timeoutMs: 15_000 });
  const [answer] = answers;
  if (answer === undefined) throw new Error(`${method} ${target}: no answer`);
  return answer;
}

const row = { ids: ['1'], documents: ['overwritten'], embeddings: [[3, 2, 1]], metadatas: null, uris: null };
const query = { query_embeddings: [[1, 2, 3]], n_results: 1, include: ['documents'] };
/** What the profile lets through with a UUID, and what each needs. */
const operations: Readonly<Record<string, Omit<Wanted, 'target'>>> = {
  get: { method: 'POST', body: { include: ['documents'] } },
  count: { method: 'GET' },
  query: { method: 'POST', body: query },
  add: { method: 'POST', body: { ...row, ids: ['2'] } },
  upsert: { method: 'POST', body: row },
  update: { method: 'POST', body: row },
  delete: { method: 'POST', body: { ids: ['1'] } },
  '': { method: 'PUT', body: { new_name: 'taken-over' } },
};

/** One UUID, as this server reads it. */
const spellings = (id: string): Readonly<Record<string, string>> => ({
  plain: id,
  'upper case': id.toUpperCase(),
  'no dashes': id.replaceAll('-', ''),
  braces: `%7B${id}%7D`,
  urn: `urn:uuid:${id}`,
});

const at = (tenant: string, id: string, operation: string): string =>
  `${api}/${tenant}/databases/main/collections/${id}${operation === '' ? '' : `/${operation}`}`;

const rowsOf = async (tenant: string, id: string): Promise<unknown> =>
  (await direct('POST', at(tenant, id, 'get'), { include: ['documents'] })).body;

async function untouched(t: Test): Promise<void> {
  t.match(await rowsOf('alpha', idA), { ids: ['1'], documents: ['alice secret'] }, 'the rows are as they were');
  const { body } = await direct('GET', `${api}/alpha/databases/main/collections/notes`);
  t.match(body, { id: idA, name: 'notes' }, 'and so is the name');
}

t.test('the server itself takes every spelling of a foreign id: without memgate the case would be lost', async (t) => {
  for (const [name, id] of Object.entries(spellings(idA))) {
    const { status, body } = await direct('POST', at('beta', id, 'get'), { include: ['documents'] });
    t.equal(status, 200, name);
    t.match(body, { documents: ['alice secret'] }, name);
  }
});

for (const [operation, sent] of Object.entries(operations)) {
  t.test(`a foreign id is refused in every spelling: ${sent.method} ${operation}`, async (t) => {
    line.taken();
    for (const [name, id] of Object.entries(spellings(idA))) {
      const answer = await ask('KB', { ...sent, target: at('beta', id, operation) });
      t.equal(answer.status, name === 'plain' ? 404 : 400, name);
      t.match(answer.json().type, /:object\.(?:unknown|malformed)$/, name);
      t.notMatch(answer.body.toString(), /alice|alpha/, name);
      const own = await ask('KB', { ...sent, target: at('alpha', id, operation) });
      t.ok([400, 403].includes(own.status), `${name}: nor in the tenant of its owner`);
    }
    const heard = line.taken();
    t.notMatch(heard, idA, 'the server never heard of the id');
    const asked = heard.match(/^[A-Z]+ \/\S*/gm) ?? [];
    t.strictSame([...new Set(asked)], [`GET ${api}/beta/databases/main/collections`], 'it was asked for lists only');
    await sleep(1_000); // so long it may be kept that the list lacks the id
    await untouched(t);
  });
}

t.test('each with its own', async (t) => {
  for (const operation of ['get', 'count', 'query', 'add', 'upsert', 'update', '', 'delete']) {
    const sent = operations[operation];
    if (sent === undefined) throw new Error(`no operation ${operation}`);
    const answer = await ask('KB', { ...sent, target: at('beta', idB, operation) });
    t.ok([200, 201].includes(answer.status), `${sent.method} ${operation}: ${answer.status} ${answer.body.toString()}`);
    if (operation === 'get') t.match(answer.json(), { documents: ['bob secret'] });
  }
  t.match(await rowsOf('beta', idB), { ids: ['2'] }, 'what was deleted is gone');
  await untouched(t);
});

t.test('an unknown, an empty and a dotted tenant', async (t) => {
  for (const [tenant, status] of [
    ['gamma', [403]],
    ['..', [400]],
    ['', [400]],
  ] as const) {
    const answer = await ask('KB', { method: 'GET', target: at(tenant, idA, 'count') });
    t.ok((status as readonly number[]).includes(answer.status), `"${tenant}": ${answer.status}`);
  }
  await untouched(t);
});

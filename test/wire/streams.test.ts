import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import type { AuditRecord } from './support/audit.js';
import { root } from './support/build.js';
import { H, SA, wireCase, type Case } from './support/cases.js';
import { startProgram } from './support/program.js';
import { usualAnswer } from './support/recorder.js';
import { reload } from './support/steps.js';
import { Client, send } from './support/wire.js';

const perSubject = 3;
const upstream = { connections: 2, queue: 0, stream_connections: 5, streams_per_subject: perSubject };

// The profile with one route whose body is passed on unread: Engram's own has none.
const profileText = readFileSync(join(root, 'config', 'profiles', 'engram.yaml'), 'utf8');
const route = /( {2}- id: memories\.store\b[^]*?space: \[header:X-Memory-Space\]\n)/;
const profile = join(t.testdir({}), 'profile.yaml');
writeFileSync(profile, profileText.replace(route, '$1    body: stream\n    body_reason: test only\n'));

const config = { upstream, profile, gateway: { body_min_bytes_per_second: 1_000 } };
const program = await startProgram(t, { config });

const get = (target: string, key: string): string =>
  `GET ${target} HTTP/1.1\r\n${H}Authorization: Bearer ${key}\r\n\r\n`;
const streamOf = { KA: '/api/v1/monitoring/events?space=alpha', KB: '/api/v1/monitoring/events?space=beta' } as const;
const event = 'data: 001';
const streamHead = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';

/** Opens a stream and waits for its first event, or for whatever else is answered. */
async function openStream(one: Case, name: keyof typeof streamOf): Promise<Client> {
  const client = await Client.open({ port: program.port });
  one.t.teardown(() => client.close());
  client.write(get(streamOf[name], program.keys[name].text));
  await client.until(() => client.answers[0]?.isWhole === true || client.bytes.includes(event));
  return client;
}

const probe = async (path: string): Promise<number | undefined> => {
  const bytes = `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;
  return (await send(program.probesPort, bytes)).answers[0]?.status;
};

const outcomeOf = (one: Case, client: Client): Promise<AuditRecord> => {
  const id = client.answers[0]?.header('x-request-id');
  return program.audit.find(one.from.audit, (record) => record.id === id && record['ended_by'] !== undefined, 5_000);
};

const allow = { untracked: true, probes: true, hashes: true };
/** Who is only observed keeps its own credential. */
const observing = { ...allow, tellsItsOwnKey: true };

await wireCase(t, program, { name: 'open streams keep nobody else waiting', allow }, async (one) => {
  one.recorder.script({
    request: ({ target }, reply) =>
      reply.write(target.includes('/events') ? `${streamHead}b\r\n${event}\n\n\r\n` : usualAnswer),
  });
  const streams: Client[] = [];
  const statuses = (): (number | undefined)[] => streams.map(({ answers }) => answers[0]?.status);
  for (let n = 0; n < perSubject; n += 1) streams.push(await openStream(one, 'KA'));
  one.t.strictSame(statuses(), [200, 200, 200], 'as many streams of one key as it may have');
  const plain = await one.send(
    get('/api/v1/memories/recall?q=x', program.keys.KB.text).replace('\r\n\r\n', '\r\nX-Memory-Space: beta\r\n\r\n'),
  );
  one.t.equal(plain.answers[0]?.status, 200, 'a plain request of another key passes');
  one.t.equal((await one.send(one.good)).answers[0]?.status, 200, 'and one of the same key');
  for (const path of ['/ready', '/upstream/live', '/upstream/ready']) one.t.equal(await probe(path), 200, path);
  const [refused] = (await one.send(get(streamOf.KA, program.keys.KA.text))).answers;
  one.t.equal(refused?.status, 503, 'one more stream of that key is refused');
  one.t.match(refused?.json().type, /upstream\.busy$/, 'with the code of a full upstream');
  one.t.equal(refused?.header('retry-after'), '1', 'to be tried again');
  for (let n = 0; n < 2; n += 1) streams.push(await openStream(one, 'KB'));
  one.t.strictSame(statuses(), [200, 200, 200, 200, 200], 'another key has its own');
  one.t.equal((await openStream(one, 'KB')).answers[0]?.status, 503, 'until all places are taken');
  const [first] = streams;
  first?.close();
  if (first !== undefined) one.t.match(await outcomeOf(one, first), { ended_by: 'client' }, 'one leaves');
  one.t.equal((await openStream(one, 'KA')).answers[0]?.status, 200, 'and its place is free');
});

/** Begins an upload of 100 bytes; more would have to come. */
async function upload(one: Case): Promise<Client> {
  const client = await Client.open({ port: program.port });
  one.t.teardown(() => client.close());
  const sent = one.recorder.begun.size;
  client.write(
    `POST /api/v1/memories HTTP/1.1\r\n${H}${one.key('KA')}${SA}Content-Type: application/octet-stream\r\nContent-Length: 1000000\r\n\r\n${'x'.repeat(100)}`,
  );
  await one.recorder.until(() => one.recorder.begun.size > sent);
  return client;
}

/** Outcomes of uploads that did not come to their end. */
const broken = (one: Case): readonly AuditRecord[] =>
  one.records.filter(({ ended_by: by, request_bytes: bytes }) => by !== 'completed' && bytes === 100);

const upstreamErrors = async (): Promise<number> =>
  (await program.metrics())
    .split('\n')
    .filter((line) => line.startsWith('memgate_upstream_errors_total{'))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);

await wireCase(t, program, { name: 'a streamed body that the client breaks', allow: observing }, async (one) => {
  const errors = await upstreamErrors();
  const gone = await upload(one);
  gone.close();
  await program.audit.until(() => (broken(one).length === 1 ? true : undefined));
  one.t.match(broken(one), [{ ended_by: 'client', status: 0, code: null }], 'a client that left');
  const slow = await upload(one);
  await program.writeConfig({ ...config, enforcement: 'observe' });
  await reload(one); // the upload under way keeps its own generation
  const observed = await upload(one);
  for (const [mode, client] of Object.entries({ enforced: slow, observed })) {
    await client.until(() => client.isClosed, 12_000);
    const { answers } = client.exchange();
    one.exchanges.push(client.exchange());
    one.t.equal(answers[0]?.status, 408, `${mode}: too slow is 408`);
    one.t.match(answers[0]?.json().type, /gate\.timeout$/, `${mode}: with its code`);
    one.t.match(
      await outcomeOf(one, client),
      { ended_by: 'gateway', status: 408, code: 'gate.timeout', not_forwarded: null, request_bytes: 100 },
      `${mode}: and so it is recorded`,
    );
  }
  one.t.equal(await upstreamErrors(), errors, 'the upstream is not blamed');
  await program.writeConfig(config);
  await reload(one);
});

import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { AuditRecord } from './support/audit.js';
import { H, SA, wireCase, Case } from './support/cases.js';
import { before } from './support/invariants.js';
import { makeKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import { usualAnswer, type Reply } from './support/recorder.js';
import { reload } from './support/steps.js';
import { Client } from './support/wire.js';

const endsWithinMs = 1_000;
const rights = { spaces: ['alpha'], permissions: ['MemoryRead', 'MemoryWrite'] };
const [short, changing, spare] = await Promise.all(
  ['revoked', 'changed', 'expiring'].map((name) => makeKey(name, rights)),
);
if (short === undefined || changing === undefined || spare === undefined) throw new Error('no keys');

const config = { upstream: { deadline_ms: 60_000 }, gateway: { body_timeout_ms: 60_000 }, drain_ms: 3_000 };
const program = await startProgram(t, { config });
await program.writeManifest([short, changing, spare]);
await program.reload();

const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const path = '/api/v1/monitoring/events?space=alpha';
const streamRequest = (key: string): string => `GET ${path} HTTP/1.1\r\n${H}Authorization: Bearer ${key}\r\n\r\n`;
const allow = { untracked: true, hashes: true };

/** Events of every stream, until somebody ends it. */
const serveEvents = (one: Case, first = 'data: 001\n\n'): Reply[] => {
  const replies: Reply[] = [];
  one.recorder.script({
    request: ({ target }, reply) => {
      const isStream = target.includes('/events');
      if (isStream) replies.push(reply);
      reply.write(isStream ? head + chunk(first) : usualAnswer);
    },
  });
  return replies;
};

async function openStream(one: Case, key: string, until = 'data: 001'): Promise<Client> {
  const client = await Client.open({ port: program.port });
  one.t.teardown(() => client.close());
  client.write(streamRequest(key));
  await client.until(() => client.answers[0]?.isWhole === true || client.bytes.includes(until));
  return client;
}

const outcomeOf = (one: Case, client: Client): Promise<AuditRecord> => {
  const id = client.answers[0]?.header('x-request-id');
  return program.audit.find(one.from.audit, (record) => record.id === id && record['ended_by'] !== undefined, 5_000);
};

interface Ending {
  readonly code: string;
  readonly fromMs: number;
  readonly withinMs?: number;
}

/** The last event, a whole body, a record: all in time. */
async function endedInOrder(
  one: Case,
  client: Client,
  { code, fromMs, withinMs = endsWithinMs }: Ending,
): Promise<void> {
  one.t.ok(await client.until(() => client.answers[0]?.isWhole === true, withinMs + 2_000), 'a whole body');
  const tookMs = Math.round(performance.now() - fromMs);
  const text = client.answers[0]?.body.toString() ?? '';
  one.t.match(
    text,
    /^data: 001\n\n(?:retry: 1000\n)?event: memgate-closed\ndata: \{[^\n]*\}\n\n$/,
    'one last event, and nothing behind it',
  );
  const data = JSON.parse(/data: (\{.*\})\n\n$/.exec(text)?.[1] ?? '{}');
  one.t.equal(data.code, code, 'with the code');
  one.t.equal(data.instance, `urn:memgate:decision:${client.answers[0]?.header('x-request-id') ?? ''}`);
  one.t.ok(tookMs <= withinMs, `within ${withinMs} ms (${tookMs} ms)`);
  one.t.match(await outcomeOf(one, client), {
    ended_by: 'gateway',
    code,
    status: 200,
    not_forwarded: null,
    type: 'memory.interrupted',
  });
}

await wireCase(t, program, { name: 'SP-26 a key is revoked under its stream', allow }, async (one) => {
  const upstream = serveEvents(one);
  const [client, other] = [await openStream(one, short.text), await openStream(one, program.keys.KA.text)];
  one.t.equal(await program.metric('leases_open'), 2, 'both are held');
  const { code, stderr } = await program.command(['auth', 'revoke-key', short.id, '--reason', 'test', '--yes']);
  const fromMs = performance.now();
  one.t.equal(code, 0, stderr);
  await endedInOrder(one, client, { code: 'lease.revoked', fromMs });
  await Promise.race([upstream[0]?.gone, sleep(2_000)]);
  one.t.ok(upstream[0]?.socket.destroyed, 'the memory server is left as well');
  await sleep(600);
  upstream[1]?.write(chunk('data: 002\n\n'));
  one.t.ok(await other.until(() => other.bytes.includes('data: 002')), 'the stream of another key goes on');
  one.t.equal(await program.metric('leases_open'), 1);
  one.t.equal(await program.metric('leases_ended_total{code="lease.revoked"}'), 1);
  other.close();
});

await wireCase(t, program, { name: 'the rights of a key change under its stream', allow }, async (one) => {
  serveEvents(one);
  const [client, other] = [await openStream(one, changing.text), await openStream(one, program.keys.KA.text)];
  const less = { ...changing, entry: { ...changing.entry, permissions: ['MemoryWrite'] } };
  await program.writeManifest([less, spare]);
  const fromMs = performance.now();
  await reload(one);
  await endedInOrder(one, client, { code: 'lease.denied', fromMs });
  one.t.notOk(other.isClosed, 'another key keeps its own');
  const [now] = (await one.send(streamRequest(changing.text))).answers;
  one.t.equal(now?.status, 403, 'and a new one gets the same answer');
  other.close();
  await program.writeManifest([changing, spare]);
  await reload(one);
});

await wireCase(t, program, { name: 'a key expires under its stream', allow }, async (one) => {
  serveEvents(one);
  const inMs = 1_500;
  const expiresAt = Date.now() + inMs;
  await program.writeManifest([{ ...spare, entry: { ...spare.entry, expires_at: new Date(expiresAt).toISOString() } }]);
  await reload(one);
  const client = await openStream(one, spare.text);
  const fromMs = performance.now() + (expiresAt - Date.now());
  await endedInOrder(one, client, { code: 'lease.expired', fromMs });
  await program.writeManifest([changing]);
  await reload(one);
});

await wireCase(
  t,
  program,
  { name: 'a static token is replaced under its stream', allow: { ...allow, tellsItsOwnKey: true } },
  async (one) => {
    serveEvents(one);
    const client = await openStream(one, program.keys.ST);
    await writeFile(join(program.dir, 'st'), randomBytes(24).toString('base64url'), { mode: 0o600 });
    one.t.ok(await client.until(() => client.answers[0]?.isWhole === true, 3_000), 'it ends');
    one.t.match(await outcomeOf(one, client), { ended_by: 'gateway', code: 'lease.revoked' });
    await writeFile(join(program.dir, 'st'), program.keys.ST, { mode: 0o600 });
  },
);

await wireCase(t, program, { name: 'in the middle of an event there is no last one', allow }, async (one) => {
  serveEvents(one, 'data: 001\ndata: and more');
  const client = await openStream(one, changing.text, 'and more');
  await program.writeManifest([]);
  await reload(one);
  one.t.ok(await client.until(() => client.isClosed, 2_000), 'it is cut');
  const [answer] = client.answers;
  one.t.notOk(answer?.isWhole, 'so that nobody takes the half for a whole one');
  one.t.notMatch(client.bytes.toString(), 'memgate-closed');
  one.t.match(await outcomeOf(one, client), { ended_by: 'gateway', code: 'lease.revoked' });
  await program.writeManifest([changing]);
  await reload(one);
});

await wireCase(t, program, { name: 'what lasts and is no stream', allow }, async (one) => {
  const begun = new Map<string, Reply>();
  one.recorder.script({
    request: ({ target }, reply) => {
      const query = /q=(half|silent|other)/.exec(target)?.[1];
      if (query === 'half') reply.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf');
      if (query !== undefined) begun.set(query, reply);
      else reply.write(usualAnswer);
    },
  });
  const get = (query: string, key = changing.text): string =>
    `GET /api/v1/memories/recall?q=${query} HTTP/1.1\r\n${H}Authorization: Bearer ${key}\r\n${SA}\r\n`;
  const clients = await Promise.all([0, 1, 2].map(() => Client.open({ port: program.port })));
  const [silent, half, other] = clients;
  if (silent === undefined || half === undefined || other === undefined) throw new Error('no clients');
  for (const client of clients) one.t.teardown(() => client.close());
  silent.write(get('silent'));
  half.write(get('half'));
  other.write(get('other', program.keys.KA.text));
  await one.recorder.until(() => begun.size === 3);
  one.t.equal(await program.metric('leases_open'), 0, 'at first nothing is held');
  await sleep(1_300);
  one.t.equal(await program.metric('leases_open'), 3, 'after a second everything is');
  await program.writeManifest([]);
  await reload(one);
  one.t.ok(await silent.until(() => silent.answers[0]?.isWhole === true, 1_500), 'without a head yet: an answer');
  one.t.match(silent.answers[0]?.json(), { status: 401, type: 'urn:memgate:refusal:lease.revoked' });
  one.t.match(await outcomeOf(one, silent), {
    ended_by: 'gateway',
    code: 'lease.revoked',
    not_forwarded: null,
    status: 401,
  });
  one.t.ok(await half.until(() => half.isClosed, 1_500), 'with a head: cut');
  one.t.notOk(half.answers[0]?.isWhole);
  one.t.match(await outcomeOf(one, half), { ended_by: 'gateway', code: 'lease.revoked', status: 200 });
  one.t.strictSame([other.isClosed, other.answers.length], [false, 0], 'another key waits on');
  begun.get('other')?.write(usualAnswer);
  one.t.ok(await other.until(() => other.answers[0]?.isWhole === true), 'and gets its answer');
  await program.writeManifest([changing]);
  await reload(one);
});

await wireCase(t, program, { name: 'a switch that the policy reads', allow }, async (one) => {
  const begun: Reply[] = [];
  one.recorder.script({
    request: ({ method, target }, reply) => {
      if (method === 'POST') begun.push(reply);
      else reply.write(target.includes('/events') ? head + chunk('data: 001\n\n') : usualAnswer);
    },
  });
  const writing = await Client.open({ port: program.port });
  one.t.teardown(() => writing.close());
  writing.write(one.remember('{"content":"x"}'));
  const reading = await openStream(one, program.keys.KA.text);
  await one.recorder.until(() => begun.length === 1);
  await sleep(1_100);
  await program.writeConfig({ ...config, switches: { readonly: true } });
  await reload(one);
  one.t.ok(await writing.until(() => writing.answers[0]?.isWhole === true, 1_500), 'a write that lasts is answered');
  one.t.match(writing.answers[0]?.json(), { status: 403, type: 'urn:memgate:refusal:lease.denied' });
  one.t.notOk(reading.isClosed, 'a reading stream goes on');
  reading.close();
  await program.writeConfig(config);
  await reload(one);
});

await t.test('what was only observed ends when it is enforced', async (t) => {
  const one = new Case(t, program, await before(program));
  serveEvents(one);
  await program.writeConfig({ ...config, enforcement: 'observe' });
  await reload(one);
  const client = await openStream(one, program.keys.KR.text);
  await program.writeConfig(config);
  const fromMs = performance.now();
  await reload(one);
  await endedInOrder(one, client, { code: 'lease.denied', fromMs });
});

await t.test('a stream is told when the process stops', async (t) => {
  program.recorder.script({ request: (_, reply) => reply.write(head + chunk('data: 001\n\n')) });
  const client = await Client.open({ port: program.port });
  t.teardown(() => client.close());
  client.write(streamRequest(program.keys.KA.text));
  await client.until(() => client.bytes.includes('data: 001'));
  t.equal(await program.stop(), 0, `in order ${program.stderr.slice(-600)}`);
  t.match(client.answers[0]?.body.toString(), /\nretry: 1000\nevent: memgate-closed\ndata: \{"code":"lease\.shutdown"/);
  t.ok(client.answers[0]?.isWhole);
  const id = client.answers[0]?.header('x-request-id');
  t.match(
    program.audit.records().find((record) => record.id === id && record['ended_by'] !== undefined),
    { ended_by: 'gateway', code: 'lease.shutdown' },
  );
});

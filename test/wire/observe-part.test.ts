import t from 'tap';
import type { AuditRecord } from './support/audit.js';
import { badBundle } from './support/bundle.js';
import { H, J, SA, SB } from './support/cases.js';
import { good } from './support/invariants.js';
import { makeKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import type { RecordedRequest } from './support/recorder.js';
import { as, recall } from './support/steps.js';
import { Client, send, type Answer } from './support/wire.js';

const inAlpha = [{ routes: ['memories.rec*'], spaces: ['alpha'] }];
const program = await startProgram(t, { config: { observe: inAlpha } });
const { KA, KB, KV } = program.keys;

interface Seen {
  readonly answer: Answer | undefined;
  readonly request: RecordedRequest | undefined;
  readonly record: AuditRecord;
}

/** Sends one request and gives what became of it everywhere. */
async function sent(bytes: string, localAddress?: string): Promise<Seen> {
  const [mark, audit] = [program.recorder.mark(), program.audit.mark()];
  const [answer] = (await send(program.port, bytes, { localAddress })).answers;
  const id = answer?.header('x-request-id');
  const record = await program.audit.find(audit, (each) => each.id === id && each.effect !== undefined);
  return { answer, request: program.recorder.requestsSince(mark)[0], record };
}

async function observing(observe: unknown, more: Readonly<Record<string, unknown>> = {}): Promise<void> {
  await program.writeConfig({ observe, ...more });
  const { status, body } = await program.reload();
  if (status !== 200) throw new Error(JSON.stringify(body));
}

const inBeta = (line: string): string => `GET /api/v1/memories/recall?q=x HTTP/1.1\r\n${H}${line}${SB}\r\n`;
const remember = (line: string): string =>
  `POST /api/v1/memories/remember HTTP/1.1\r\n${H}${SA}${J}${line}Content-Length: 15\r\n\r\n{"content":"x"}`;
const bearer = (text: string): string => `Authorization: Bearer ${text}\r\n`;

await t.test('what a rule covers passes as it came, and the record says what enforce would have done', async (t) => {
  const cases: readonly (readonly [name: string, bytes: string, code: string])[] = [
    ['no credential', recall(''), 'identify.unauthenticated'],
    ['a revoked key', as(KV.text), 'identify.unauthenticated'],
    ['a key of another space', as(KB.text), 'authorize.denied'],
  ];
  const counted = (): Promise<number> => program.metric('observed_refusals_total{code="identify.unauthenticated"}');
  const before = await counted();
  for (const [name, bytes, code] of cases) {
    const { answer, request, record } = await sent(bytes);
    t.equal(answer?.status, 200, `${name}: passes`);
    t.match(
      record,
      { effect: 'would_deny', code, enforcement: 'observe', route: 'memories.recall', spaces: { ids: ['alpha'] } },
      `${name}: recorded`,
    );
    t.strictSame(request?.values('x-auth-subject'), [], `${name}: nobody is vouched for`);
    t.strictSame(request?.values('x-memory-space'), ['alpha'], `${name}: with its own carrier`);
  }
  t.equal((await counted()) - before, 2, 'counted by code');
});

await t.test('who may pass anyway is enforced as ever', async (t) => {
  const { answer, request, record } = await sent(good(program));
  t.equal(answer?.status, 200);
  t.match(record, { effect: 'allow', enforcement: 'enforce', subject: { id: KA.id } });
  t.match(request?.values('x-auth-subject')[0], KA.id, 'vouched for');
  t.strictSame(request?.values('authorization'), [], 'its key goes no further');
});

await t.test('everything else is refused as ever', async (t) => {
  const cases: readonly (readonly [name: string, bytes: string, status: number])[] = [
    ['another space without a key', inBeta(''), 401],
    ['another route without a key', remember(''), 401],
    ['another route with a key that may not', remember(bearer(KB.text)), 403],
    ['no route at all', recall('').replace('/memories/recall', '/nothing'), 401],
    ['a space that contradicts itself', recall('', 'q=x&space=beta'), 401],
    ['bytes that the gate refuses', recall(H.trimEnd()), 400],
  ];
  for (const [name, bytes, status] of cases) {
    const mark = program.recorder.mark();
    const [answer] = (await send(program.port, bytes)).answers;
    t.equal(answer?.status, status, name);
    t.equal(program.recorder.requestsSince(mark).length, 0, `${name}: nothing reached the upstream`);
  }
  const [answer] = (await send(program.adminPort, `POST /-/reload HTTP/1.1\r\n${H}Content-Length: 0\r\n\r\n`)).answers;
  t.equal(answer?.status, 401, 'the door of the operators is none of it');
});

await t.test('a rule about callers wants a good credential', async (t) => {
  await observing([{ subjects: [KB.id, KV.id] }]);
  const { answer, record } = await sent(remember(bearer(KB.text)));
  t.equal(answer?.status, 200, 'on every route');
  t.match(record, { effect: 'would_deny', subject: { id: KB.id }, code: 'authorize.denied' });
  t.equal((await sent(as(KV.text))).answer?.status, 401, 'a revoked key is nobody');
  t.equal((await sent(recall(''))).answer?.status, 401, 'and so is no key');
});

await t.test('a part of the callers is always the same part, and a larger one holds it', async (t) => {
  const addresses = Array.from({ length: 40 }, (_, n) => `127.0.0.${n + 20}`);
  const passing = async (percent: number): Promise<ReadonlySet<string>> => {
    await observing([{ percent }]);
    const found = new Set<string>();
    for (const address of addresses) {
      const { answer } = await sent(recall(''), address);
      if (answer?.status === 200) found.add(address);
      else t.equal(answer?.status, 401);
    }
    return found;
  };
  t.equal((await passing(0)).size, 0);
  const [some, again, more] = [await passing(30), await passing(30), await passing(60)];
  t.ok(some.size > 2 && some.size < 25, `${some.size} of 40`);
  t.strictSame([...again], [...some], 'the same ones');
  t.ok(
    [...some].every((address) => more.has(address)) && more.size > some.size,
    `with more of them beside: ${more.size}`,
  );
  t.equal((await passing(100)).size, 40);
});

await t.test('a fault is no refusal: what is broken lets nobody pass', async (t) => {
  const data = t.testdir({ 'tiers.yaml': 'unlimited: { limits: [] }\n' });
  const key = await makeKey('broken', { spaces: ['alpha'], permissions: ['MemoryRead'], owner: 'text' });
  await program.writeManifest([key]);
  await observing([{ percent: 100 }], { policy: { bundle: badBundle('misbehaving'), data } });
  const mark = program.recorder.mark();
  const { answer, record } = await sent(as(key.text));
  t.equal(answer?.status, 503);
  t.match(record, { code: 'policy.failed', effect: 'deny' });
  t.equal(program.recorder.requestsSince(mark).length, 0);
});

const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const stream = `GET /api/v1/monitoring/events?space=alpha HTTP/1.1\r\n${H}\r\n`;

await t.test('a stream that was only observed lasts as long as the rule', async (t) => {
  program.recorder.script({ request: (_, reply) => reply.write(`${head}b\r\ndata: 001\n\n\r\n`) });
  const rule = [{ routes: ['*'], spaces: ['alpha'] }];
  const brief = { upstream: { deadline_ms: 1_000, headers_timeout_ms: 900 } };
  await observing(rule, brief);
  const client = await Client.open({ port: program.port });
  t.teardown(() => client.close());
  client.write(stream);
  await client.until(() => client.bytes.includes('data: 001'));
  await observing([...rule, { percent: 0 }], brief);
  t.notOk(
    await client.until(() => client.isClosed, 1_500),
    'neither a deadline nor another generation with it ends it',
  );
  await observing([{ routes: ['memories.*'] }], brief);
  t.ok(await client.until(() => client.answers[0]?.isWhole === true, 5_000), 'one without it ends it');
  t.match(client.answers[0]?.body.toString(), /"code":"lease\.denied"/);
  program.recorder.script({});
});

await t.test('rules that nothing can fit are no rules', async (t) => {
  const wrong: readonly (readonly [config: Readonly<Record<string, unknown>>, message: RegExp])[] = [
    [{ observe: [{ routes: ['memory.*'] }] }, /observe\.0\.routes.*fits no route of the profile engram/],
    [{ observe: [{ spaces: ['Alpha!'] }] }, /spaces/],
    [{ observe: [{}] }, /must hold routes, spaces, subjects or percent/],
    [{ observe: [{ percent: 101 }] }, /percent/],
    [{ observe: inAlpha, enforcement: 'observe' }, /observes a part of what is enforced/],
  ];
  for (const [config, message] of wrong) {
    await program.writeConfig(config);
    const { status, body } = await program.reload();
    t.equal(status, 422);
    t.match(JSON.stringify(body), message);
  }
});

await t.test('audit observed tells who it is', async (t) => {
  await observing(inAlpha);
  await sent(recall('User-Agent: old-client/1.0 |*'));
  await program.audit.find(0, (record) => record['user_agent'] === 'old-client/1.0 |*');
  const told = await program.command(['audit', 'observed', '--format', 'json']);
  t.equal(told.code, 0, told.stderr);
  const report = JSON.parse(told.stdout);
  t.match(
    report.callers.find((each: { userAgent: string | null }) => each.userAgent !== null),
    { clientAddress: '127.0.0.1', subject: null, route: 'memories.recall', reason: 'absent', count: 1 },
  );
  t.match(
    report.callers.find((each: { subject: string | null }) => each.subject === KB.id),
    { code: 'authorize.denied', reason: /./ },
    'also those with a key that may not',
  );
  const all = program.audit.records().filter(({ effect }) => effect === 'would_deny');
  t.equal(report.wouldDeny, all.length, 'every one of them');
  t.equal(
    report.callers.reduce((sum: number, { count }: { count: number }) => sum + count, 0),
    all.length,
  );
  const page = await program.command(['audit', 'observed', '--format', 'markdown', '--since', '1h']);
  t.match(page.stdout, /^\| LAST SEEN \| REQUESTS \|.*\n\| --- /);
  t.match(page.stdout, 'old-client/1.0 \\|\\*', 'nothing in a cell ends it');
  const table = await program.command(['audit', 'observed']);
  t.match(
    table.stdout,
    /REQUESTS +ADDRESS[^]*identify\.unauthenticated \(absent\)[^]*requests of \d+ kinds would be refused/,
  );
  t.notMatch(told.stdout + page.stdout + table.stdout, new RegExp(KB.secret), 'and no secret');
  t.equal((await program.command(['audit', 'observed', '--since', 'yesterday'])).code, 2);
});

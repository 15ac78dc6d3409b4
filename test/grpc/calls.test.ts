import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import type { AuditRecord } from '../wire/support/audit.js';
import { startProgram } from '../wire/support/program.js';
import { answered, Caller, ended, MemoryServer, status, type Ended } from './support/calls.js';

const server = await MemoryServer.start();
t.teardown(() => server.stop());
const program = await startProgram(t, {
  config: { grpc: { listen: '127.0.0.1:0', upstream: `http://127.0.0.1:${server.port}` } },
});
const port = Number(/"grpc":"http:\/\/127\.0\.0\.1:(\d+)"/.exec(program.stderr)?.[1]);
const caller = new Caller(port);
t.teardown(() => caller.close());

/** Within this time leases are looked at. */
const sweptMs = 600;
const { KA, KR, KALL, KX } = program.keys;
const by = (key: { readonly text: string }, more: Readonly<Record<string, string>> = {}): Record<string, string> => ({
  authorization: `Bearer ${key.text}`,
  ...more,
});
const idOf = ({ head, trailers }: Ended): string =>
  String(head.get('x-request-id')[0] ?? trailers.get('x-request-id')[0]);
const decisionOf = (id: string): Promise<AuditRecord> =>
  program.audit.find(0, (record) => record.id === id && record.effect !== undefined);
const outcomeOf = (id: string): Promise<AuditRecord> =>
  program.audit.find(0, (record) => record.id === id && record['ended_by'] !== undefined);
const note = (space: string, content = 'x'): object => ({ memory_space_id: space, memory: { id: 'm', content } });

t.test('a call that may pass is recorded, goes on as it came, and comes back with its status', async (t) => {
  const done = await caller.call(
    'Remember',
    note('alpha'),
    by(KA, { 'x-forwarded-for': '10.1.1.1', 'x-auth-subject': 'root' }),
  );
  t.equal(done.code, status.OK);
  t.strictSame(done.answers[0]?.said, 'Remember in alpha');
  const { metadata } = server.got.at(-1)!;
  const id = idOf(done);
  t.strictSame(metadata.get('x-request-id'), [id], 'the memory server is told the id');
  t.ok(program.audit.hasAllowed(id), 'and the decision is on disk');
  t.strictSame(metadata.get('x-auth-subject'), [KA.id], 'and who calls, by us alone');
  t.strictSame(metadata.get('x-auth-spaces'), ['alpha']);
  t.strictSame(metadata.get('x-forwarded-for'), ['127.0.0.1']);
  t.strictSame(metadata.get('authorization'), [], 'but never the credential');
  t.strictSame(done.trailers.get('x-debug'), [], 'no trailer but the three passes');
  t.match(await decisionOf(id), { route: 'grpc.remember', action: 'memory:write', spaces: { ids: ['alpha'] } });
  t.match(await outcomeOf(id), { status: 200, ended_by: 'completed', not_forwarded: null });
  const failed = await caller.call('Remember', note('alpha', 'fail'), by(KA));
  t.match(failed, { code: status.NOT_FOUND, details: 'no such memory: 100 %' }, 'an error of the memory server');
  t.match(await outcomeOf(idOf(failed)), { status: 404, code: null, ended_by: 'completed' });
});

interface Refusal {
  readonly name: string;
  readonly method?: string;
  readonly message?: object;
  readonly fields: Readonly<Record<string, string>>;
  readonly code: number;
  readonly says: string;
}

const refused: readonly Refusal[] = [
  { name: 'no key', fields: {}, code: status.UNAUTHENTICATED, says: 'identify.unauthenticated' },
  { name: 'an expired key', fields: by(KX), code: status.UNAUTHENTICATED, says: 'identify.unauthenticated' },
  {
    name: 'two credentials',
    fields: by(KA, { 'x-api-key': KA.text }),
    code: status.INVALID_ARGUMENT,
    says: 'identify.many-credentials',
  },
  {
    name: 'a foreign space',
    message: note('beta'),
    fields: by(KA),
    code: status.PERMISSION_DENIED,
    says: 'authorize.denied',
  },
  {
    name: 'no space, which is the default one',
    message: note(''),
    fields: by(KA),
    code: status.PERMISSION_DENIED,
    says: 'authorize.denied',
  },
  { name: 'no right', fields: by(KR), code: status.PERMISSION_DENIED, says: 'authorize.denied' },
  {
    name: 'an unknown space',
    message: note('ghost'),
    fields: by(KALL),
    code: status.PERMISSION_DENIED,
    says: 'space.unknown',
  },
  {
    name: 'a space in another form',
    message: note(' alpha '),
    fields: by(KA),
    code: status.INVALID_ARGUMENT,
    says: 'space.malformed',
  },
  {
    name: 'metadata that names another space',
    fields: by(KA, { 'x-memory-space': 'beta' }),
    code: status.INVALID_ARGUMENT,
    says: 'space.conflict',
  },
  {
    name: 'metadata that names what the message does not',
    message: note(''),
    fields: by(KA, { 'x-memory-space': 'alpha' }),
    code: status.INVALID_ARGUMENT,
    says: 'space.conflict',
  },
  {
    name: 'an unknown method',
    method: 'Gather',
    fields: by(KALL),
    code: status.UNIMPLEMENTED,
    says: 'resolve.unknown-route',
  },
  {
    name: 'a method that is denied on purpose',
    method: 'MemoryStream',
    fields: by(KALL),
    code: status.UNIMPLEMENTED,
    says: 'resolve.unknown-route',
  },
  {
    name: 'a query that writes, without the right',
    method: 'ExecuteQuery',
    message: { memory_space_id: 'alpha', query_text: '# x\nconsolidate all' },
    fields: by(KR),
    code: status.PERMISSION_DENIED,
    says: 'authorize.denied',
  },
  {
    name: 'figures of all, with a key for one space',
    method: 'Introspect',
    message: {},
    fields: by(KA),
    code: status.PERMISSION_DENIED,
    says: 'authorize.denied',
  },
  {
    name: 'figures of all that would create a space',
    method: 'Introspect',
    message: { memory_space_id: 'ghost' },
    fields: by(KALL),
    code: status.INVALID_ARGUMENT,
    says: 'resolve.body',
  },
];

for (const { name, method = 'Remember', message = note('alpha'), fields, code, says } of refused)
  t.test(`refused: ${name}`, async (t) => {
    const before = server.got.length;
    const isOpen = method === 'Gather' || method === 'MemoryStream';
    const call = isOpen ? caller.open(method, fields) : null;
    call?.write(message);
    call?.end();
    const done = call === null ? await caller.call(method, message, fields) : await ended(call);
    t.equal(done.code, code, done.details);
    t.notMatch(done.details, /ghost|alpha|beta/, 'nothing of the request is said again');
    t.equal(server.got.length, before, 'nothing went on');
    t.match(await decisionOf(idOf(done)), { effect: 'deny', code: says });
  });

t.test('queries that read pass, and the same method with a right to write consolidates', async (t) => {
  const read = { memory_space_id: 'alpha', query_text: 'RECALL x' };
  t.equal((await caller.call('ExecuteQuery', read, by(KR))).code, status.OK);
  t.equal((await caller.call('ExecuteQuery', { ...read, query_text: 'CONSOLIDATE' }, by(KA))).code, status.OK);
  t.equal((await caller.call('Recall', { memory_space_id: 'alpha' }, { 'x-api-key': KR.text })).code, status.OK);
});

t.test('an answer in parts', async (t) => {
  const done = await caller.call('Dream', { memory_space_id: 'alpha' }, by(KA));
  t.match({ code: done.code, count: done.answers.length }, { code: status.OK, count: 3 });
  t.match(await outcomeOf(idOf(done)), { ended_by: 'completed' });
});

t.test('each message of a stream is a decision of its own, and a no ends the call', async (t) => {
  const before = server.got.length;
  const mark = program.audit.mark();
  const call = caller.open('StreamingRemember', by(KA));
  const end = ended(call);
  call.write(note('alpha', 'one'));
  call.write(note('alpha', 'two'));
  await answered(call, 1);
  call.write(note('beta', 'three'));
  const done = await end;
  t.equal(done.code, status.PERMISSION_DENIED);
  t.strictSame(
    server.got.slice(before).map(({ message }) => message.memory.content),
    ['one', 'two'],
    'the third did not go on',
  );
  const id = idOf(done);
  await outcomeOf(id);
  const records = program.audit
    .since(mark)
    .filter(({ effect, session }) => effect !== undefined && (session === id || session === null));
  t.match(records, [
    { id, effect: 'allow', session: null },
    { effect: 'allow', session: id },
    { effect: 'deny', session: id, code: 'authorize.denied', spaces: { ids: ['beta'] } },
  ]);
  t.equal(new Set(records.map((record) => record.id)).size, 3, 'each has an id of its own');
  t.match(await outcomeOf(records[1]?.id ?? ''), { status: 200, ended_by: 'completed' });
  t.match(await outcomeOf(id), { status: 403, code: 'authorize.denied', ended_by: 'gateway', not_forwarded: null });
});

t.test('a caller with every space may go from one to the other', async (t) => {
  const call = caller.open('StreamingRemember', by(KALL));
  const end = ended(call);
  call.write(note('alpha'));
  call.write(note('beta'));
  call.end();
  const done = await end;
  t.match(
    { code: done.code, said: done.answers.map(({ said }) => said) },
    {
      code: status.OK,
      said: ['StreamingRemember in alpha', 'StreamingRemember in beta'],
    },
  );
});

t.test('a stream that begins in one space stays there, where the server keeps a session', async (t) => {
  const observe = async (...messages: object[]): Promise<Ended> => {
    const call = caller.open('ObserveStream', by(KALL));
    const end = ended(call);
    for (const message of messages) call.write(message);
    call.end();
    return end;
  };
  const init = { memory_space_id: 'alpha', init: {} };
  t.equal((await observe(init, { observation: {} }, { memory_space_id: 'alpha', observation: {} })).code, status.OK);
  const switched = await observe(init, { memory_space_id: 'beta', init: {} });
  t.equal(switched.code, status.INVALID_ARGUMENT);
  t.match(await outcomeOf(idOf(switched)), { code: 'space.conflict' });
  t.match(await decisionOf(idOf(await observe({ init: {} }))), { effect: 'deny', code: 'space.absent' });
});

t.test('a message within the message names its own right, and no other space', async (t) => {
  const flow = async (key: { readonly text: string }, message: object): Promise<Ended> => {
    const call = caller.open('MemoryFlow', by(key));
    const end = ended(call);
    call.write({ memory_space_id: 'alpha', ...message });
    call.end();
    return end;
  };
  t.equal((await flow(KR, { recall: { cue: 'x' } })).code, status.OK);
  t.equal((await flow(KR, { remember: {} })).code, status.PERMISSION_DENIED);
  t.equal((await flow(KA, { remember: { memory_space_id: 'beta' } })).code, status.INVALID_ARGUMENT);
});

t.test('a call that lasts is looked at again by the right that its message named', async (t) => {
  const call = caller.open('MemoryFlow', by(KR));
  const end = ended(call);
  call.write({ memory_space_id: 'alpha', recall: { cue: 'x' } });
  await answered(call, 1);
  await sleep(sweptMs);
  call.write({ memory_space_id: 'alpha', recall: { cue: 'y' } });
  await answered(call, 1);
  call.end();
  const done = await end;
  t.equal(done.code, status.OK, 'a reader may read on');
  t.equal(done.answers.length, 2);
});

t.test('who leaves breaks its call off at the memory server too', async (t) => {
  const before = server.cancelled;
  const call = caller.open('StreamingRemember', by(KA));
  const end = ended(call);
  call.write(note('alpha'));
  await answered(call, 1);
  call.cancel();
  await end;
  const left = await program.audit.find(0, ({ ended_by: by_, status: code }) => by_ === 'client' && code === 0);
  t.equal(left['not_forwarded'], null);
  await program.audit.until(() => (server.cancelled > before ? true : undefined));
  t.ok(server.cancelled > before);
});

t.test('the time that a caller gives is bounded and passed on', async (t) => {
  const started = performance.now();
  const done = await caller.call('Remember', note('alpha', 'never'), by(KA), 400);
  t.equal(done.code, status.DEADLINE_EXCEEDED);
  t.ok(performance.now() - started < 4_000);
  const wanted = server.got.at(-1)!.metadata.get('grpc-timeout');
  t.strictSame(wanted, [], 'the library takes it for itself');
});

t.test('a message of four megabytes passes byte for byte, and not one byte more', async (t) => {
  const overhead = Buffer.byteLength('alpha') + 2 + 1 + 4;
  const payload = Buffer.alloc(4 * 1_048_576 - overhead, 7);
  const whole = await caller.call('Remember', { memory_space_id: 'alpha', payload }, by(KA));
  t.equal(whole.code, status.OK, whole.details);
  t.ok(Buffer.from(server.got.at(-1)!.message.payload as Buffer).equals(payload));
  const before = server.got.length;
  const more = await caller.call(
    'Remember',
    { memory_space_id: 'alpha', payload: Buffer.alloc(payload.length + 1) },
    by(KA),
  );
  t.equal(more.code, status.RESOURCE_EXHAUSTED);
  t.equal(server.got.length, before);
});

t.test('a memory server that is away, and comes back', async (t) => {
  const { port: place } = server;
  server.stop();
  const away = await caller.call('Remember', note('alpha'), by(KA));
  t.equal(away.code, status.UNAVAILABLE);
  t.match(await outcomeOf(idOf(away)), { code: 'upstream.unreachable' });
  await server.listen(place);
  t.equal((await caller.call('Remember', note('alpha'), by(KA))).code, status.OK);
});

t.test('a key that is revoked ends its streams within a second', async (t) => {
  server.dreams = 0;
  const call = caller.open('StreamingRemember', by(KA), 20_000);
  const end = ended(call);
  call.write(note('alpha'));
  await answered(call, 1);
  const dream = caller.call('Dream', { memory_space_id: 'alpha' }, by(KA), 20_000);
  await program.audit.find(0, ({ route, effect }) => route === 'grpc.dream' && effect === 'allow');
  t.equal((await program.command(['auth', 'revoke-key', KA.id, '--reason', 'test only', '--yes'])).code, 0);
  const revoked = performance.now();
  for (const done of await Promise.all([end, dream])) {
    t.equal(done.code, status.UNAUTHENTICATED);
    t.match(await outcomeOf(idOf(done)), { code: 'lease.revoked', ended_by: 'gateway' });
  }
  t.ok(performance.now() - revoked < 3_000);
  t.equal((await caller.call('Remember', note('alpha'), by(KA))).code, status.UNAUTHENTICATED, 'and no call passes');
});

t.test('no secret, no bug, and a log that is whole', async (t) => {
  t.equal(program.exit, null);
  t.notMatch(program.stderr, /"msg":"bug"|uncaught/);
  const texts = program.audit.textSince(0) + program.stderr;
  t.notOk([KA, KR, KALL].some(({ secret }) => texts.includes(secret)));
  const decisions = program.audit.records().filter(({ effect }) => effect !== undefined);
  t.equal(new Set(decisions.map(({ id }) => id)).size, decisions.length, 'one decision for each id');
  await program.stop();
  const verified = await program.command(['audit', 'verify']);
  t.equal(verified.code, 0, verified.stderr + verified.stdout);
});

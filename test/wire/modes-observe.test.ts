import t from 'tap';
import type { AuditRecord } from './support/audit.js';
import { H, J, SA } from './support/cases.js';
import { good } from './support/invariants.js';
import { makeKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import type { RecordedRequest } from './support/recorder.js';
import { as, recall } from './support/steps.js';
import { send, type Answer } from './support/wire.js';

const data = t.testdir({
  'tiers.yaml':
    'unlimited: { limits: [] }\n' +
    'free: { limits: [{ id: tier, key: [subject], algorithm: token_bucket, rate: 1, per: 60, burst: 1, cost: 1 }] }\n',
});
const observe = {
  enforcement: 'observe',
  policy: { data },
  // Small enough to fill in a moment.
  audit: { segment_bytes: 65_536, max_bytes: 262_144, reserve_bytes: 0 },
};
const program = await startProgram(t, { config: observe });

interface Passed {
  readonly answer: Answer | undefined;
  readonly request: RecordedRequest | undefined;
  readonly record: AuditRecord;
}

/** Sends one request and gives what became of it everywhere. */
async function observed(bytes: string): Promise<Passed> {
  const [mark, audit] = [program.recorder.mark(), program.audit.mark()];
  const [answer] = (await send(program.port, bytes)).answers;
  const id = answer?.header('x-request-id');
  const record = await program.audit.find(audit, (each) => each.id === id && each.effect !== undefined);
  return { answer, request: program.recorder.requestsSince(mark)[0], record };
}

await t.test('observe records what enforce would refuse, and lets it pass', async (t) => {
  const { KB, KV } = program.keys;
  const cases: readonly (readonly [name: string, bytes: string, code: string])[] = [
    ['no credential', recall(''), 'identify.unauthenticated'],
    ['a revoked key', as(KV.text), 'identify.unauthenticated'],
    [
      'two credentials',
      recall(`Authorization: Bearer ${KB.text}\r\nX-API-Key: ${KB.text}`),
      'identify.many-credentials',
    ],
    ['a space of others', as(KB.text), 'authorize.denied'],
    ['carriers that differ', as(KB.text, 'q=x&space=beta'), 'space.conflict'],
    ['an unknown route', as(KB.text).replace('/memories/recall', '/nothing'), 'resolve.unknown-route'],
    [
      'a body that is no JSON',
      `POST /api/v1/memories/remember HTTP/1.1\r\n${H}${SA}${J}Authorization: Bearer ${program.keys.KA.text}\r\nContent-Length: 3\r\n\r\n{x}`,
      'resolve.body',
    ],
  ];
  for (const [name, bytes, code] of cases) {
    const { answer, request, record } = await observed(bytes);
    t.equal(answer?.status, 200, `${name}: passes`);
    t.match(record, { effect: 'would_deny', code, enforcement: 'observe' }, `${name}: recorded`);
    const [line, ...lines] = bytes.slice(0, bytes.indexOf('\r\n\r\n')).split('\r\n');
    t.equal(
      `${request?.method ?? ''} ${request?.target ?? ''} HTTP/1.1`,
      line,
      `${name}: method and target as they were sent`,
    );
    for (const header of lines.filter((each) => !each.startsWith('Host'))) {
      const value = header.slice(header.indexOf(':') + 2);
      t.strictSame(
        request?.values(header.slice(0, header.indexOf(':'))),
        [value],
        `${name}: its own ${header.slice(0, header.indexOf(':'))}`,
      );
    }
    t.equal(request?.body.toString(), bytes.slice(bytes.indexOf('\r\n\r\n') + 4), `${name}: its own body`);
    t.strictSame(request?.values('x-auth-subject'), [], `${name}: nobody is vouched for`);
    t.equal(request?.values('x-request-id')[0], answer?.header('x-request-id'), `${name}: under our id`);
  }
});

await t.test('observe records what enforce would allow', async (t) => {
  const { answer, request, record } = await observed(good(program));
  t.equal(answer?.status, 200);
  t.match(record, { effect: 'allow', enforcement: 'observe', subject: { id: program.keys.KA.id } });
  t.strictSame(request?.values('authorization'), [`Bearer ${program.keys.KA.text}`], 'with its own credential');
});

await t.test('observe still refuses unsafe framing and targets', async (t) => {
  const mark = program.recorder.mark();
  const unsafe = [
    `POST /api/v1/memories/remember HTTP/1.1\r\n${H}${SA}${J}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    recall('').replace('/memories/recall', '/memories/../spaces'),
    recall('').replace('/memories/recall', '/memories%2frecall'),
    recall(H.trimEnd()),
    recall('Connection: Authorization'),
    recall('Expect: bogus'),
  ];
  for (const bytes of unsafe) {
    const [answer] = (await send(program.port, bytes)).answers;
    t.ok((answer?.status ?? 0) >= 400, `refused with ${answer?.status ?? 0}`);
  }
  t.equal(program.recorder.requestsSince(mark).length, 0, 'nothing reached the upstream');
});

await t.test('observe only counts limits', async (t) => {
  const key = await makeKey('limited', { spaces: ['alpha'], permissions: ['MemoryRead'], tier: 'free' });
  await program.writeManifest([key]);
  t.equal((await program.reload()).status, 200, 'reloaded');
  const effects: (string | null | undefined)[] = [];
  for (let n = 0; n < 4; n += 1) {
    const { answer, record } = await observed(as(key.text));
    t.equal(answer?.status, 200, 'passes');
    effects.push(record.code);
  }
  t.strictSame(effects, [null, 'limit.exceeded', 'limit.exceeded', 'limit.exceeded'], 'the record tells');
  t.equal(await program.metric('rate_limit_hits_total{limit="tier",tier="free"}'), 3, 'and so does the metric');
});

await t.test('observe does not open the door of the operators', async (t) => {
  const post = (line: string): string => `POST /-/reload HTTP/1.1\r\n${H}${line}Content-Length: 0\r\n\r\n`;
  const ask = async (line: string): Promise<number | undefined> =>
    (await send(program.adminPort, post(line))).answers[0]?.status;
  t.equal(await ask(''), 401, 'without a credential');
  t.equal(await ask(`Authorization: Bearer ${program.keys.KA.text}\r\n`), 403, 'without the right');
});

await t.test('observe counts lost records, and lets pass', async (t) => {
  let sent = 0;
  while ((await program.metric('audit_lost_total')) === 0 && sent < 1_000) {
    const statuses = await Promise.all(
      Array.from({ length: 20 }, async () => (await send(program.port, good(program))).answers[0]?.status),
    );
    t.ok(
      statuses.every((status) => status === 200),
      'everything passes',
    );
    sent += statuses.length;
  }
  t.ok((await program.metric('audit_lost_total')) > 0, `records are lost after ${sent} requests, and counted`);
  t.equal((await send(program.port, good(program))).answers[0]?.status, 200, 'and it still passes');
  const mark = program.recorder.mark();
  t.equal((await send(program.port, recall(''))).answers[0]?.status, 200, 'so does who is unknown, counted only');
  t.equal(program.recorder.requestsSince(mark).length, 1);
  t.equal((await program.reload()).status, 503, 'while the door of the operators, which enforces, is shut');
});

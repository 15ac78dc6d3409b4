import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomInt } from 'node:crypto';
import fc from 'fast-check';
import t from 'tap';
import { auditFamilies, type JsonValue } from '../../src/model/audit.js';
import { faults, Fault, refusals, refuse, type Code } from '../../src/model/codes.js';
import { Observed, Receipt } from '../../src/model/proofs.js';
import { anonymous, type Subject } from '../../src/model/subject.js';
import type { Outcome, Trail } from '../../src/model/trail.js';
import { auditEventTypes, createRecord, readAuditTail, verifyAuditLog } from '../../src/record/record.js';
import { reservedEventTypes } from '../../src/record/events.js';
import { typeOf } from '../../src/record/verdicts.js';
import { alice, clock, keyEvent, opened, sample, type Opened } from './fixtures/sample.js';

const strict = { content: 'strict', metadata: 'strict', metrics: 'strict' } as const;
const done: Outcome = {
  status: 200,
  endedBy: 'completed',
  notForwarded: null,
  code: null,
  requestBytes: 312,
  responseBytes: 11,
  upstreamMs: 1.5,
};
const stageOf = ({ log, counted }: Opened, durability: Parameters<typeof createRecord>[0]['durability'] = strict) =>
  createRecord({ log, meter: counted.meter, clock, durability });

t.test('decision() and outcome() write every field', async (t) => {
  const dir = t.testdir();
  const world = await opened(dir);
  const stage = stageOf(world);
  const { admission, trail } = sample();
  const receipt = await stage.decision(admission, trail);
  t.type(receipt, Receipt);
  t.equal(receipt.admission, admission);
  const [decision] = await readAuditTail(dir, 1);
  t.strictSame(Object.keys(decision ?? {}), [
    'seq',
    'time',
    'prev',
    'type',
    'severity',
    'id',
    'subject',
    'client_address',
    'user_agent',
    'client_request_id',
    'session',
    'method',
    'path',
    'route',
    'action',
    'permission',
    'class',
    'spaces',
    'effect',
    'code',
    'detail',
    'reasons',
    'missing',
    'tier',
    'limit',
    'generation',
    'enforcement',
    'input',
    'decision',
    'hash',
  ]);
  t.match(decision, {
    type: 'authorization.allowed',
    severity: 'info',
    id: trail.raw.id,
    effect: 'allow',
    code: null,
    session: null,
    subject: { kind: 'api_key', id: alice.id, owner: 'team-search' },
    client_address: '10.0.3.7',
    user_agent: 'agent/1.0',
    client_request_id: 'client-1',
    method: 'POST',
    path: '/api/v1/memories/remember',
    route: 'memories.remember',
    action: 'memory:write',
    permission: 'MemoryWrite',
    class: 'content',
    tier: 'pro',
    enforcement: 'enforce',
    stated: null,
    spaces: { all: false, ids: ['alpha'], unknown: [], explicit: true },
    limit: { id: 'tier', limit: 1000, per_s: 60, remaining: 99, reset_at_s: 1_790_000_001 },
    input: JSON.parse(trail.input ?? '') as unknown,
    decision: trail.decision,
  });
  const line = readFileSync(join(dir, '000001.jsonl'), 'utf8');
  t.ok(line.includes(`"input":${trail.input ?? ''},`), 'the input is verbatim');
  t.notOk(line.includes('secret-query'), 'the query is not in the record');
  stage.outcome(trail, done);
  stage.outcome(trail, done);
  await world.log.flush();
  const [before, outcome] = await readAuditTail(dir, 2);
  t.equal(before?.['type'], 'authorization.allowed', 'one outcome a decision');
  t.match(outcome, {
    type: 'memory.completed',
    id: trail.raw.id,
    status: 200,
    code: null,
    request_bytes: 312,
    response_bytes: 11,
    duration_ms: Number,
    upstream_ms: 1.5,
    ended_by: 'completed',
    not_forwarded: null,
  });
  t.match(world.counted.requests, [{ method: 'POST', route: 'memories.remember', status: 200, code: null }, {}]);
  await world.log.close();
});

t.test('outcome() tells how it ended', async (t) => {
  const dir = t.testdir();
  const world = await opened(dir);
  const stage = stageOf(world);
  const cases: [Partial<Outcome>, string][] = [
    [
      { status: 502, code: 'upstream.unreachable', notForwarded: 'upstream.unreachable', endedBy: 'gateway' },
      'memory.not-forwarded',
    ],
    [{ endedBy: 'client' }, 'memory.interrupted'],
    [{ endedBy: 'upstream', code: 'upstream.aborted' }, 'memory.interrupted'],
  ];
  for (const [i, [outcome, type]] of cases.entries()) {
    const { admission, trail } = sample({ id: `R${String(i)}` });
    await stage.decision(admission, trail);
    await stage.refusal(trail, new Fault('upstream.unreachable', 'a fault behind the decision makes no second one'));
    stage.outcome(trail, { ...done, ...outcome });
    await world.log.flush();
    t.match((await readAuditTail(dir, 1))[0], {
      type,
      id: `R${String(i)}`,
      not_forwarded: outcome.notForwarded ?? null,
    });
  }
  t.strictSame(world.counted.upstreamErrors, ['upstream.unreachable', 'upstream.aborted'], 'and the metric counts');
  await world.log.close();
  t.equal(
    (await readAuditTail(dir, 100)).length,
    2 + 2 * cases.length,
    'header, a decision and an outcome each, checkpoint',
  );
});

t.test('decision() is a Fault when the log takes nothing, whatever the durability', async (t) => {
  const dir = t.testdir();
  const world = await opened(dir);
  const { admission, trail } = sample({ permission: 'MemoryRead' });
  const write = sample({ id: 'W1' });
  await world.log.close();
  await t.rejects(stageOf(world).decision(admission, trail), { code: 'record.unavailable' });
  const buffered = stageOf(world, { ...strict, content: 'buffered' });
  await t.rejects(
    buffered.decision(admission, trail),
    { code: 'record.unavailable' },
    'a read neither, whatever its durability',
  );
  await t.rejects(buffered.decision(write.admission, write.trail), { code: 'record.unavailable' }, 'a write never is');
  t.equal(world.counted.lost, 3);
});

t.test('decision() of a buffered read does not wait for the disk', async (t) => {
  const dir = t.testdir();
  const world = await opened(dir);
  const buffered = stageOf(world, { ...strict, content: 'buffered' });
  const { admission, trail } = sample({ permission: 'MemoryRead' });
  const { lastSequence } = world.log.status();
  t.type(await buffered.decision(admission, trail), Receipt);
  t.match(world.log.status(), { lastSequence, queued: 1 }, 'the record is still on its way');
  await world.log.close();
  t.match((await readAuditTail(dir, 2))[0], { type: 'authorization.allowed', id: trail.raw.id });
});

t.test('refusal() waits for the disk where the caller is known, and never throws', async (t) => {
  const dir = t.testdir();
  const world = await opened(dir, { refusalsPerSecondPerAddress: 3 });
  const stage = stageOf(world);
  const { trail } = sample();
  const denied = {
    ...trail,
    decision: { ...(trail.decision ?? never()), allow: false, reasons: ['role.missing'], missing: ['MemoryWrite'] },
  };
  await stage.refusal(denied, refuse('authorize.denied', 'needs MemoryWrite'));
  const [record] = await readAuditTail(dir, 1);
  t.match(record, {
    type: 'authorization.denied',
    severity: 'warning',
    effect: 'deny',
    code: 'authorize.denied',
    detail: 'needs MemoryWrite',
    reasons: ['role.missing'],
    missing: ['MemoryWrite'],
    subject: { id: alice.id },
  });
  await stage.refusal(trail, new Fault('policy.failed', 'the engine threw'));
  t.match((await readAuditTail(dir, 1))[0], {
    type: 'policy.failed',
    severity: 'error',
    code: 'policy.failed',
    effect: 'deny',
  });
  const unknown = { ...trail, request: null, subject: null, target: null, decision: null, input: null, limit: null };
  for (let n = 0; n < 10; n += 1)
    t.equal(stage.refusal(unknown, refuse('identify.unauthenticated', 'wrong')), undefined, 'nobody waits');
  t.equal(
    stage.refusal({ ...trail, subject: anonymous }, refuse('resolve.unknown-route', 'x')),
    undefined,
    'anonymous is under the budget too',
  );
  stage.malformed({ id: 'M1', address: '10.9.9.9', code: 'gate.malformed' });
  stage.outcome(unknown, {
    ...done,
    status: 401,
    code: 'identify.unauthenticated',
    notForwarded: 'identify.unauthenticated',
  });
  await world.log.close();
  const all = await readAuditTail(dir, 100);
  t.match(
    all.find(({ type }) => type === 'auth.failed'),
    { subject: null, path: '/api/v1/memories/remember', route: null, spaces: null },
  );
  t.match(
    all.find(({ type }) => type === 'security.malformed-request'),
    { id: 'M1', client_address: '10.9.9.9', code: 'gate.malformed' },
  );
  t.strictSame(world.counted.refusals, ['gate.malformed']);
  const folded = Number(all.find(({ type }) => type === 'security.refusals-folded')?.['count']);
  t.equal(all.filter(({ type }) => type === 'auth.failed').length + folded, 11, 'ten failures and the anonymous one');
  t.notOk(
    all.some(({ type }) => String(type).startsWith('memory.')),
    'a refusal has no outcome record',
  );
  t.notOk(all.some((record) => JSON.stringify(record).includes('secret-query')));
  await t.resolves(Promise.resolve(stage.refusal(trail, new Fault('self.bug', 'x'))), 'a closed log throws nothing');
});

const never = (): never => {
  throw new Error('impossible');
};

t.test('observed() notes what enforce would have done, and blocks nothing', async (t) => {
  const dir = t.testdir();
  const world = await opened(dir);
  const stage = stageOf(world);
  const { trail } = sample();
  const watched = { ...trail, enforcement: 'observe' as const };
  t.type(await stage.observed(watched, refuse('limit.exceeded', 'tier')), Observed);
  stage.outcome(watched, done);
  t.type(await stage.observed({ ...watched, raw: { ...watched.raw, id: 'R2' } }, null), Observed);
  await world.log.close();
  const [, would, outcome, allow] = await readAuditTail(dir, 100);
  t.match(would, {
    type: 'authorization.would-deny',
    effect: 'would_deny',
    code: 'limit.exceeded',
    enforcement: 'observe',
  });
  t.match(outcome, { type: 'memory.completed', id: trail.raw.id });
  t.match(allow, { type: 'authorization.allowed', effect: 'allow', code: null, id: 'R2' });
  t.type(await stage.observed(watched, null), Observed, 'a lost record is counted, not blocking');
  t.equal(world.counted.lost, 1);
  await t.rejects(stage.observed({ ...watched, request: null }, null), /gate/);
});

t.test('observed() and the outcome of unknown callers keep to the budget', async (t) => {
  const dir = t.testdir();
  const world = await opened(dir, { refusalsPerSecondPerAddress: 3 });
  const stage = stageOf(world);
  const observe = async (n: number, subject: Subject | null): Promise<void> => {
    const { trail } = sample({ id: `R${String(n)}` });
    const watched = { ...trail, subject, enforcement: 'observe' as const };
    t.type(await stage.observed(watched, subject === null ? refuse('identify.unauthenticated', '') : null), Observed);
    await stage.refusal(watched, new Fault('upstream.unreachable', 'told by the outcome'));
    stage.outcome(watched, done);
  };
  const second = Math.floor(clock.monotonicMs() / 1_000);
  for (let n = 0; n < 40; n += 1) await observe(n, n % 2 === 0 ? null : anonymous);
  const seconds = 1 + Math.floor(clock.monotonicMs() / 1_000) - second;
  for (let n = 40; n < 50; n += 1) await observe(n, alice);
  await world.log.close();
  const all = await readAuditTail(dir, 200);
  const ofUnknown = all.filter(({ effect, subject }) => effect !== undefined && isUnknown(subject));
  t.ok(ofUnknown.length >= 3 && ofUnknown.length <= 3 * seconds, `${String(ofUnknown.length)} of 40 are written`);
  t.equal(all.filter(({ type }) => type === 'memory.completed').length, ofUnknown.length + 10, 'an outcome for each');
  const folded = all.filter(({ type }) => type === 'security.refusals-folded');
  const sum = folded.reduce((count, record) => count + Number(record['count']), 0);
  t.equal(ofUnknown.length + sum, 40, 'the rest is counted');
  t.match(folded[0]?.['by_code'], { 'identify.unauthenticated': Number, 'authorization.allowed': Number });
  t.notOk(
    all.some(({ effect }) => effect === 'deny'),
    'a request that was folded has no second record either',
  );
});

t.test('observed() and the outcome of unknown callers leave the reserve alone', async (t) => {
  const dir = t.testdir();
  const world = await opened(dir, { maxBytes: 80_000, reserveBytes: 65_536 });
  const stage = stageOf(world);
  const watch = (id: string, subject: Subject | null): Trail => ({
    ...sample({ id }).trail,
    subject,
    enforcement: 'observe',
  });
  const before = watch('BEFORE', null);
  await stage.observed(before, null);
  while (world.log.status().bytes + 65_536 < 80_000) await world.log.commit(keyEvent(1));
  await stage.observed(watch('WITHIN', anonymous), null);
  stage.outcome(before, done);
  const known = watch('KNOWN', alice);
  await stage.observed(known, null);
  stage.outcome(known, done);
  await world.log.close();
  const ids = (await readAuditTail(dir, 500)).filter(({ id }) => id !== undefined).map(({ type, id }) => [type, id]);
  t.strictSame(ids, [
    ['authorization.allowed', 'BEFORE'],
    ['authorization.allowed', 'KNOWN'],
    ['memory.completed', 'KNOWN'],
  ]);
  const folded = (await readAuditTail(dir, 500)).find(({ type }) => type === 'security.refusals-folded');
  t.match(folded, { by_cause: { reserve: 2 }, by_code: { 'authorization.allowed': 1, 'memory.completed': 1 } });
  t.equal(world.counted.lost, 0);
});

const isUnknown = (subject: unknown): boolean =>
  subject === null || (typeof subject === 'object' && 'kind' in subject && subject.kind === 'anonymous');

t.test('every code has a type, and every family has types', (t) => {
  const codes = [...Object.keys(refusals), ...Object.keys(faults)] as Code[];
  for (const code of codes) t.ok(typeOf(code) in auditEventTypes, code);
  t.equal(typeOf('store.unavailable'), 'system.unavailable');
  t.equal(typeOf('policy.undefined'), 'authorization.denied');
  for (const code of Object.keys(refusals) as Code[])
    t.not(typeOf(code), 'system.unavailable', `${code}: the caller was refused, and nothing was out of order`);
  const names = Object.keys(auditEventTypes);
  t.ok(names.length >= 30);
  for (const family of auditFamilies)
    t.ok(
      [...names, ...Object.keys(reservedEventTypes)].some((name) => name.startsWith(`${family}.`)),
      family,
    );
  t.end();
});

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 3_000 }),
  fc.string({
    unit: fc.constantFrom(
      '\u001b[2J',
      '\u0007',
      '\u2028',
      '\u202e',
      '\u0000',
      '\ud800',
      '\udc00',
      '\\',
      '"',
      '\n',
      '\u009b',
      '€',
      '😀',
      '\u007f',
    ),
    maxLength: 3_000,
  }),
);
const json: fc.Arbitrary<JsonValue> = fc.letrec<{ value: JsonValue }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5 },
    hostile,
    fc.double(),
    fc.boolean(),
    fc.constant(null),
    fc.array(tie('value'), { maxLength: 300 }),
    fc.dictionary(fc.oneof(hostile, fc.constantFrom('seq', 'hash', 'type', '__proto__')), tie('value')),
  ),
})).value;

// What a record may hold on disk: printable characters, and those beyond ASCII that neither break lines nor steer terminals.
const steering = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff\ufff9-\ufffb]/;

t.test('AU-08 whatever a record holds, it is one JSON line of at most 8 KiB that steers no terminal', async (t) => {
  const dir = t.testdir();
  const world = await opened(dir);
  const stage = stageOf(world);
  const seed = randomInt(2 ** 31 - 1);
  t.comment(`seed ${String(seed)}`);
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.dictionary(hostile, json),
      fc.array(hostile, { maxLength: 300 }),
      hostile,
      async (fields, list, text) => {
        const { admission, trail } = sample({
          id: `R${String(sent)}`,
          path: text,
          userAgent: text,
          spaces: list,
          reasons: list,
          subject: { ...alice, owner: text },
          input: JSON.stringify({ text, list }),
        });
        await Promise.all([
          world.log.commit({ ...keyEvent(1), fields, verbatim: { extra: JSON.stringify(text) } }),
          stage.decision(admission, trail),
          stage.refusal(trail, refuse('authorize.denied', text, { reasons: list, missing: list })),
        ]);
        sent += 1;
      },
    ),
    { numRuns: 150, seed },
  );
  await world.log.close();
  const names = ['000001.jsonl', '000002.jsonl', '000003.jsonl', '000004.jsonl', '000005.jsonl'];
  let lines = 0;
  for (const name of names) {
    const bytes = readIfThere(join(dir, name));
    for (const line of bytes.split('\n').slice(0, -1)) {
      lines += 1;
      if (Buffer.byteLength(line) >= 8_192 || steering.test(line)) t.fail(`bad line ${line.slice(0, 200)}`);
      JSON.parse(line);
    }
  }
  t.ok(lines >= sent * 3, `${String(lines)} lines`);
  t.match(await verifyAuditLog(dir), { ok: true, problems: [] });
  t.equal(world.counted.lost, 0);
});

const readIfThere = (path: string): string => {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
};

t.test('a long input and a long decision are left out, and it is said', async (t) => {
  const dir = t.testdir();
  const world = await opened(dir);
  const stage = stageOf(world);
  const { admission, trail } = sample({
    input: JSON.stringify({ text: 'x'.repeat(5_000) }),
    spaces: Array.from({ length: 40 }, (_, n) => `s${String(n)}`),
  });
  await stage.decision(admission, trail);
  t.match((await readAuditTail(dir, 1))[0], {
    input: null,
    input_omitted: 'too-long',
    decision: { allow: true },
    spaces: { ids_more: 16 },
  });
  const pretty = sample({ id: 'P', input: '{\n"a":1}' });
  await stage.decision(pretty.admission, pretty.trail);
  t.match((await readAuditTail(dir, 1))[0], { input: null, input_omitted: 'not-one-line' });
  const full = sample({
    id: 'F',
    input: JSON.stringify('y'.repeat(4_000)),
    reasons: Array.from({ length: 60 }, () => 'z'.repeat(60)),
  });
  await stage.decision(full.admission, full.trail);
  t.match((await readAuditTail(dir, 1))[0], {
    input: null,
    input_omitted: 'record-full',
    reasons_more: 36,
    decision: { allow: true },
  });
  const bidi = sample({ id: 'B', input: JSON.stringify({ name: 'a\u202eb\u2028c\u007f' }) });
  await stage.decision(bidi.admission, bidi.trail);
  t.match(
    (await readAuditTail(dir, 1))[0],
    { input: { name: 'a\u202eb\u2028c\u007f' } },
    'the same value, written in escapes',
  );
  await world.log.close();
});

t.test('the reference page lists every type', (t) => {
  const page = readFileSync(new URL('../../docs/reference/audit-log.md', import.meta.url), 'utf8').replace(/ +/g, ' '); // tables are padded
  const [written, reserved] = page.slice(page.indexOf('## Types')).split('### Reserved types');
  for (const [type, { severity, says }] of Object.entries(auditEventTypes))
    t.ok(written?.includes(`| \`${type}\` | ${severity} | ${says} |`), type);
  for (const [type, { severity, says }] of Object.entries(reservedEventTypes))
    t.ok(reserved?.includes(`| \`${type}\` | ${severity} | ${says} |`), `${type} is reserved`);
  t.end();
});

t.test('a type is written somewhere, or reserved', (t) => {
  const root = new URL('../../src/', import.meta.url);
  const sources = readdirSync(root, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts') && !name.endsWith('record/events.ts'))
    .map((name) => readFileSync(new URL(name, root), 'utf8'))
    .join('\n');
  // The desk of keys puts its types together from what was done.
  const isWritten = (type: string): boolean =>
    sources.includes(`'${type}'`) || (type.startsWith('key.') && sources.includes(`('${type.slice(4)}', `));
  for (const type of Object.keys(auditEventTypes)) t.ok(isWritten(type), `${type} is written`);
  for (const type of Object.keys(reservedEventTypes)) t.notOk(isWritten(type), `${type} is not`);
  t.end();
});

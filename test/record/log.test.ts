import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  appendFileSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setImmediate as nextTurn, setTimeout as after } from 'node:timers/promises';
import { promisify } from 'node:util';
import t from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { Fault } from '../../src/model/codes.js';
import { systemDisk, type Disk } from '../../src/record/disk.js';
import { lockText } from '../../src/record/lock.js';
import { openAuditLog, readAuditTail, verifyAuditLog, type AuditLog } from '../../src/record/record.js';
import { advance, counting, keyEvent, opened, remembering, usualOptions } from './fixtures/sample.js';

const linesOf = (dir: string, name = '000001.jsonl'): string[] =>
  readFileSync(join(dir, name), 'utf8').split('\n').slice(0, -1);
const records = (dir: string, name?: string): Record<string, unknown>[] =>
  linesOf(dir, name).map((line) => JSON.parse(line) as Record<string, unknown>);
const typed = (dir: string, type: string): Promise<Record<string, unknown>[]> =>
  readAuditTail(dir, 100_000).then((all) => all.filter((record) => record['type'] === type));

/** Ends a log as SIGKILL would: no last checkpoint, and the lock of a process that is gone. */
async function crashed(dir: string, log: AuditLog): Promise<void> {
  await log.flush();
  const copy = readdirSync(dir)
    .filter((name) => name !== 'lock')
    .map((name) => [name, readFileSync(join(dir, name))] as const);
  await log.close();
  for (const name of readdirSync(dir)) rmSync(join(dir, name));
  for (const [name, bytes] of copy) writeFileSync(join(dir, name), bytes);
  symlinkSync('1:1:another', join(dir, 'lock'));
}

async function until(holds: () => boolean, wholeMs: number): Promise<number> {
  const start = systemClock.monotonicMs();
  while (!holds()) {
    if (systemClock.monotonicMs() - start > wholeMs) throw new Error(`not within ${String(wholeMs)} ms`);
    await after(10);
  }
  return systemClock.monotonicMs() - start;
}

t.test('commit() chains records that sha256sum can check', async (t) => {
  const dir = join(t.testdir(), 'audit');
  const { log } = await opened(dir);
  for (let n = 0; n < 5; n += 1) await log.commit(keyEvent(n));
  await log.close();
  t.equal(statSync(dir).mode & 0o777, 0o700);
  t.equal(statSync(join(dir, '000001.jsonl')).mode & 0o777, 0o600);
  let prev = '0'.repeat(64);
  for (const [i, line] of linesOf(dir).entries()) {
    const record = JSON.parse(line) as Record<string, unknown>;
    const covered = line.slice(0, line.lastIndexOf(',"hash":"'));
    t.equal(record['seq'], i + 1);
    t.equal(record['prev'], prev);
    t.equal(record['hash'], createHash('sha256').update(covered).digest('hex'));
    prev = String(record['hash']);
  }
  const script = 'tail -n 1 "$0" | { IFS= read -r line; printf %s "${line%,\\"hash\\":*}"; } | sha256sum | cut -c1-64';
  const { stdout } = await promisify(execFile)('bash', ['-c', script, join(dir, '000001.jsonl')]);
  t.equal(stdout.trim(), prev, 'the shell line of the documentation gives the last hash');
  t.match(records(dir)[0], { type: 'system.segment-started', format: 1, previous: null, reason: 'start' });
  t.match(records(dir).at(-1), { type: 'system.checkpoint', reason: 'close', count: 7, mac: null });
  t.match(await verifyAuditLog(dir), { ok: true, records: 7, segments: 1, lastSequence: 7, problems: [] });
});

t.test('commit() shares one sync among those that wait together, and resolves behind it', async (t) => {
  const dir = t.testdir();
  let syncs = 0;
  let durable = 0;
  const disk: Disk = {
    ...systemDisk,
    create: async (path) => {
      const file = await systemDisk.create(path);
      return {
        ...file,
        sync: async () => {
          await file.sync();
          syncs += 1;
          durable = (await file.stat()).bytes;
        },
      };
    },
  };
  const { log, counted } = await opened(dir, {}, { disk });
  await Promise.all(
    Array.from({ length: 2_000 }, async (_, n) => {
      await log.commit(keyEvent(n));
      if (n % 100 === 0) t.ok(log.status().bytes <= durable, 'nothing counts before its sync');
    }),
  );
  t.equal(counted.records, 2_000);
  t.ok(syncs <= 8, `2000 commits took ${String(syncs)} syncs`);
  t.equal(counted.families.get('key'), 2_000);
  await log.close();
  t.match(await verifyAuditLog(dir), { ok: true });
});

t.test('what comes in the next turn of the event loop shares the sync', async (t) => {
  let syncs = 0;
  const disk: Disk = {
    ...systemDisk,
    create: async (path) => {
      const file = await systemDisk.create(path);
      return { ...file, sync: () => ((syncs += 1), file.sync()) };
    },
  };
  const { log } = await opened(t.testdir(), {}, { disk });
  const before = syncs;
  const first = log.commit(keyEvent(1));
  const later = nextTurn().then(() => Promise.all([log.commit(keyEvent(2)), log.commit(keyEvent(3))]));
  await Promise.all([first, later]);
  t.equal(syncs - before, 1);
  await log.close();
});

t.test('segments rotate and the chain goes across', async (t) => {
  const dir = t.testdir();
  const { log } = await opened(dir, { segmentBytes: 4_096 });
  for (let n = 0; n < 60; n += 1) await log.commit(keyEvent(n));
  await log.close();
  const names = readdirSync(dir)
    .filter((name) => name.endsWith('.jsonl'))
    .sort();
  t.ok(names.length >= 4, names.join(' '));
  for (const [i, name] of names.entries()) {
    const all = records(dir, name);
    t.match(all[0], { type: 'system.segment-started', segment: name });
    t.match(all.at(-1), { type: 'system.checkpoint' });
    const former = names[i - 1];
    if (former === undefined) continue;
    const last = records(dir, former).at(-1);
    t.match(all[0], {
      previous: { segment: former, seq: last?.['seq'], hash: last?.['hash'], bytes: statSync(join(dir, former)).size },
    });
  }
  t.match(await verifyAuditLog(dir), { ok: true, segments: names.length });
  const tail = await readAuditTail(dir, 30);
  t.equal(tail.length, 30);
  t.equal(tail.at(-1)?.['type'], 'system.checkpoint');
  t.strictSame(
    tail.map(({ seq }) => seq),
    Array.from({ length: 30 }, (_, i) => Number(tail[0]?.['seq']) + i),
  );
});

t.test('a log goes on in its newest segment after an orderly stop, without a recovery record', async (t) => {
  const dir = t.testdir();
  const first = await opened(dir);
  await first.log.commit(keyEvent(1));
  await first.log.close();
  const second = await opened(dir);
  await second.log.commit(keyEvent(2));
  await second.log.close();
  t.strictSame(
    records(dir).map(({ type }) => type),
    ['system.segment-started', 'key.created', 'system.checkpoint', 'key.created', 'system.checkpoint'],
  );
  t.match(await verifyAuditLog(dir), { ok: true });
  await t.rejects(second.log.commit(keyEvent(3)), { code: 'record.unavailable' }, 'a closed log takes nothing');
});

t.test('the next start cuts a torn tail and names admitted requests without an outcome', async (t) => {
  const dir = t.testdir();
  const first = await opened(dir);
  const decision = (id: string) => ({
    type: 'authorization.allowed' as const,
    severity: 'info' as const,
    atMs: systemClock.nowMs(),
    fields: {},
    text: `"id":"${id}"`,
    opens: id,
  });
  for (const id of ['A1', 'A2', 'A3']) await first.log.commit(decision(id));
  await first.log.commit({ ...decision('A2'), type: 'memory.completed', closes: 'A2' });
  await crashed(dir, first.log);
  appendFileSync(join(dir, '000001.jsonl'), '{"seq":6,"time":"2026-01-01T00:00:00.000Z","pr');
  const second = await opened(dir);
  await second.log.close();
  const [recovered, ...more] = await typed(dir, 'system.recovered');
  t.match(recovered, { torn_bytes: 46, last_seq: 5, unfinished: ['A1', 'A3'], unfinished_count: 2, part: 1, parts: 1 });
  t.equal(more.length, 0);
  t.match(await verifyAuditLog(dir), { ok: true });
  const third = await opened(dir);
  await third.log.close();
  t.equal((await typed(dir, 'system.recovered')).length, 1, 'told once');
});

t.test('open requests are carried over segments, so that recovery reads the newest only', async (t) => {
  const dir = t.testdir();
  const first = await opened(dir, { segmentBytes: 8_192 });
  const ids = Array.from({ length: 450 }, (_, n) => `R${String(n).padStart(25, '0')}`);
  await Promise.all(
    ids.map((id) => first.log.commit({ ...keyEvent(0), type: 'authorization.allowed', fields: { id }, opens: id })),
  );
  for (let n = 0; n < 40; n += 1) await first.log.commit(keyEvent(n));
  await crashed(dir, first.log);
  const names = readdirSync(dir)
    .filter((name) => name.endsWith('.jsonl'))
    .sort();
  t.match(records(dir, names.at(-1))[0], { open: 450 });
  // A crash inside the very first batch of a segment leaves part of the list: then the segment before is read too.
  const newest = join(dir, names.at(-1) ?? '');
  const head = linesOf(dir, names.at(-1)).slice(0, 2).join('\n').length + 1;
  truncateSync(newest, head + 100);
  const second = await opened(dir, { segmentBytes: 8_192 });
  await second.log.close();
  const told = (await typed(dir, 'system.recovered')).flatMap(({ unfinished }) => unfinished as string[]);
  t.strictSame(told.sort(), ids);
  const verdict = await verifyAuditLog(dir);
  t.strictSame(verdict.problems, []);
});

t.test('a changed segment is not taken for a torn one: it is kept, told, and left', async (t) => {
  const dir = t.testdir();
  const first = await opened(dir);
  for (let n = 0; n < 10; n += 1) await first.log.commit(keyEvent(n));
  await first.log.close();
  const path = join(dir, '000001.jsonl');
  const before = readFileSync(path, 'utf8').replace('"n":4', '"n":5');
  writeFileSync(path, before);
  const second = await opened(dir);
  await second.log.commit(keyEvent(11));
  await second.log.close();
  t.equal(readFileSync(path, 'utf8'), before, 'evidence is not touched');
  t.match(records(dir, '000002.jsonl')[0], { reason: 'damaged' });
  t.match((await typed(dir, 'security.audit-chain-broken'))[0], { segment: '000001.jsonl', line: 6, kind: 'altered' });
  t.match(await verifyAuditLog(dir), {
    ok: false,
    problems: [{ segment: '000001.jsonl', line: 6, sequence: 6, kind: 'altered' }],
  });
  t.ok(second.lines.some(({ event, level }) => event === 'audit.chain-broken' && level === 'error'));
});

t.test('a log cut behind its own checkpoint goes on with a hole that stays visible', async (t) => {
  const dir = t.testdir();
  const first = await opened(dir);
  for (let n = 0; n < 10; n += 1) await first.log.commit(keyEvent(n));
  await first.log.close();
  const keep = linesOf(dir).slice(0, 5).join('\n').length + 1;
  truncateSync(join(dir, '000001.jsonl'), keep);
  const second = await opened(dir);
  await second.log.commit(keyEvent(11));
  await second.log.close();
  const { problems, ok } = await verifyAuditLog(dir);
  t.equal(ok, false);
  t.match(problems[0], { kind: 'missing', sequence: 6 });
});

t.test('a batch that the disk refuses is nowhere, and the log goes on in a new segment', async (t) => {
  const dir = t.testdir();
  let syncs = 0;
  const failing = (file: Awaited<ReturnType<Disk['create']>>) => ({
    ...file,
    sync: async () => {
      syncs += 1;
      if (syncs === 4) throw Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
      await file.sync();
    },
  });
  const disk: Disk = { ...systemDisk, create: async (path) => failing(await systemDisk.create(path)) };
  const { log, counted } = await opened(dir, {}, { disk });
  const results: string[] = [];
  for (let n = 1; n <= 5; n += 1) {
    if (n === 3) {
      await log.flush();
      syncs = 3;
      log.note(keyEvent(100));
    }
    await log.commit(keyEvent(n)).then(
      () => results.push('ok'),
      (error: unknown) => results.push(error instanceof Fault ? error.code : 'bug'),
    );
  }
  t.strictSame(results, ['ok', 'ok', 'record.unavailable', 'ok', 'ok']);
  t.equal(counted.lost, 2);
  t.match(log.status(), { ready: true });
  await log.close();
  t.strictSame(
    (await typed(dir, 'key.created')).map(({ n }) => n),
    [1, 2, 4, 5],
  );
  t.match(records(dir, '000002.jsonl')[0], { reason: 'failure', previous: { segment: '000001.jsonl', seq: 3 } });
  t.match((await typed(dir, 'system.audit-lost'))[0], { count: 2, by_type: { 'key.created': 2 } });
  t.match(await verifyAuditLog(dir), { ok: true, problems: [] });
});

t.test('bytes that cannot be cut off after a failure are no part of the log', async (t) => {
  const dir = t.testdir();
  let isBroken = false;
  const disk: Disk = {
    ...systemDisk,
    create: async (path) => {
      const file = await systemDisk.create(path);
      return {
        ...file,
        sync: () => (isBroken ? Promise.reject(new Error('EIO')) : file.sync()),
        truncate: () => Promise.reject(new Error('EIO')),
      };
    },
  };
  const { log } = await opened(dir, {}, { disk });
  await log.commit(keyEvent(1));
  isBroken = true;
  await t.rejects(log.commit(keyEvent(2)), { code: 'record.unavailable' });
  isBroken = false;
  await log.commit(keyEvent(3));
  await log.close();
  t.match(linesOf(dir).at(-1), /"n":2/, 'the bytes are there');
  t.strictSame(
    (await typed(dir, 'key.created')).map(({ n }) => n),
    [1, 3],
  );
  t.match(await verifyAuditLog(dir), { ok: true, problems: [] });
});

t.test('a disk that stays broken refuses at once, and is asked again twice a second', async (t) => {
  const dir = t.testdir();
  let isBroken = false;
  let creates = 0;
  const disk: Disk = {
    ...systemDisk,
    create: async (path) => {
      creates += 1;
      if (isBroken) throw new Error('EROFS: read-only file system');
      const file = await systemDisk.create(path);
      return { ...file, append: (bytes) => (isBroken ? Promise.reject(new Error('EROFS')) : file.append(bytes)) };
    },
  };
  const { log } = await opened(dir, {}, { disk });
  await log.commit(keyEvent(0));
  isBroken = true;
  const start = systemClock.monotonicMs();
  let refused = 0;
  while (systemClock.monotonicMs() - start < 1_200) {
    await log.commit(keyEvent(1)).catch(() => (refused += 1));
    await after(2);
  }
  t.ok(refused > 50, `${String(refused)} refused`);
  t.ok(creates <= 6, `${String(creates)} tries`);
  t.match(log.status(), { ready: false, reason: /EROFS/ });
  isBroken = false;
  const took = await until(() => log.status().ready, 2_000);
  t.ok(took <= 2_000, `recovered by itself after ${took.toFixed(0)} ms`);
  await log.commit(keyEvent(2));
  await log.close();
  const [lost] = await typed(dir, 'system.audit-lost');
  t.equal(lost?.['count'], refused);
  t.match(await verifyAuditLog(dir), { ok: true });
});

const tampering: Record<string, (path: string) => void> = {
  removed: (path) => rmSync(path),
  'replaced by a copy': (path) => {
    const bytes = readFileSync(path);
    renameSync(path, `${path}.1`);
    writeFileSync(path, bytes);
  },
  'renamed away': (path) => renameSync(path, `${path}.1`),
  'cut (copytruncate)': (path) => truncateSync(path, 0),
  'written to': (path) => appendFileSync(path, '{}\n'),
};
for (const [name, change] of Object.entries(tampering)) {
  t.test(`AU-11 a segment ${name} while in use is noticed, and a new one names the last hash`, async (t) => {
    const dir = t.testdir();
    const { log, lines } = await opened(dir);
    await log.commit(keyEvent(1));
    const last = (await readAuditTail(dir, 1))[0];
    change(join(dir, '000001.jsonl'));
    advance(1_000); // the segment is looked at once a second
    await log.commit(keyEvent(2));
    await log.close();
    t.ok(lines.some(({ event }) => event === 'audit.file-changed'));
    const header = records(dir, '000002.jsonl')[0];
    t.match(header, {
      reason: 'replaced',
      prev: last?.['hash'],
      previous: { segment: '000001.jsonl', hash: last?.['hash'] },
    });
    t.equal((await typed(dir, 'security.audit-file-changed')).length, 1);
    if (name !== 'replaced by a copy') t.equal((await verifyAuditLog(dir)).ok, false);
  });
}

t.test('AU-12 a second opener is refused, in this process and from another', async (t) => {
  const dir = t.testdir();
  const { log } = await opened(dir);
  const ports = { clock: systemClock, log: remembering().log, meter: counting().meter };
  const again = await openAuditLog({ dir, ...usualOptions }, ports);
  t.match(again, { ok: false, why: /held by the running process/ });
  await log.close();
  const other = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000); console.log("up")'], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(other.stdout, 'data');
  symlinkSync(await lockText(other.pid ?? 0), join(dir, 'lock'));
  t.match(await openAuditLog({ dir, ...usualOptions }, ports), {
    ok: false,
    why: new RegExp(`process ${String(other.pid)}`),
  });
  const gone = once(other, 'exit');
  other.kill('SIGKILL');
  await gone;
  const third = await openAuditLog({ dir, ...usualOptions }, ports);
  t.equal(third.ok, true, 'the lock of a process that is gone is taken over');
  if (third.ok) await third.value.close();
  symlinkSync((await lockText(process.pid)).replace(/:.*?:/, ':1:'), join(dir, 'lock'));
  const fourth = await opened(dir);
  await fourth.log.close();
  t.notOk(
    readdirSync(dir).some((file) => file.startsWith('lock')),
    'nothing of the lock is left',
  );
  writeFileSync(join(dir, 'lock'), 'x');
  t.match(await openAuditLog({ dir, ...usualOptions }, ports), { ok: false, why: /not a lock of this program/ });
});

t.test('openAuditLog() says what is wrong with a directory', async (t) => {
  const ports = { clock: systemClock, log: remembering().log, meter: counting().meter };
  const dir = t.testdir({ file: 'x' });
  const answer = await openAuditLog({ dir: join(dir, 'file', 'audit'), ...usualOptions }, ports);
  t.match(answer, { ok: false, why: /audit\.dir: cannot use .*ENOTDIR.*must be a directory/ });
});

t.test('refusals before authorization keep to their budget, and the rest is counted by code', async (t) => {
  const dir = t.testdir();
  const { log } = await opened(dir, { refusalsPerSecond: 20, refusalsPerSecondPerAddress: 5 });
  const refusal = (code: string) => ({ ...keyEvent(0), type: 'auth.failed' as const, fields: { code } });
  for (let n = 0; n < 300; n += 1) log.noteUnderBudget(refusal('identify.unauthenticated'), '10.0.0.1');
  for (let n = 0; n < 300; n += 1) log.noteUnderBudget(refusal('gate.target'), `10.1.0.${String(n)}`);
  await log.close();
  const written = (await typed(dir, 'auth.failed')).length;
  t.ok(written >= 20 && written <= 40, `${String(written)} written (one or two seconds' budget)`);
  const folded = await typed(dir, 'security.refusals-folded');
  t.equal(folded.length, 1);
  t.equal(Number(folded[0]?.['count']) + written, 600, 'every one is written or counted');
  t.match(folded[0], {
    by_code: { 'identify.unauthenticated': Number, 'gate.target': Number },
    by_cause: { address: Number, budget: Number },
  });
});

t.test('max_bytes stops the log, the reserve is for authorized requests, and room brings it back', async (t) => {
  const dir = t.testdir();
  const limits = {
    segmentBytes: 16_384,
    maxBytes: 131_072,
    reserveBytes: 65_536,
    refusalsPerSecond: 100_000,
    refusalsPerSecondPerAddress: 100_000,
  };
  const { log, counted } = await opened(dir, limits);
  const refusal = {
    ...keyEvent(0),
    type: 'auth.failed' as const,
    fields: { code: 'identify.unauthenticated', pad: 'x'.repeat(400) },
  };
  for (let n = 0; n < 400; n += 1) {
    log.noteUnderBudget(refusal, '10.0.0.1');
    if (n % 10 === 0) await log.flush();
  }
  t.ok(log.status().bytes < limits.maxBytes - limits.reserveBytes + 16_384, 'refusals stopped at the reserve');
  t.equal(counted.lost, 0);
  let accepted = 0;
  await t.rejects(
    async () => {
      for (; accepted < 1_000; accepted += 1) await log.commit({ ...refusal, type: 'authorization.allowed' });
    },
    { code: 'record.unavailable', message: /max_bytes/ },
  );
  t.ok(accepted > 50, `${String(accepted)} authorized requests had the reserve`);
  t.ok(log.status().bytes <= limits.maxBytes);
  t.match(log.status(), { ready: false, reason: /max_bytes/ });
  await log.commit({ ...refusal, yieldsReserve: true }); // a refusal is counted instead
  const [oldest, ...others] = readdirSync(dir)
    .filter((name) => name.endsWith('.jsonl'))
    .sort();
  t.ok(others.length > 2);
  renameSync(join(dir, oldest ?? ''), join(dir, `${oldest ?? ''}.archived`));
  await until(() => log.status().ready, 2_000);
  await log.commit({ ...refusal, type: 'authorization.allowed' });
  await log.close();
  t.match(
    await verifyAuditLog(dir),
    { ok: false, problems: [{ kind: 'missing-segment' }] },
    'what was moved away is missed',
  );
  renameSync(join(dir, `${oldest ?? ''}.archived`), join(dir, oldest ?? ''));
  t.match(await verifyAuditLog(dir), { ok: true, problems: [] });
});

t.test('verifyAuditLog() works beside a writer', async (t) => {
  const dir = t.testdir();
  const { log } = await opened(dir, { segmentBytes: 65_536 });
  const state = { isDone: false };
  const writing = (async () => {
    for (let n = 0; n < 60; n += 1)
      await Promise.all(Array.from({ length: 20 }, (_, i) => log.commit(keyEvent(n * 20 + i))));
    state.isDone = true;
  })();
  let runs = 0;
  while (!state.isDone) {
    const { ok, problems } = await verifyAuditLog(dir);
    t.ok(ok, JSON.stringify(problems[0] ?? null));
    runs += 1;
  }
  await writing;
  await log.close();
  t.ok(runs > 0);
});

for (const [name, bounds] of Object.entries({ records: { queueEntries: 3 }, bytes: { queueBytes: 1_000 } })) {
  t.test(`what waits for the disk has a bound in ${name}`, async (t) => {
    const { log, counted } = await opened(t.testdir({}), bounds);
    const commits = Array.from({ length: 20 }, (_, n) =>
      log.commit(keyEvent(n)).then(
        () => true,
        () => false,
      ),
    );
    t.match(log.status(), { ready: false, reason: 'the queue of the audit log is full' });
    const kept = (await Promise.all(commits)).filter(Boolean).length;
    t.ok(kept >= 3 && kept < 20, `${String(kept)} of 20 were written`);
    t.equal(counted.lost, 20 - kept, 'the others were counted');
    await t.resolves(log.commit(keyEvent(21)), 'and the next one is taken');
    await log.close();
  });
}

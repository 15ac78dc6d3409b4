import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { newDecisionId } from '../../src/base/ids.js';
import type { Policy } from '../../src/authorize/authorize.js';
import { Fault } from '../../src/model/codes.js';
import { findDecision, readHistory } from '../../src/record/record.js';
import { replayLog } from '../../src/review/review.js';
import { inputText } from '../../src/review/question.js';
import { loaded, shipped } from '../authorize/fixtures/stage.js';
import { writeLog } from './fixtures/log.js';

const policy = await loaded(shipped);
const startMs = Date.parse('2026-11-01T00:00:00Z');

interface Told {
  readonly roles?: readonly string[];
  readonly permission?: string;
  readonly expiresAtMs?: number | null;
  readonly nowMs?: number;
  readonly tier?: string | null;
}

const question = ({
  roles = ['reader'],
  permission = 'MemoryRead',
  expiresAtMs = null,
  nowMs = startMs,
  tier = null,
}: Told): string =>
  inputText({
    nowMs,
    readonly: false,
    route: { id: 'memories.recall', method: 'GET', action: 'memory:read', permission, class: 'content' },
    spaces: { all: false, ids: ['alpha'], unknown: [] },
    subject: { kind: 'api_key', id: 'k1', owner: null, roles, permissions: [], spaces: ['alpha'], tier, expiresAtMs },
  });

/** A decision record as the gateway writes it, with what the policy said. */
const text = (id: string, input: string | null, decision: string | null, more = ''): string =>
  `"id":"${id}","subject":{"kind":"api_key","id":"k1","owner":null},"route":"memories.recall","permission":"MemoryRead",` +
  `"spaces":{"all":false,"ids":["alpha"],"unknown":[],"explicit":true},"effect":"allow","reasons":[],"missing":[],"generation":"g1",` +
  `"input":${input ?? 'null'},"decision":${decision ?? 'null'}${more}`;

interface Wanted extends Told {
  readonly atMs: number;
  readonly raw?: 'refused' | 'record-full' | 'failed';
}

/** A log in segments of their smallest size. */
async function logOf(t: Test, wanted: readonly Wanted[]): Promise<{ dir: string; ids: string[] }> {
  const dir = t.testdir();
  const ids: string[] = [];
  const lines = wanted.map((each) => {
    const id = newDecisionId(each.atMs);
    const input = question(each);
    const decision = JSON.stringify(policy.evaluate(input));
    const body =
      each.raw === 'refused'
        ? text(id, null, null)
        : each.raw === 'record-full'
          ? text(id, null, decision, ',"input_omitted":"record-full"')
          : text(id, input, each.raw === 'failed' ? null : decision);
    ids.push(id);
    return { atMs: each.atMs, text: body };
  });
  await writeLog(dir, lines);
  return { dir, ids };
}

const day = 86_400_000;
function withData(dir: string, files: Readonly<Record<string, string>>): Promise<Policy> {
  const data = join(dir, 'data');
  mkdirSync(data);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(data, name), text);
  return loaded(shipped, {}, data);
}

t.test('the same policy has nothing to say, at whatever time it is asked', async (t) => {
  // Recorded in its time; by the clock of today the credential has long ended.
  const { dir } = await logOf(t, [
    { atMs: startMs, nowMs: startMs, expiresAtMs: startMs + 1_000 },
    { atMs: startMs + day, nowMs: startMs + day, expiresAtMs: startMs + day + 1 },
  ]);
  t.match(await replayLog(policy, { dir, limit: 100 }), {
    replayed: 2,
    same: 2,
    changes: [],
    skipped: {},
    log: { damaged: 0 },
  });
});

t.test('another policy is told by kind, route, subject, space and reasons, however often it came', async (t) => {
  const { dir, ids } = await logOf(t, [
    ...Array.from({ length: 40 }, (_, i) => ({ atMs: startMs + i * 1_000 })),
    { atMs: startMs + day, permission: 'MemoryWrite' },
    { atMs: startMs + day, roles: ['operator'] },
    { atMs: startMs + day, roles: ['writer'], tier: 'pro' },
    { atMs: startMs + day, raw: 'refused' },
    { atMs: startMs + day, raw: 'record-full' },
    { atMs: startMs + day, raw: 'failed' },
  ]);
  const other = await withData(dir, {
    'roles.yaml': 'reader:\n  permissions: { MemoryWrite: true }\nwriter:\n  permissions: { MemoryRead: true }\n',
    'tiers.yaml':
      'free:\n  limits: []\npro:\n  limits:\n    - { id: tier, key: [subject], algorithm: token_bucket, rate: 1, per: 60, burst: 1, cost: 1 }\n',
  });
  const report = await replayLog(other, { dir, limit: 1_000 });
  t.match(report, {
    replayed: 44,
    same: 1,
    by_kind: { would_deny: 40, would_allow: 1, other_limits: 1, failed: 1, fails: 0, other_reasons: 0, other_audit: 0 },
    skipped: { 'refused before the policy was asked': 1, 'record-full': 1 },
    changes_more: 0,
  });
  t.equal(report.changes.length, 4);
  t.match(report.changes[0], {
    kind: 'would_deny',
    count: 40,
    route: 'memories.recall',
    subject: 'api_key:k1',
    spaces: ['alpha'],
    before: { effect: 'allow', reasons: [] },
    after: { effect: 'deny', reasons: ['permission.missing'], missing: ['MemoryRead'] },
    first: ids[0],
    last_at: '2026-11-01T00:00:39.000Z',
  });
  t.ok(report.log.segments > 2, 'over several segments');
});

t.test('a policy that fails is a difference, and no end of the replay', async (t) => {
  const { dir } = await logOf(t, [{ atMs: startMs }, { atMs: startMs + 1 }]);
  const failing: Policy = {
    ...policy,
    evaluate: () => {
      throw new Fault('policy.failed', 'conflict');
    },
  };
  t.match(await replayLog(failing, { dir, limit: 10 }), { replayed: 2, same: 0, by_kind: { fails: 2 } });
});

t.test('since and limit bound what is read', async (t) => {
  const { dir } = await logOf(
    t,
    Array.from({ length: 60 }, (_, i) => ({ atMs: startMs + i * day })),
  );
  const all = await replayLog(policy, { dir, limit: 1_000 });
  const late = await replayLog(policy, { dir, limit: 1_000, fromMs: startMs + 50 * day });
  t.equal(all.replayed, 60);
  t.equal(late.replayed, 10);
  t.match(late.log, { from: '2026-12-21T00:00:00.000Z' });
  t.ok(late.log.segments < all.log.segments, 'older segments were not opened');
  t.equal((await replayLog(policy, { dir, limit: 7 })).replayed, 7);
});

t.test('a changed record is not believed', async (t) => {
  const { dir } = await logOf(t, [{ atMs: startMs }, { atMs: startMs + 1 }]);
  const file = join(dir, '000001.jsonl');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"effect":"allow"', '"effect":"deny "'));
  t.match(await replayLog(policy, { dir, limit: 10 }), { replayed: 1, log: { damaged: 1 } });
});

t.test('findDecision() finds a decision by its id in the segments of its time, and nothing else', async (t) => {
  const { dir, ids } = await logOf(
    t,
    Array.from({ length: 60 }, (_, i) => ({ atMs: startMs + i * day })),
  );
  for (const index of [0, 1, 30, 58, 59])
    t.match(await findDecision(dir, ids[index] ?? ''), { id: ids[index], effect: 'allow' });
  t.equal(await findDecision(dir, newDecisionId(startMs)), null, 'an id that nobody made');
  for (const id of [
    '',
    'x',
    '../../etc/passwd',
    (ids[0] ?? '').toLowerCase(),
    `${ids[0] ?? ''}"`,
    '8ZZZZZZZZZZZZZZZZZZZZZZZZZ',
  ])
    t.equal(await findDecision(dir, id), null, JSON.stringify(id));
  const seen: string[] = [];
  await readHistory(dir, {}, ({ type }) => void seen.push(type));
  t.ok(seen.filter((type) => type === 'system.segment-started').length > 5, 'there are many segments');
});

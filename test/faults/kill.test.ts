import { randomInt } from 'node:crypto';
import { appendFileSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { verifyAuditLog } from '../../src/record/record.js';
import { allRecords, joinRecords } from './support/audit.js';
import { howMany } from './support/environment.js';
import { startLoad } from './support/load.js';
import { makePlace, startProgram } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const kills = howMany(50, 5);
const rate = 300;

const newestSegment = (dir: string): string =>
  join(
    dir,
    readdirSync(dir)
      .filter((name) => name.endsWith('.jsonl'))
      .sort()
      .at(-1) ?? '',
  );

/** What a power loss may leave: the first half of a line. */
function tear(dir: string): number {
  const file = newestSegment(dir);
  const line = readFileSync(file, 'utf8').split('\n').at(-2) ?? '';
  const half = line.slice(0, Math.ceil(line.length / 2));
  appendFileSync(file, half);
  return half.length;
}

t.test(`R2: no decision is lost over ${kills} SIGKILLs at ${rate} requests/s`, async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const place = await makePlace(t, recorder.url);
  const torn: number[] = [];
  for (let cycle = 0; cycle < kills; cycle += 1) {
    const program = await startProgram(t, place);
    const load = startLoad({ gateway: program.gateway, key: place.keys.alpha, rate });
    await after(randomInt(50, 501));
    await program.kill('SIGKILL');
    const { byStatus } = await load.stop();
    const others = [...byStatus.keys()].filter((status) => status !== 200);
    t.strictSame(others, [], `cycle ${cycle}: whatever was answered was answered with 200`);
    if (cycle % 2 === 1) torn.push(tear(place.auditDir));
  }
  const last = await startProgram(t, place);
  t.equal(await last.stop(), 0);

  const records = await allRecords(place.auditDir);
  const { problems, ...joined } = joinRecords(records, recorder.arrivals);
  t.strictSame(problems, [], 'every request that went upstream is in the log, and every allowed one is accounted for');
  t.ok(joined.arrivals > kills, `the load was there: ${joined.arrivals} requests`);
  const verdict = await verifyAuditLog(place.auditDir);
  t.strictSame(verdict.problems, [], 'the chain verifies');
  const recoveries = records.filter(({ type, part }) => type === 'system.recovered' && part === 1);
  t.equal(recoveries.length, kills, 'each start after a kill says that it recovered');
  const reported = recoveries.map((record) => Number(record['torn_bytes'])).filter((bytes) => bytes > 0);
  t.ok(
    torn.every((bytes) => reported.some((each) => each >= bytes)),
    'each torn line is cut and reported',
  );
  t.comment(`R2: ${kills} kills, ${verdict.records} records, ${JSON.stringify(joined)}, torn lines ${reported.length}`);
});

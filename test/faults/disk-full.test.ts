import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { promisify } from 'node:util';
import t, { type Test } from 'tap';
import { verifyAuditLog } from '../../src/record/record.js';
import { allRecords, joinRecords } from './support/audit.js';
import { metric, recall } from './support/client.js';
import { howMany, isRoot, leaveOut } from './support/environment.js';
import { makePlace, startProgram } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const run = promisify(execFile);
const rounds = howMany(5, 2);
const roomBytes = 24_576; // for a dozen requests or so

/** A file system of 256 KiB in memory; null where it may not be mounted. */
async function smallDisk(t: Test): Promise<string | null> {
  const dir = mkdtempSync(join(tmpdir(), 'memgate-small-'));
  t.teardown(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  const disk = join(dir, 'disk');
  mkdirSync(disk);
  if (!isRoot) return null;
  try {
    await run('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0700', 'memgate-faults', disk]);
  } catch {
    return null;
  }
  t.teardown(() => run('umount', ['-l', disk]));
  return disk;
}

function freeBytes(dir: string): number {
  const { bavail, bsize } = statfsSync(dir);
  return bavail * bsize;
}

t.test('R13: a full disk stops what cannot be recorded, and nothing else', async (t) => {
  const disk = await smallDisk(t);
  if (disk === null) {
    leaveOut(t, 'a full disk (mounting a small file system needs root)');
    return;
  }
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const audit = { dir: join(disk, 'audit'), allow_tmpfs: true, segment_bytes: 65_536, reserve_bytes: 0 };
  const place = await makePlace(t, recorder.url, { audit });
  const program = await startProgram(t, place);
  const get = async (): Promise<number> => (await recall(program.gateway, place.keys.alpha)).status;
  const ballast = join(disk, 'ballast');
  const backMs: number[] = [];

  for (let round = 0; round < rounds; round += 1) {
    // The ballast takes nearly everything, the log itself the rest.
    writeFileSync(ballast, Buffer.alloc(freeBytes(disk) - roomBytes));
    let status = 200;
    for (let n = 0; n < 2_000 && status === 200; n += 1) {
      const before = recorder.arrivals.length;
      status = await get();
      t.equal(
        recorder.arrivals.length - before,
        status === 200 ? 1 : 0,
        'forwarded when it is recorded, and only then',
      );
    }
    t.equal(status, 503, `round ${round}: the first that cannot be recorded`);
    for (let n = 0; n < 5; n += 1) {
      const before = recorder.arrivals.length;
      t.equal(await get(), 503);
      t.equal(recorder.arrivals.length, before, 'none of those that follow goes upstream');
    }
    rmSync(ballast);
    const fromMs = performance.now();
    while ((await get()) !== 200 && performance.now() - fromMs < 10_000) await after(20);
    backMs.push(Math.round(performance.now() - fromMs));
    t.ok((backMs.at(-1) ?? Infinity) <= 2_000, `round ${round}: back ${backMs.at(-1) ?? ''} ms after there is space`);
  }
  t.ok(((await metric(program.probes, 'audit_lost_total')).get('{}') ?? 0) > 0, 'what was lost is counted');
  t.ok(program.isRunning(), 'without a restart');
  t.equal(await program.stop(), 0);
  const verdict = await verifyAuditLog(audit.dir);
  t.strictSame(verdict.problems, [], 'the chain verifies');
  const { problems, ...joined } = joinRecords(await allRecords(audit.dir), recorder.arrivals);
  t.strictSame(problems, []);
  t.comment(
    `R13: back after ${backMs.join(', ')} ms; ${verdict.records} records in ${verdict.segments} segments; ${JSON.stringify(joined)}`,
  );
});

import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmdirSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.js';
import { openAuditLog, readAuditTail, verifyAuditLog } from '../../src/record/record.js';
import { counting, keyEvent, opened, remembering, usualOptions } from './fixtures/sample.js';

/** A file system of 256 KiB; null where this process may not mount one. */
function smallDisk(t: Test): string | null {
  const dir = mkdtempSync(join(tmpdir(), 'memgate-small-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', dir], { stdio: 'ignore' });
  } catch {
    rmdirSync(dir);
    if (process.env['CI'] === 'true') t.fail('a tmpfs could not be mounted');
    else t.pass('a full disk', { skip: 'a tmpfs could not be mounted, which needs root' });
    return null;
  }
  t.teardown(() => {
    execFileSync('umount', ['-l', dir]);
    rmdirSync(dir);
  });
  return dir;
}

t.test('tmpfs is refused, unless told otherwise', async (t) => {
  const dir = smallDisk(t);
  if (dir === null) return;
  const ports = { clock: systemClock, log: remembering().log, meter: counting().meter };
  t.match(await openAuditLog({ dir, ...usualOptions }, ports), {
    ok: false,
    why: /is on tmpfs.*audit\.allow_tmpfs: true/,
  });
  const { log, lines } = await opened(dir, { allowTmpfs: true });
  t.equal(log.status().fileSystem, 'tmpfs');
  t.ok(
    lines.some(
      ({ event, fields }) => event === 'audit.opened' && (fields as { file_system: string }).file_system === 'tmpfs',
    ),
  );
  await log.close();
});

t.test('R13 AU-01 a full disk is a Fault, and service comes back by itself within 2 s of space', async (t) => {
  const dir = smallDisk(t);
  if (dir === null) return;
  const ballast = join(dir, 'ballast');
  writeFileSync(ballast, Buffer.alloc(128 * 1_024));
  const { log } = await opened(dir, { allowTmpfs: true, reserveBytes: 16_384 });
  const kept: number[] = [];
  let refused = 0;
  for (let n = 0; n < 2_000 && refused < 20; n += 1) {
    await log.commit(keyEvent(n)).then(
      () => kept.push(n),
      (error: unknown) => {
        t.match(error, { code: 'record.unavailable' });
        refused += 1;
      },
    );
  }
  t.ok(kept.length > 100 && refused === 20, `${String(kept.length)} kept, ${String(refused)} refused`);
  t.match(log.status(), { ready: false, reason: /ENOSPC/ });
  truncateSync(ballast, 0);
  const start = systemClock.monotonicMs();
  let isBack = false;
  while (!isBack) {
    isBack = await log.commit(keyEvent(9_999)).then(
      () => true,
      () => false,
    );
    if (!isBack) await after(20);
    if (systemClock.monotonicMs() - start > 5_000) break;
  }
  const took = systemClock.monotonicMs() - start;
  t.ok(isBack && took <= 2_000, `back after ${took.toFixed(0)} ms`);
  t.match(log.status(), { ready: true, reason: null });
  await log.close();
  const all = await readAuditTail(dir, 5_000);
  const written = all.filter(({ type }) => type === 'key.created').map(({ n }) => n);
  t.strictSame(written, [...kept, 9_999], 'every record that was acknowledged, and no other');
  t.ok(all.some(({ type }) => type === 'system.audit-lost'));
  t.match(await verifyAuditLog(dir), { ok: true, problems: [] });
});

t.test('a log that starts on a full disk is not ready, and gets ready without a restart', async (t) => {
  const dir = smallDisk(t);
  if (dir === null) return;
  const first = await opened(dir, { allowTmpfs: true, reserveBytes: 0 });
  await first.log.commit({ ...keyEvent(1), type: 'authorization.allowed', fields: { id: 'R1' }, opens: 'R1' });
  await first.log.close();
  const ballast = join(dir, 'ballast');
  try {
    writeFileSync(ballast, Buffer.alloc(512 * 1_024));
  } catch {
    // full now, as wanted
  }
  const second = await opened(dir, { allowTmpfs: true, reserveBytes: 0, segmentBytes: 4_096 });
  for (let n = 0; n < 20; n += 1) await second.log.commit(keyEvent(n)).catch(() => undefined);
  t.equal(second.log.status().ready, false);
  truncateSync(ballast, 0);
  for (let n = 0; n < 200 && !second.log.status().ready; n += 1) await after(20);
  t.equal(second.log.status().ready, true);
  await second.log.commit(keyEvent(100));
  await second.log.close();
  t.match(await verifyAuditLog(dir), { ok: true, problems: [] });
});

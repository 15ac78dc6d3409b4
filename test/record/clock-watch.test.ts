import t from 'tap';
import { ClockWatch } from '../../src/record/clock-watch.js';
import { verifyAuditLog } from '../../src/record/record.js';
import { keyEvent, opened } from './fixtures/sample.js';

t.test('ClockWatch tells each step once, and neither passing time nor a small correction', async (t) => {
  const now = { wall: 1_000_000, monotonic: 10 };
  const watch = new ClockWatch({ nowMs: () => now.wall, monotonicMs: () => now.monotonic });
  const look = (wall: number, monotonic: number): number | null => {
    now.wall += wall;
    now.monotonic += monotonic;
    return watch.look()?.stepMs ?? null;
  };
  t.equal(look(250, 250), null);
  t.equal(look(600, 250), null, 'a correction of 350 ms');
  t.equal(look(3_600_250, 250), 3_600_350, 'and an hour ahead, with what was not told');
  t.equal(look(250, 250), null);
  t.equal(look(-999_750, 250), -1_000_000);
});

t.test('verifyAuditLog() tells where the time goes back, and the chain holds', async (t) => {
  const dir = t.testdir();
  const { log } = await opened(dir);
  const fromMs = 1_790_000_000_000;
  for (const atMs of [fromMs, fromMs + 10, fromMs - 300, fromMs - 3_600_000, fromMs - 3_599_000])
    await log.commit({ ...keyEvent(1), atMs });
  await log.close();
  const { ok, problems, notices } = await verifyAuditLog(dir);
  t.ok(ok);
  t.strictSame(problems, []);
  t.equal(notices.length, 1);
  t.match(notices[0], { kind: 'clock', sequence: 5, message: 'the time goes back by 3599.7 s' });
});

import t from 'tap';
import { createForwardClock } from '../../src/base/clock.js';

const cases = [
  { name: 'says what the wall clock says', wall: 1_005, monotonic: 55, want: 1_005 },
  { name: 'follows a step ahead', wall: 9_000, monotonic: 55, want: 9_000 },
  { name: 'does not follow a step back', wall: 100, monotonic: 55, want: 1_005 },
  { name: 'goes on by the monotonic clock behind a step back', wall: 100, monotonic: 150, want: 1_100 },
];
for (const { name, wall, monotonic, want } of cases) {
  t.test(`createForwardClock() ${name}`, async (t) => {
    const now = { wall: 1_000, monotonic: 50 };
    const clock = createForwardClock({ nowMs: () => now.wall, monotonicMs: () => now.monotonic });
    t.equal(clock.nowMs(), 1_000);
    Object.assign(now, { wall, monotonic });
    t.equal(clock.nowMs(), want);
    t.equal(clock.monotonicMs(), monotonic);
  });
}

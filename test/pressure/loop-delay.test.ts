import t from 'tap';
import { LoopDelay, tickMs } from '../../src/pressure/loop-delay.js';

const maxMs = 100;

/** Looks with these latenesses, one after the other. */
function looked(latenesses: readonly number[], delay = new LoopDelay(maxMs, 0), fromMs = 0): LoopDelay {
  let now = fromMs;
  for (const late of latenesses) {
    now += tickMs + late;
    delay.look(now);
  }
  return delay;
}

const times = (count: number, late: number): readonly number[] => Array.from({ length: count }, () => late);

/** How many of the next hundred are turned away. */
const shed = (delay: LoopDelay): number => Array.from({ length: 100 }, () => delay.sheds()).filter(Boolean).length;

const cases = [
  { name: 'a loop in time', looks: times(100, 5), ratio: 0 },
  { name: 'one pause, however long', looks: [...times(10, 0), 12_000, ...times(3, 0)], ratio: 0 },
  { name: 'a pause every now and then', looks: [300, 0, 300, 0, 300, 0, 300, 0, 300, 0], ratio: 0 },
  { name: 'late, and not for long', looks: times(3, 150), ratio: 0 },
  { name: 'late again and again', looks: times(4, 150), ratio: 0.1 }, // 600 ms after the first late look
  { name: 'and so it goes on', looks: times(8, 150), ratio: 0.5 },
  { name: 'up to everybody', looks: times(30, 150), ratio: 1 },
  { name: 'just below what is late', looks: times(30, 99), ratio: 0 },
];

for (const { name, looks, ratio } of cases) {
  t.test(`turns away in part: ${name}`, async (t) => {
    const delay = looked(looks);
    t.equal(delay.ratio, ratio);
    t.equal(shed(delay), 100 * ratio, 'of a hundred requests');
  });
}

t.test('it comes back step by step, and a late look while it does counts at once', async (t) => {
  const delay = looked([...times(8, 150), 0, 0]);
  t.equal(delay.ratio, 0.4);
  looked([150], delay, 10 * 200 - 300);
  t.equal(delay.ratio, 0.5);
  looked(times(20, 0), delay, 10 * 200 - 100);
  t.equal(delay.ratio, 0);
  t.equal(shed(delay), 0);
});

t.test('those that are turned away are spread evenly', async (t) => {
  const delay = looked(times(8, 150));
  const turned = Array.from({ length: 8 }, () => delay.sheds());
  t.strictSame(turned, [false, true, false, true, false, true, false, true]);
});

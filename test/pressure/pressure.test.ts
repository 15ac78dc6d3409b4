import t from 'tap';
import type { Meter } from '../../src/model/meter.js';
import { startPressure, type MemoryUse, type PressureSettings } from '../../src/pressure/pressure.js';

const settings: PressureSettings = { maxRequests: 128, maxLoopDelayMs: 60_000, ceilingBytes: 1_000 };

interface World {
  readonly pressure: ReturnType<typeof startPressure>;
  readonly gauges: Map<string, () => number>;
  readonly told: string[];
  use: MemoryUse;
}

function world(t: { teardown(fn: () => void): unknown }, over: Partial<PressureSettings> = {}): World {
  const [gauges, told] = [new Map<string, () => number>(), [] as string[]];
  const tell = (event: string): void => void told.push(event);
  let nowMs = 0;
  const pressure = startPressure(
    { ...settings, ...over },
    {
      memory: () => one.use,
      monotonicMs: () => (nowMs += over.maxLoopDelayMs === undefined ? 50 : 1_000), // the second: ever late
      meter: { gauge: (name: string, read: () => number) => gauges.set(name, read) } as unknown as Meter,
      log: { debug: tell, info: tell, warn: tell, error: tell },
    },
  );
  const one: World = { pressure, gauges, told, use: { rss: 0, heapUsed: 0, heapLimit: 1_000 } };
  t.teardown(() => pressure.stop());
  return one;
}

async function until(test: () => boolean): Promise<void> {
  for (let tries = 0; !test(); tries += 1) {
    if (tries > 500) throw new Error('waited in vain');
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

t.test('short memory leaves a few places, so that service goes on and garbage is collected', async (t) => {
  const one = world(t);
  const enter = (): unknown => one.pressure.enter({ held: 0 });
  t.type(enter(), 'object');
  one.use = { ...one.use, rss: 1_000 };
  await until(() => one.gauges.get('memory_short')?.() === 1);
  t.type(enter(), 'object', 'the second of two places of 128');
  t.equal(enter(), 'pressure.memory');
  t.equal(one.gauges.get('places_taken')?.(), 2);
  one.use = { ...one.use, rss: 899 };
  await until(() => one.gauges.get('memory_short')?.() === 0);
  t.type(enter(), 'object');
  t.strictSame(one.told, ['pressure.memory', 'pressure.memory-enough']);
});

t.test('a loop that stays late turns new requests away, and says so once', async (t) => {
  const one = world(t, { maxLoopDelayMs: 100 });
  await until(() => one.gauges.get('shed_ratio')?.() === 1);
  t.equal(one.pressure.enter({ held: 0 }), 'pressure.late');
  t.strictSame(one.told, ['pressure.late']);
});

t.test('new settings count from the next request on', async (t) => {
  const one = world(t);
  one.pressure.set({ ...settings, maxRequests: 1 });
  t.type(one.pressure.enter({ held: 0 }), 'object');
  t.equal(one.pressure.enter({ held: 0 }), 'pressure.full');
});

import t from 'tap';
import { memoryReader } from '../../src/app/pressure.js';

t.test('memoryReader() keeps the last reading where none can be had', async (t) => {
  const readings = [100, null, 300];
  const read = memoryReader(() => {
    const next = readings.shift();
    if (next == null) throw new Error('EMFILE');
    return next;
  });
  t.strictSame([read().rss, read().rss, read().rss, read().rss], [100, 100, 300, 300]);
  t.ok(memoryReader()().rss > 1_000_000, 'the real one reads bytes');
});

import { join } from 'node:path';
import t from 'tap';
import { atOneMoment } from '../../src/origin/origin.js';
import { Volume } from '../faults/support/volume.js';

const textOf = (found: { ok: boolean; value?: Buffer } | undefined): string => String(found?.value ?? '');

t.test('atOneMoment() reads anew what was swapped between its first and its last file', async (t) => {
  const volume = new Volume(join(t.testdir(), 'volume'));
  const content = (n: number): Record<string, string> => ({ one: `one ${n}`, two: `two ${n}` });
  volume.swap(content(0));
  let swaps = 0;
  const snapshot = await atOneMoment(async (files) => {
    await files.bytes(join(volume.dir, 'one'), 100);
    if (swaps < 3) volume.swap(content((swaps += 1)));
    await files.bytes(join(volume.dir, 'two'), 100);
  });
  const read = async (name: string): Promise<string> => textOf(await snapshot?.bytes(join(volume.dir, name), 100));
  t.strictSame([await read('one'), await read('two')], ['one 3', 'two 3'], 'never one of the one and two of the other');
  volume.swap(content(9));
  t.equal(await read('one'), 'one 3', 'what was read stays what it was');
  t.equal(await snapshot?.isSettled(), false, 'and is known not to be the present one');
});

t.test('atOneMoment() gives up on files that never stand still', async (t) => {
  const volume = new Volume(join(t.testdir(), 'volume'));
  let swaps = 0;
  const snapshot = await atOneMoment(async (files) => {
    volume.swap({ one: `one ${(swaps += 1)}` });
    await files.bytes(join(volume.dir, 'one'), 100);
    volume.swap({ one: `one ${(swaps += 1)}` });
  });
  t.equal(snapshot, null);
});

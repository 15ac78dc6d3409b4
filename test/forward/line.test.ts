import t from 'tap';
import { Line, type Waiter } from '../../src/forward/line.js';

interface Named extends Waiter {
  readonly name: string;
}

const waiter = (name: string): Named => ({ name, subject: name.charAt(0) });

function lineOf(max: number, ...names: readonly string[]): Line<Named> {
  const line = new Line<Named>(max);
  for (const name of names) line.join(waiter(name));
  return line;
}

function drained(line: Line<Named>): readonly string[] {
  const names: string[] = [];
  for (let next = line.next(); next !== null; next = line.next()) names.push(next.name);
  return names;
}

t.test('subjects take turns, and each keeps its own order', async (t) => {
  const line = lineOf(16, 'a1', 'a2', 'a3', 'a4', 'b1', 'b2', 'c1');
  t.equal(line.size, 7);
  t.strictSame(drained(line), ['a1', 'b1', 'c1', 'a2', 'b2', 'a3', 'a4']);
  t.equal(line.size, 0);
});

t.test('who comes later waits for one turn of each other subject at most', async (t) => {
  const line = lineOf(16, 'a1', 'a2', 'a3');
  t.equal(line.next()?.name, 'a1');
  line.join(waiter('b1'));
  t.strictSame(drained(line), ['a2', 'b1', 'a3']);
});

t.test('one subject has no more places than are left for all others', async (t) => {
  const line = lineOf(8, 'a1', 'a2', 'a3', 'a4');
  t.throws(() => line.join(waiter('a5')), { code: 'upstream.busy', message: /as many in upstream\.queue \(4\)/ });
  for (const name of ['b1', 'b2']) line.join(waiter(name));
  t.throws(() => line.join(waiter('b3')), { code: 'upstream.busy' }, 'the next one has half of the rest');
  line.join(waiter('c1'));
  t.throws(() => line.join(waiter('c2')), { code: 'upstream.busy' });
  line.join(waiter('d1'));
  t.throws(() => line.join(waiter('e1')), { code: 'upstream.busy', message: /upstream\.queue of 8 is full/ });
  t.equal(line.size, 8);
});

t.test('without a queue nobody waits, and with one place somebody does', async (t) => {
  t.throws(() => lineOf(0, 'a1'), { code: 'upstream.busy' });
  t.equal(lineOf(1, 'a1').size, 1);
});

t.test('who leaves gives its place back, once', async (t) => {
  const line = new Line<Named>(4);
  const [first, second] = [waiter('a1'), waiter('a2')];
  line.join(first);
  line.join(second);
  t.equal(line.leave(first), true);
  t.equal(line.leave(first), false);
  t.equal(line.size, 1);
  t.equal(line.next(), second);
  t.equal(line.leave(second), false, 'nor does it leave when it had its turn');
  t.equal(line.next(), null);
});

import t from 'tap';
import { nobody, Shares } from '../../src/forward/shares.js';

/** Takes what each of them may, in turn. @returns how many each got */
function taken(shares: Shares, ...subjects: readonly string[]): readonly number[] {
  return subjects.map((subject) => {
    let count = 0;
    for (; shares.mayTake(subject); count += 1) shares.take(subject);
    return count;
  });
}

const cases = [
  { name: 'alone a caller gets half', places: 128, subjects: ['a'], want: [64] },
  {
    name: 'the next one gets half of the rest, and so on',
    places: 16,
    subjects: ['a', 'b', 'c', 'd'],
    want: [8, 4, 2, 1],
  },
  { name: 'one place is for whoever comes', places: 1, subjects: ['a', 'b'], want: [1, 0] },
  { name: 'of two, one is left for somebody new', places: 2, subjects: ['a', 'b'], want: [1, 1] },
  { name: 'where nobody is known only the sum counts', places: 8, subjects: [nobody], want: [8] },
];
for (const { name, places, subjects, want } of cases)
  t.test(`Shares: ${name}`, async (t) => {
    t.strictSame(taken(new Shares(places), ...subjects), want);
  });

t.test('Shares: what is given back may be taken again', async (t) => {
  const shares = new Shares(4);
  t.strictSame(taken(shares, 'a', 'b'), [2, 1]);
  shares.leave('b');
  t.equal(shares.mayTake('a'), false, 'a has as many as are left');
  shares.leave('a');
  t.strictSame(taken(shares, 'a'), [1]);
  for (const subject of ['a', 'a']) shares.leave(subject);
  t.strictSame(taken(shares, 'c'), [2], 'nobody is remembered');
});

t.test('Shares: who holds none is forgotten, before there are many', async (t) => {
  const shares = new Shares(8);
  shares.take('stays');
  for (let n = 0; n < 10_000; n += 1) {
    shares.take(`s${String(n)}`);
    shares.leave(`s${String(n)}`);
  }
  t.ok(shares.known <= 2 * 8 + 64 + 1, `${String(shares.known)} are known`);
  for (let n = 0; n < 6; n += 1) shares.take('other');
  t.equal(shares.mayTake('stays'), false, 'who holds one still does: one of two, with one place left');
});

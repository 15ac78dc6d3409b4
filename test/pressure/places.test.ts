import t from 'tap';
import type { Place, Share } from '../../src/model/place.js';
import { anonymous, type Subject } from '../../src/model/subject.js';
import { Places } from '../../src/pressure/places.js';

const address = (): Share => ({ held: 0 });
const subjectOf = (id: string): Subject => ({ ...anonymous, kind: 'api_key', id });
const entered = (places: Places, share: Share): Place => {
  const place = places.enter(share);
  if (typeof place === 'string') throw new Error(place);
  return place;
};

/** As many as get in, one after the other. */
function fill(places: Places, claimant: Subject | null, share = address()): number {
  for (let count = 0; ; count += 1) {
    const place = places.enter(share);
    if (typeof place === 'string') return count;
    if (claimant !== null && place.claim(claimant) !== null) {
      place.leave();
      return count;
    }
  }
}

t.test('one address has half of the places, the next half of the rest', async (t) => {
  const places = new Places(16);
  t.equal(fill(places, null), 8);
  t.equal(fill(places, null), 4);
  t.equal(fill(places, null), 2);
  t.equal(fill(places, null), 1);
  t.equal(fill(places, null), 1);
  t.equal(places.enter(address()), 'pressure.full');
  t.equal(places.held, 16);
});

t.test('a caller counts for itself, and its address for it no more', async (t) => {
  const places = new Places(16);
  const [share, greedy, good] = [address(), subjectOf('greedy'), subjectOf('good')];
  t.equal(fill(places, greedy, share), 8, 'half');
  t.equal(share.held, 0, 'the address they share is free');
  t.equal(entered(places, share).claim(good), null, 'another caller of that address gets in');
  const [refused, late] = [entered(places, share), entered(places, share)];
  t.match(refused.claim(greedy), { code: 'pressure.share', retryAfterS: 1, detail: /api_key greedy has 8 / });
  late.leave();
  refused.leave();
  t.equal(share.held, 0);
  t.equal(places.held, 9);
});

t.test('a place is given back once, whatever it counted for', async (t) => {
  const places = new Places(4);
  const [share, subject] = [address(), subjectOf('a')];
  const [unknown, known] = [entered(places, share), entered(places, share)];
  t.equal(known.claim(subject), null);
  for (const place of [unknown, known, known, unknown]) place.leave();
  t.equal(places.held, 0);
  t.equal(share.held, 0);
  t.equal(places.shareOf(subject).held, 0);
  t.equal(known.claim(subject), null, 'too late to count');
  t.equal(places.shareOf(subject).held, 0);
});

t.test('nobody in particular counts by address', async (t) => {
  const places = new Places(4);
  const share = address();
  t.equal(entered(places, share).claim(anonymous), null);
  t.equal(share.held, 1);
});

t.test('one place is one place', async (t) => {
  t.equal(fill(new Places(1), subjectOf('a')), 1);
});

t.test('fewer places than are taken let nobody in', async (t) => {
  const places = new Places(8);
  fill(places, null);
  places.max = 2;
  t.equal(places.enter(address()), 'pressure.full');
});

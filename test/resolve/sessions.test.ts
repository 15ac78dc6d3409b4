import t from 'tap';
import { SessionBook } from '../../src/resolve/resolve.js';

const limits = { max: 4, maxPerOwner: 2, idleMs: 1_000 };

function book(): { readonly sessions: SessionBook; pass(ms: number): void } {
  let now = 0;
  const clock = { nowMs: () => now, monotonicMs: () => now };
  return { sessions: new SessionBook(limits, clock), pass: (ms) => (now += ms) };
}

t.test('a session is of whoever opened it', async (t) => {
  const { sessions } = book();
  t.equal(sessions.ownerOf('s1'), null);
  t.ok(sessions.opened('s1', 'a'));
  t.ok(sessions.opened('s1', 'a'), 'told twice');
  t.notOk(sessions.opened('s1', 'b'), 'and of nobody else');
  t.equal(sessions.ownerOf('s1'), 'a');
  sessions.ended('s1');
  t.equal(sessions.ownerOf('s1'), null);
  t.ok(sessions.opened('s1', 'b'), 'until it is over');
});

t.test('one that nobody uses is forgotten, one in use is not', async (t) => {
  const { sessions, pass } = book();
  sessions.opened('idle', 'a');
  sessions.opened('busy', 'a');
  pass(600);
  t.equal(sessions.ownerOf('busy'), 'a');
  pass(600);
  t.equal(sessions.ownerOf('busy'), 'a');
  t.equal(sessions.ownerOf('idle'), null);
  t.ok(sessions.opened('idle', 'b'), 'its id may be used again');
});

t.test('one owner pushes out its own, and all together those that were not used for longest', async (t) => {
  const { sessions } = book();
  for (const id of ['a1', 'a2', 'a3']) sessions.opened(id, 'a');
  t.strictSame(
    ['a1', 'a2', 'a3'].map((id) => sessions.ownerOf(id)),
    [null, 'a', 'a'],
  );
  sessions.opened('b1', 'b');
  sessions.opened('c1', 'c');
  t.equal(sessions.ownerOf('a2'), 'a', 'in use');
  sessions.opened('d1', 'd');
  t.strictSame(
    ['a2', 'a3', 'b1', 'c1', 'd1'].map((id) => sessions.ownerOf(id)),
    ['a', null, 'b', 'c', 'd'],
  );
  t.equal(sessions.size, limits.max);
});

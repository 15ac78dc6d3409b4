import t from 'tap';
import { HeaderNames } from '../../src/gate/header-names.js';

const names = (): HeaderNames => new HeaderNames(['Authorization', 'X-Memory-Space', 'User-Agent']);

t.test('a name is read as what it plays', async (t) => {
  const read = names();
  t.match(read.of('AUTHORIZATION'), { key: 'authorization', kind: 'protected', isProtected: true, isForwarded: true });
  t.match(read.of('x_memory.space'), { kind: 'alias', isProtected: true });
  t.match(read.of('User-Agent'), { kind: 'protected' }, 'what a profile protects is no plain single field');
  t.match(read.of('user_agent'), { kind: 'alias' });
  t.match(read.of('Range'), { kind: 'single', isProtected: false });
  t.match(read.of('Accept'), { kind: 'other', isForwarded: true });
  t.match(read.of('Connection'), { kind: 'single', isForwarded: false });
  t.match(read.of('Content-Length'), { isForwarded: false });
  t.match(read.of('a b'), { kind: 'malformed' });
  t.match(read.of(''), { kind: 'malformed' });
});

t.test('what is kept reads like the first time, however many names came between', async (t) => {
  const read = names();
  const first = read.of('X-Memory-Space');
  t.equal(read.of('X-Memory-Space'), first, 'kept');
  for (let n = 0; n < 3_000; n += 1) t.equal(read.of(`x-${String(n)}`).key, `x-${String(n)}`);
  t.not(read.of('X-Memory-Space'), first, 'forgotten');
  t.strictSame(read.of('X-Memory-Space'), first);
  const long = `x-${'y'.repeat(100)}`;
  t.not(read.of(long), read.of(long), 'long names are not kept');
});

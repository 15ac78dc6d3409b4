import t from 'tap';
import { countingMeter, fixture, loaded } from './fixtures/stage.js';

const asked = (owner: string): string => JSON.stringify({ subject: { id: 'k1', owner, claims: {} } });

t.test('evaluate() counts an answer of another shape than the documented one, and keeps the instance', async (t) => {
  const counts = countingMeter();
  const odd = await loaded(fixture('misbehaving'), { meter: counts.meter });
  const replaced = counts.replaced();
  counts.errors.length = 0; // those of its activation
  t.throws(() => odd.evaluate(asked('truthy')), { code: 'policy.failed', message: /malformed decision/ });
  t.strictSame(counts.errors, ['malformed']);
  t.match(odd.evaluate(asked('anybody')), { allow: true });
  t.match(odd.evaluate(asked('undefined')), { allow: false }, 'no opinion is an answer');
  t.strictSame(counts.errors, ['malformed'], 'good answers count nothing');
  t.equal(counts.replaced(), replaced, 'what answered oddly is not broken');
});

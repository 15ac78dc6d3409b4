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

t.test('equal answers are one frozen decision, and another question gets its own', async (t) => {
  const odd = await loaded(fixture('misbehaving'), { meter: countingMeter().meter });
  const [first, second] = [odd.evaluate(asked('anybody')), odd.evaluate(asked('somebody else'))];
  t.equal(first, second, 'the same text is not read twice');
  t.ok([first, first.reasons, first.limits, first.obligations].every(Object.isFrozen));
  t.not(odd.evaluate(asked('undefined')), first);
  t.equal(odd.evaluate(asked('undefined')).allow, false);
});

t.test('an input of any alphabet reaches the engine whole, also where its memory has to grow', async (t) => {
  const odd = await loaded(fixture('misbehaving'), { meter: countingMeter().meter });
  for (const text of ['é'.repeat(2_000), '€'.repeat(5_000), '😀'.repeat(3_000), 'x'.repeat(16_000)])
    t.match(odd.evaluate(JSON.stringify({ subject: { id: text, owner: 'anybody', claims: {} } })), { allow: true });
});

t.test('tryOut() ends in time whatever the policy does, and answers as evaluate() does', async (t) => {
  const { meter, errors } = countingMeter();
  const endless = await loaded(fixture('endless'), { meter });
  t.throws(() => endless.tryOut(asked('endless')), { message: /^timeout: / });
  t.strictSame(errors, ['timeout'], 'and a new instance follows');
  t.strictSame(endless.tryOut(asked('anybody')), endless.evaluate(asked('anybody')));
  const odd = await loaded(fixture('misbehaving'), { meter });
  t.match(odd.tryOut(asked('undefined')), { allow: false, reasons: ['policy.undefined'] });
  t.throws(() => odd.tryOut(asked('truthy')), { code: 'policy.failed' });
  t.throws(() => odd.tryOut(asked('conflict')), { message: /^conflict: / });
});

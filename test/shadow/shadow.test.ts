import t from 'tap';
import type { Decision } from '../../src/model/decision.js';
import type { Trail } from '../../src/model/trail.js';
import { Shadow, type Candidate } from '../../src/shadow/shadow.js';
import { counting, remembering } from '../record/fixtures/sample.js';

const yes: Decision = {
  allow: true,
  reasons: [],
  missing: [],
  tier: 'free',
  limits: [],
  obligations: { audit: 'info' },
};
const no: Decision = { ...yes, allow: false, reasons: ['space.forbidden'] };

let serial = 0;
const trail = (route: string, live: Decision = yes, input = '{}'): Trail =>
  ({
    raw: { id: `R${String((serial += 1))}`, receivedAtMs: 0 },
    input,
    decision: live,
    target: null,
    stated: { route: { id: route }, spaces: { all: false, ids: ['alpha'] } },
  }) as unknown as Trail;

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn += 1) await new Promise((resolve) => setImmediate(resolve));
};

/** A shadow whose clock goes on by `costMs` with every evaluation. */
function shadowOf(
  costMs: number,
  evaluate: Candidate['evaluate'] = () => yes,
  share = 1,
): { shadow: Shadow; asked: () => number } {
  let nowMs = 0;
  let asked = 0;
  const clock = { nowMs: () => nowMs, monotonicMs: () => nowMs };
  const shadow = new Shadow({ clock, meter: counting().meter, log: remembering().log });
  const counted = (text: string): Decision => {
    asked += 1;
    nowMs += costMs;
    return evaluate(text);
  };
  shadow.use({ candidate: { revision: 'next', digest: 'd', share, evaluate: counted }, live: 'l' });
  return { shadow, asked: () => asked };
}

t.test('Shadow asks nothing before its turn, and one decision in a turn', async (t) => {
  const { shadow, asked } = shadowOf(0);
  for (let n = 0; n < 10; n += 1) shadow.offer(trail('recall'));
  t.equal(asked(), 0, 'nobody waits for it');
  await turns(1);
  t.equal(asked(), 1);
  await turns(12);
  t.match(shadow.report(), { compared: 10, sum: { agree: 10, otherTerms: 0 }, dropped: 0, waiting: 0 });
});

t.test('Shadow spends its time of a second, and drops what finds no room', async (t) => {
  const { shadow, asked } = shadowOf(20);
  for (let n = 0; n < 2_000; n += 1) shadow.offer(trail('recall'));
  await turns(20);
  t.equal(asked(), 3, '50 ms are over in the third');
  t.match(shadow.report(), { waiting: 1_021, dropped: 976 });
});

t.test('Shadow bounds what waits by its size too', async (t) => {
  const { shadow } = shadowOf(0);
  for (let n = 0; n < 200; n += 1) shadow.offer(trail('recall', yes, 'x'.repeat(16_384)));
  t.match(shadow.report(), { waiting: 128, dropped: 72 });
});

t.test('Shadow asks about a share, evenly', async (t) => {
  const { shadow, asked } = shadowOf(0, () => yes, 0.25);
  for (let n = 0; n < 100; n += 1) shadow.offer(trail('recall'));
  await turns(40);
  t.equal(asked(), 25);
  t.equal(shadow.report()?.dropped, 0, 'what it leaves out on purpose is not dropped');
});

t.test('Shadow tells apart what differs, and keeps a bounded part of it', async (t) => {
  const { shadow } = shadowOf(0, () => no);
  const routes = 1_200;
  for (let from = 0; from < routes; from += 400) {
    for (let n = from; n < from + 400; n += 1) shadow.offer(trail(`route${String(n)}`));
    await turns(410);
  }
  shadow.offer(trail('last', no));
  shadow.offer(trail('last', { ...no, reasons: ['role.unknown'] }));
  await turns(4);
  const report = shadow.report();
  t.match(report, { compared: routes + 2, sum: { wouldDeny: routes, agree: 2, otherTerms: 1 } });
  t.equal(report?.rows.length, 1_001, 'a thousand rows, and one for all others');
  t.match(report?.rows[0], { route: 'others', wouldDeny: 200 });
  t.equal(report?.samples.length, 100);
  t.equal(report?.samples[0]?.route, `route${String(routes - 1)}`, 'the newest first');
});

t.test('Shadow stops after three evaluations that were cut short', async (t) => {
  const { shadow, asked } = shadowOf(0, () => {
    throw new Error('timeout: it took too long');
  });
  for (let n = 0; n < 10; n += 1) shadow.offer(trail('recall'));
  await turns(12);
  t.equal(asked(), 3);
  t.match(shadow.report(), { stopped: /cut short/, sum: { failed: 3 }, dropped: 7, waiting: 0 });
});

t.test('use() goes on with the same match, and begins anew with another', async (t) => {
  const { shadow } = shadowOf(0);
  shadow.offer(trail('recall'));
  await turns(2);
  const match = { candidate: { revision: 'next', digest: 'd', share: 1, evaluate: () => no }, live: 'l' };
  shadow.use(match);
  shadow.offer(trail('recall'));
  await turns(2);
  t.match(shadow.report(), { compared: 2, sum: { agree: 1, wouldDeny: 1 } });
  shadow.use({ ...match, live: 'another' });
  t.equal(shadow.report()?.compared, 0);
  shadow.offer({ ...trail('recall'), decision: null });
  shadow.use(null);
  shadow.offer(trail('recall'));
  t.equal(shadow.report(), null);
});

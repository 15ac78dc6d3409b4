import t from 'tap';
import { Dice } from '../wire/support/mutations.js';
import { mutantAnswer, slices, wellFormed } from './support/answers.js';
import { llhttpReading } from './support/llhttp.js';
import { isSame, laxity, ownReading } from './support/readings.js';

/*
 * Whatever a server sends, in whatever pieces: our reader takes it as llhttp does, or refuses it. The number of answers and the seed
 * can be given, to run a failure again or for longer.
 */
const seed = Number(process.env['MEMGATE_TEST_SEED'] ?? 20_261_121);
const runs = Number(process.env['MEMGATE_TEST_RUNS'] ?? 100_000);
const shownMax = 5;
t.comment(`MEMGATE_TEST_SEED=${seed}`);

const methods = ['GET', 'GET', 'GET', 'GET', 'POST', 'HEAD'];
const shown = (pieces: readonly Buffer[], method: string): string =>
  `${method} ${JSON.stringify(pieces.map((piece) => piece.toString('latin1')))}`;

t.test('both take what is well formed', (t) => {
  const dice = new Dice(seed);
  for (const text of wellFormed)
    for (let n = 0; n < 50; n += 1) {
      const pieces = slices(Buffer.from(text, 'latin1'), dice);
      const [ours, other] = [ownReading(pieces, 'GET'), llhttpReading(pieces, 'GET')];
      const isTaken = ours.isWhole && other.isWhole && laxity(ours, other) === null;
      if (!isTaken) t.fail(shown(pieces, 'GET'), { ours, other });
    }
  t.end();
});

t.test('what is not well formed is read alike, or refused', (t) => {
  const dice = new Dice(seed);
  const counts = { whole: 0, broken: 0, refused: 0, stricter: 0 };
  let wrong = 0;
  for (let n = 0; n < runs && wrong < shownMax; n += 1) {
    const bytes = mutantAnswer(dice);
    const method = dice.pick(methods);
    const [first, second] = [slices(bytes, dice), slices(bytes, dice)];
    const ours = ownReading(first, method);
    const other = llhttpReading(second, method);
    const found = laxity(ours, other) ?? (isSame(ours, ownReading(second, method)) ? null : 'it depends on the pieces');
    counts[ours.isWhole ? 'whole' : ours.isRefused ? 'refused' : 'broken'] += 1;
    if (!ours.isWhole && other.isWhole) counts.stricter += 1;
    if (found === null) continue;
    wrong += 1;
    t.fail(`answer ${n}: ${found}`, { bytes: shown(first, method), again: shown(second, method), ours, other });
  }
  t.comment(`${runs} answers: ${JSON.stringify(counts)}`);
  t.ok(counts.whole > runs / 10, 'enough of them are answers');
  t.ok(counts.refused > runs / 10, 'and enough are none');
  t.end();
});

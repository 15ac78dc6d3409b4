import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { createLookups, type Upstream } from '../../src/forward/forward.js';
import type { UpstreamRequest, UpstreamSink } from '../../src/forward/port.js';
import type { ObjectQuestion } from '../../src/model/object.js';
import { counting } from '../record/fixtures/sample.js';

const options = { concurrency: 4, queue: 3, timeoutMs: 300, maxBytes: 1_024, cacheEntries: 2 };
const rule = { name: 'one', list: null, field: ['user'], cacheMs: 1_000 };
const spaces = { all: false, ids: [], unknown: [], explicit: true };

interface Asked {
  readonly target: string;
  answer(text?: string): void;
}

/** A memory server whose answers wait until the test gives them. */
function server(over: Partial<typeof options> = {}) {
  const asked: Asked[] = [];
  const aborted: string[] = [];
  const clock = { nowMs: () => 0, monotonicMs: () => times.nowMs };
  const times = { nowMs: 0 };
  const moves = { open: 0, ended: 0 };
  const upstream = {
    send: ({ target }: UpstreamRequest, sink: UpstreamSink) => {
      sink.begin();
      asked.push({
        target,
        answer: (text = '{"user":"alpha"}') => {
          sink.head(200, ['Content-Type', 'application/json']);
          sink.data(Buffer.from(text));
          sink.end();
        },
      });
      return { abort: () => void aborted.push(target), resume: () => undefined };
    },
  } as unknown as Upstream;
  const { meter } = counting();
  const find = createLookups({ upstream, clock, meter, moves, options: { ...options, ...over }, credential: () => [] });
  const ask = (id: string, subject = 'a', more: Partial<ObjectQuestion> = {}): Promise<string | null> => {
    const answer = Promise.resolve(find({ rule, target: `/m/${id}`, id, spaces, subject, ...more }));
    answer.catch(() => undefined); // a test may leave before it is given up
    return answer;
  };
  return { asked, aborted, times, moves, ask };
}

t.test('those who ask the same at a time share one question', async (t) => {
  const { asked, ask } = server();
  const all = [ask('1'), ask('1', 'b'), ask('1')];
  t.equal(asked.length, 1);
  asked[0]?.answer();
  t.strictSame(await Promise.all(all), ['alpha', 'alpha', 'alpha']);
});

t.test('a question about other spaces is another one, for its credential may be', async (t) => {
  const { asked, ask } = server();
  void ask('1');
  void ask('1', 'a', { spaces: { ...spaces, ids: ['beta'] } });
  t.equal(asked.length, 2);
});

t.test('only a few at a time, nobody has all places, and the line is bounded', async (t) => {
  const { asked, ask } = server();
  const answers = ['1', '2', '3', '4'].map((id) => ask(id));
  t.equal(asked.length, 2, 'alone one caller has half of the places');
  const other = ask('5', 'b');
  t.equal(asked.length, 3, 'another one has its own');
  await t.rejects(Promise.all([ask('6'), ask('7'), ask('8')]), { code: 'upstream.busy', message: /lookup_queue/ });
  for (let at = 0; at < asked.length; at += 1) {
    asked[at]?.answer();
    await sleep(1);
  }
  t.strictSame(
    await Promise.all([...answers, other]),
    ['alpha', 'alpha', 'alpha', 'alpha', 'alpha'],
    'who waits has a turn',
  );
});

t.test('a question that is not answered in time is given up', async (t) => {
  const { aborted, ask } = server();
  await t.rejects(ask('1'), { code: 'upstream.timeout' });
  t.strictSame(aborted, ['/m/1']);
});

t.test('answers are kept for their time, so many of them, and unknown ones for a second', async (t) => {
  const { asked, ask, times } = server();
  const once = async (id: string, text?: string): Promise<number> => {
    const before = asked.length;
    const answer = ask(id);
    asked[before]?.answer(text);
    await answer;
    return asked.length - before;
  };
  t.equal(await once('1'), 1);
  t.equal(await once('1'), 0, 'used again');
  times.nowMs = 1_000;
  t.equal(await once('1'), 1, 'over');
  t.equal(await once('2'), 1);
  t.equal(await once('1'), 0);
  t.equal(await once('3'), 1, 'a third one');
  t.equal(await once('1'), 0, 'the one that was used last stays');
  t.equal(await once('2'), 1, 'the one that was used longest ago has made room');
  const long = { rule: { ...rule, cacheMs: 60_000 } };
  const unknown = ask('9', 'a', long);
  asked.at(-1)?.answer('{}');
  t.equal(await unknown, null);
  times.nowMs = 1_999;
  const before = asked.length;
  t.equal(await ask('9', 'a', long), null);
  t.equal(asked.length, before, 'kept');
  times.nowMs = 2_001;
  void ask('9', 'a', long);
  t.equal(asked.length, before + 1, 'and not for as long as a known one');
});

t.test('nothing is kept where the profile gives no time', async (t) => {
  const { asked, ask } = server();
  for (let n = 1; n < 3; n += 1) {
    const answer = ask('1', 'a', { rule: { ...rule, cacheMs: 0 } });
    asked.at(-1)?.answer();
    await answer;
    t.equal(asked.length, n);
  }
});

t.test('no answer goes over a write', async (t) => {
  const { asked, ask, moves } = server();
  const early = ask('1');
  moves.open += 1;
  asked[0]?.answer();
  await early;
  void ask('1');
  t.equal(asked.length, 2, 'what came while a write was under way is not kept');
  moves.open -= 1;
  moves.ended += 1;
  const late = ask('1');
  t.equal(asked.length, 3, 'nor is a question from before its end shared');
  asked[1]?.answer('{"user":"beta"}');
  asked[2]?.answer('{"user":"gamma"}');
  t.equal(await late, 'gamma');
  t.equal(await ask('1'), 'gamma', 'the one from behind it is kept');
  moves.ended += 1;
  void ask('1');
  t.equal(asked.length, 4, 'until the next');
});

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import t from 'tap';
import { withDeadline } from '../../src/rego/deadline.js';

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

const untilAborted = (signal: AbortSignal): Promise<unknown> =>
  new Promise((resolve) => {
    signal.addEventListener('abort', () => {
      resolve(signal.reason);
    });
  });

t.test('withDeadline() ends what takes too long, also where everything is collected meanwhile', async (t) => {
  const sweep = setInterval(collect, 5);
  t.teardown(() => {
    clearInterval(sweep);
  });
  const reasons = await Promise.all(
    Array.from({ length: 20 }, () => withDeadline(60, new AbortController().signal, untilAborted)),
  );
  for (const reason of reasons) t.match(reason, { name: 'TimeoutError' });
});

t.test('withDeadline() ends with what closes, and leaves nothing behind', async (t) => {
  const closing = new AbortController();
  const running = withDeadline(60_000, closing.signal, untilAborted);
  closing.abort('closed');
  t.equal(await running, 'closed');
  t.equal(await withDeadline(60_000, closing.signal, (signal) => Promise.resolve(signal.reason)), 'closed');
  t.equal(await withDeadline(60_000, new AbortController().signal, () => Promise.resolve(1)), 1);
});

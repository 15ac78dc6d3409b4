import t from 'tap';
import { H, J, SA, wireCase, type Case } from './support/cases.js';
import { startProgram } from './support/program.js';
import { send } from './support/wire.js';

const connections = 4;
const program = await startProgram(t, { config: { upstream: { connections } } });

/** What group PS sends, in one form each: most is refused, some passes. */
function hostile(one: Case): readonly string[] {
  const post = (framing: string, body = ''): string =>
    `POST /api/v1/memories/remember HTTP/1.1\r\n${H}${one.key('KA')}${SA}${J}${framing}\r\n${body}`;
  return [
    post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    post('Content-Length: 5\r\ncontent-length: 0\r\n', 'hello'),
    post('Content-Length: 5, 5\r\n', 'hello'),
    post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n'),
    post('Transfer-Encoding: ,chunked\r\n', '0\r\n\r\n'),
    post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    post('Transfer-Encoding: chunked\r\n', '2;a=b\r\n{}\r\n0\r\n\r\n'),
    post('Transfer-Encoding: chunked\r\n', '2\r\n{}\r\n0\r\nX-Auth-Subject: root\r\n\r\n'),
    post('Expect: bogus\r\nContent-Length: 2\r\n', '{}'),
    post('Expect: 100-continue\r\nContent-Length: 2\r\n', '{}'),
    `GET / HTTP/1.1\nHost: a\n\n`,
    `GET /x HTTP/2.0\r\n${H}\r\n`,
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    one.goodWith(H),
    one.goodWith('Upgrade: h2c\r\nConnection: Upgrade\r\n'),
    one.goodWith('Upgrade: websocket\r\nConnection: Upgrade\r\n'),
    one.goodWith('Keep-Alive: 1\r\n'),
    one.goodWith('TE: gzip\r\n'),
    one.goodWith('Proxy-Connection: x\r\n'),
    one.goodWith('Connection: ,,\r\n'),
    one.goodWith('Content-Length: 2\r\n'),
    one.goodWith('X-A: \x01\r\n'),
    one.get('/a%20b'),
    one.get('//evil.example/x'),
    'x',
  ];
}

const times = 100;
const atOnce = 16;

/** Half of twenty GOOD take less, in ms. */
async function usualMs(one: Case): Promise<number> {
  const tookMs: number[] = [];
  for (let n = 0; n < 20; n += 1) {
    const { answers, durationMs } = await one.send(one.good);
    one.t.equal(answers[0]?.status, 200, 'GOOD');
    tookMs.push(durationMs);
  }
  return tookMs.sort((a, b) => a - b)[10] ?? Infinity;
}

await wireCase(t, program, { name: 'UP-01', allow: { untracked: true } }, async (one) => {
  const beforeMs = await usualMs(one);
  const queue = Array.from({ length: times }, () => hostile(one)).flat();
  let sent = 0;
  const statuses = new Map<number, number>();
  const sender = async (): Promise<void> => {
    for (let bytes = queue.pop(); bytes !== undefined; bytes = queue.pop()) {
      const { answers } = await send(program.port, [bytes, 'FIN'], { timeoutMs: 2_000 });
      sent += 1;
      const status = answers[0]?.status ?? 0;
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, sender));
  one.t.comment(`${sent} requests: ${JSON.stringify([...statuses].sort())}`);
  one.t.notOk(
    [...statuses.keys()].some((status) => status >= 500 && status !== 501 && status !== 505),
    'nothing fails',
  );
  one.t.equal(await program.metric('upstream_pending'), 0, 'nothing waits for a connection');
  one.t.ok((await program.metric('upstream_connections')) <= connections, 'the pool is as large as it was');
  const afterMs = await usualMs(one);
  const mostMs = Math.max(50, 3 * beforeMs); // the promise is 50 ms; who is slow already is so for another reason
  one.t.ok(afterMs <= mostMs, `as fast as ever (${afterMs.toFixed(1)} ms, before ${beforeMs.toFixed(1)} ms)`);
});

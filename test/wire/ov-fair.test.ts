import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { H, SB, wireCase, type Case } from './support/cases.js';
import { startProgram } from './support/program.js';
import { answers } from './support/recorder.js';

// Four at a time, 50 ms each: behind 200 of the greedy one everybody would wait 2.5 s.
const program = await startProgram(t, { config: { upstream: { connections: 4, queue: 400 } } });
const answerMs = 50;
const greedyClients = 300;
const goodRequests = 40;
const goodMsInAll = 15_000;
const backOffMs = 500;

/** One answer comes as one piece: reading its status is all there is to do, so that these clients cost next to nothing. */
async function statusOf(socket: Socket, bytes: string): Promise<number> {
  socket.write(bytes);
  const [chunk] = (await once(socket, 'data')) as [Buffer];
  return Number(chunk.toString('latin1', 9, 12));
}

/** Asks again and again on one connection. @returns statuses, and how long each took in ms */
async function asking(
  one: Case,
  bytes: string,
  until: (asked: number) => boolean,
): Promise<{ readonly statuses: number[]; readonly tookMs: number[] }> {
  const socket = connect({ host: '127.0.0.1', port: program.port, noDelay: true });
  one.t.teardown(() => socket.destroy());
  const [statuses, tookMs] = [[] as number[], [] as number[]];
  while (!until(statuses.length)) {
    const fromMs = performance.now();
    const status = await statusOf(socket, bytes);
    statuses.push(status);
    tookMs.push(performance.now() - fromMs);
    if (status === 503) await sleep(backOffMs);
  }
  return { statuses, tookMs };
}

/** A machine that is slow is so for both of them: what is compared is one with the other. */
const middle = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[times.length >> 1] ?? Infinity;

await wireCase(
  t,
  program,
  { name: 'a greedy caller before a slow memory server', allow: { untracked: true, memoryMib: 128 } },
  async (one) => {
    const good = `GET /api/v1/memories/recall?q=x HTTP/1.1\r\n${H}${one.key('KB')}${SB}\r\n`;
    await asking(one, good, (asked) => asked === 1); // its key is known
    one.recorder.script({ request: answers.delayed(answerMs) });
    let isOver = false;
    const greedy = Array.from({ length: greedyClients }, () => asking(one, one.good, () => isOver));
    while ((await program.metric('upstream_pending')) < 150) await sleep(50);
    const endMs = performance.now() + goodMsInAll;
    const { statuses, tookMs } = await asking(
      one,
      good,
      (asked) => asked === goodRequests || performance.now() > endMs,
    );
    isOver = true;
    one.recorder.script({});
    const greedyRuns = await Promise.all(greedy);
    const theirs = greedyRuns.flatMap((each) => each.statuses);
    const waited = greedyRuns.flatMap((each) => each.tookMs.filter((_, n) => each.statuses[n] === 200));
    const [mine, others] = [middle(tookMs), middle(waited)];
    const count = (status: number): number => theirs.filter((each) => each === status).length;
    one.t.comment(
      `good ×${statuses.length}: median ${mine.toFixed(0)} ms; greedy: ${others.toFixed(0)} ms, ${count(200)} × 200, ${count(503)} × 503`,
    );
    one.t.strictSame([...new Set(statuses)], [200], 'the good one has no error');
    one.t.ok(4 * mine <= others, 'and waits for a turn, not for all of the others');
    one.t.ok(count(200) > 0, 'the greedy one is served as well');
    one.t.ok(count(503) > 0, 'and refused beyond its share');
    one.t.equal(count(200) + count(503), theirs.length, 'with nothing else');
  },
);

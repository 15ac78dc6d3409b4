import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { wireCase, type Case } from './support/cases.js';
import { otherSecret, unknownKey } from './support/forge.js';
import { startProgram } from './support/program.js';
import { as, hashes } from './support/steps.js';
import { send, type Exchange } from './support/wire.js';

// The limits of failures are the usual ones here.
const program = await startProgram(t, {
  config: { keys: { failures_per_minute: undefined, failures_per_minute_per_key: undefined } },
});
const attacker = '127.0.0.5';
const owner = '127.0.0.6';
const perSecond = 300;
const floodMs = 2_000;
const failuresPerKey = 10;
const failuresPerAddress = 30;
const hashing = { hashes: true, untracked: true } as const;

interface Flood {
  readonly statuses: ReadonlyMap<number, number>;
  readonly retryAfter: ReadonlySet<string | undefined>;
}

/** Sends attempts at an even rate, whatever becomes of them. */
async function flood(one: Case, attempt: (n: number) => Promise<Exchange>): Promise<Flood> {
  const running: Promise<Exchange>[] = [];
  const startedMs = performance.now();
  for (let n = 0; n < (perSecond * floodMs) / 1_000; n += 1) {
    const dueMs = startedMs + (n * 1_000) / perSecond;
    if (dueMs > performance.now()) await sleep(dueMs - performance.now());
    running.push(attempt(n));
  }
  const exchanges = await Promise.all(running);
  one.exchanges.push(...exchanges);
  const statuses = new Map<number, number>();
  const answers = exchanges.flatMap(({ answers: some }) => some);
  for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
  const retryAfter = new Set(
    answers.filter(({ status }) => status === 429).map((answer) => answer.header('retry-after')),
  );
  return { statuses, retryAfter };
}

/** GOOD again and again until told to stop. @returns how long each took, in ms, ascending */
async function goodBeside(one: Case, until: { isOver: boolean }): Promise<readonly number[]> {
  const times: number[] = [];
  while (!until.isOver) {
    const exchange = await one.send(one.good, { localAddress: owner });
    if (exchange.answers[0]?.status !== 200) one.t.fail(`GOOD got ${exchange.answers[0]?.status ?? 'nothing'}`);
    times.push(exchange.durationMs);
    await sleep(10);
  }
  return times.sort((a, b) => a - b);
}

async function underFlood(one: Case, attempt: (n: number) => Promise<Exchange>): Promise<Flood> {
  const until = { isOver: false };
  const beside = goodBeside(one, until);
  const result = await flood(one, attempt).finally(() => (until.isOver = true));
  const times = await beside;
  const [p50 = Infinity, p99 = Infinity] = [0.5, 0.99].map((share) => times[Math.floor(share * times.length)]);
  one.t.comment(
    `GOOD ×${times.length} beside the flood: p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms; attacker ${JSON.stringify([...result.statuses])}`,
  );
  one.t.ok(times.length > 4, 'GOOD was asked all the time');
  one.t.ok(p99 <= 1_000, `GOOD never waits for the attacker's hashes (p99 ${p99.toFixed(1)} ms)`); // the figure itself is a benchmark's matter
  return result;
}

/** 401, and 429 from then on; 503 for what comes while more wait than may. */
function onlyRefused({ t: test }: Case, statuses: Flood['statuses']): void {
  test.ok((statuses.get(401) ?? 0) > 0 && (statuses.get(429) ?? 0) > 0, 'the attacker gets 401 and then 429');
  test.strictSame(
    [...statuses.keys()].filter((status) => ![401, 429, 503].includes(status)),
    [],
    'and nothing else',
  );
}

await wireCase(t, program, { name: 'KY-11', allow: hashing }, async (one) => {
  await one.passes('KA is remembered', one.good, { localAddress: owner });
  const from = await hashes(program);
  const { statuses, retryAfter } = await underFlood(one, () =>
    send(program.port, as(otherSecret(program.keys.KA.text)), { localAddress: attacker }),
  );
  onlyRefused(one, statuses);
  one.t.ok((statuses.get(401) ?? 0) <= failuresPerKey + 1, 'after a few attempts');
  one.t.ok((await hashes(program)) - from <= failuresPerKey + 1, 'nothing more is hashed for it');
  one.t.notOk(retryAfter.has(undefined), 'it is told when to come back');
  await one.passes('the owner is not locked out', one.good, { localAddress: owner });
  await one.passes('nor at the address of the attacker, as KA is verified already', one.good, {
    localAddress: attacker,
  });
  await one.passes('a key that is not yet verified is, elsewhere', as(program.keys.KALL.text), { localAddress: owner });
});

await wireCase(t, program, { name: 'KY-11 (ids that nobody has)', allow: hashing }, async (one) => {
  const from = await hashes(program);
  const { statuses } = await underFlood(one, () => send(program.port, as(unknownKey()), { localAddress: '127.0.0.7' }));
  onlyRefused(one, statuses);
  one.t.ok((await hashes(program)) - from <= failuresPerAddress + 3, 'an address has one budget for all ids'); // and what comes back of it in 3 s
});

await wireCase(t, program, { name: 'KY-11 (from 200 addresses)', allow: hashing }, async (one) => {
  const { statuses } = await underFlood(one, (n) =>
    send(program.port, as(otherSecret(program.keys.KA.text)), {
      localAddress: `127.0.1.${n % 200}`,
      timeoutMs: 20_000,
    }),
  );
  one.t.ok((statuses.get(503) ?? 0) > 0, 'what does not fit the queue of hashes gets 503');
  one.t.notOk(statuses.has(200) || statuses.has(500), 'and nothing else happens');
});

import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { H, J, SA, SB, wireCase, type Case } from './support/cases.js';
import { startProgram } from './support/program.js';
import { usualAnswer, type Reply } from './support/recorder.js';
import { reload } from './support/steps.js';
import { Client, send, type Answer } from './support/wire.js';

const places = 8;
const gateway = { max_requests_in_progress: places };
const program = await startProgram(t, { config: { gateway } });
const allow = { untracked: true, probes: true, hashes: true } as const;

const lines = { KA: SA, KB: SB, KALL: SA, ST: SA } as const;
const read = (one: Case, name: keyof typeof lines): string =>
  `GET /api/v1/memories/recall?q=x HTTP/1.1\r\n${H}${one.key(name)}${lines[name]}\r\n`;

async function open(one: Case, bytes: string): Promise<Client> {
  const client = await Client.open({ port: program.port });
  one.t.teardown(() => client.close());
  client.write(bytes);
  return client;
}

const code = (answer: Answer | undefined): string => String(answer?.json()?.type).replace('urn:memgate:refusal:', '');
const path = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`;

/** Lets the memory server keep requests until `answerAll`. */
function holding(one: Case): { readonly held: Reply[]; answerAll(): void } {
  const held: Reply[] = [];
  one.recorder.script({
    request: ({ target }, reply) => (target.includes('recall') ? held.push(reply) : reply.write(usualAnswer)),
  });
  const answerAll = (): void => {
    one.recorder.script({});
    for (const reply of held) reply.write(usualAnswer);
  };
  return { held, answerAll };
}

/** Holds requests of one caller until it gets no more places. @returns how many it got, and what the next one was told */
async function holdAll(
  one: Case,
  name: keyof typeof lines,
  held: readonly Reply[],
): Promise<{ readonly got: number; readonly refused: Answer | undefined }> {
  for (let got = 0; got <= places; got += 1) {
    const before = held.length;
    const client = await open(one, read(one, name));
    const isAnswered = client.until(() => client.answers.length > 0);
    await Promise.race([isAnswered, one.recorder.until(() => held.length > before)]);
    if (held.length === before) return { got, refused: client.answers[0] };
  }
  throw new Error('no end of places');
}

await wireCase(t, program, { name: 'requests in progress have a bound, and no caller has all', allow }, async (one) => {
  const { held, answerAll } = holding(one);
  const greedy = await holdAll(one, 'KA', held);
  one.t.equal(greedy.got, 4, 'half of the places');
  one.t.equal(greedy.refused?.status, 503);
  one.t.equal(code(greedy.refused), 'pressure.share');
  one.t.equal(greedy.refused?.header('retry-after'), '1');
  one.t.not(greedy.refused?.header('connection'), 'close', 'its connection may be used again');
  one.t.equal((await holdAll(one, 'KB', held)).got, 2, 'half of the rest for the next');
  one.t.equal((await holdAll(one, 'KALL', held)).got, 1);
  one.t.equal((await holdAll(one, 'ST', held)).got, 1, 'and the last one for the last');
  one.t.equal(await program.metric('places_taken'), places);
  const full = await one.send(one.good);
  one.t.equal(full.answers[0]?.status, 503, 'then it is full');
  one.t.equal(code(full.answers[0]), 'pressure.full');
  one.t.equal(full.answers[0]?.header('retry-after'), '1');
  one.t.ok(full.isClosed, 'nobody has looked where the request ends: its connection is closed');
  const record = await program.audit.find(one.from.audit, ({ id }) => id === full.answers[0]?.header('x-request-id'));
  one.t.match(record, { type: 'system.overloaded', effect: 'deny', code: 'pressure.full' });
  one.t.ok((await program.metric('http_refusals_total{code="pressure.full"}')) >= 1, 'counted');
  const head = await send(program.port, one.good.replace('GET', 'HEAD'), { head: true });
  one.t.equal(head.answers[0]?.status, 503, 'HEAD as well');
  const unread = await one.send(`${one.rememberHead('Content-Length: 100000\r\n')}${'x'.repeat(1_000)}`);
  one.t.equal(unread.answers[0]?.status, 503, 'and a body that has not come');
  one.t.ok(unread.isClosed);
  one.t.equal((await send(program.probesPort, path('/health'))).answers[0]?.status, 200, 'liveness');
  one.t.equal((await send(program.probesPort, path('/ready'))).answers[0]?.status, 200, 'readiness');
  await reload(one); // operators are let in
  answerAll();
  const isFree = program.audit.until(() => undefined, 200);
  await isFree;
  one.t.equal(await program.metric('places_taken'), 0, 'answered: every place is free');
  one.t.equal((await one.send(one.good)).answers[0]?.status, 200);
});

const streamHead = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';

await wireCase(t, program, { name: 'streams take no places', allow }, async (one) => {
  one.recorder.script({
    request: ({ target }, reply) =>
      reply.write(target.includes('/events') ? `${streamHead}5\r\nevent\r\n` : usualAnswer),
  });
  for (let n = 0; n < places + 2; n += 1) {
    const stream = await open(one, one.get('/api/v1/monitoring/events?space=alpha').replace(SA, ''));
    one.t.ok(await stream.until(() => stream.bytes.includes('event')), `stream ${n}`);
  }
  one.t.equal(await program.metric('places_taken'), 0);
  one.t.equal(await program.metric('requests_in_progress'), places + 2);
  one.t.equal((await one.send(one.good)).answers[0]?.status, 200);
});

await wireCase(t, program, { name: 'requests in waiting have a bound in sum', allow }, async (one) => {
  const { held, answerAll } = holding(one);
  const before = await program.metric('connections_refused_total{reason="pipelined"}');
  const first = await open(one, one.good.repeat(1 + places / 2));
  await one.recorder.until(() => held.length === 1);
  const second = await open(one, one.good.repeat(2 + places / 2));
  one.t.ok(await second.until(() => second.isClosed), 'one more than all connections together may have waiting');
  one.t.equal(await program.metric('connections_refused_total{reason="pipelined"}'), before + 1);
  answerAll();
  one.t.ok(await first.until(() => first.answers.length === 1 + places / 2), 'the others are answered');
});

// A loop that stands still for 80 ms out of 90 is late at every look.
const stillMs = 80;
const runningMs = 10;
const stutterMs = 3_000;

async function stutter(endMs: number): Promise<void> {
  while (performance.now() < endMs) {
    process.kill(program.pid, 'SIGSTOP');
    await sleep(stillMs);
    process.kill(program.pid, 'SIGCONT');
    await sleep(runningMs);
  }
}

await wireCase(t, program, { name: 'a loop that stays late turns a part away', allow }, async (one) => {
  await program.writeConfig({ gateway: { max_loop_delay_ms: 20 } });
  await reload(one);
  const seen = new Set<string>();
  const endMs = performance.now() + stutterMs;
  const stuttering = stutter(endMs);
  while (performance.now() < endMs) {
    const { answers } = await one.send(one.good);
    seen.add(answers[0]?.status === 200 ? 'ok' : code(answers[0]));
  }
  await stuttering;
  one.t.strictSame([...seen].sort(), ['ok', 'pressure.late'], 'in part, and for nothing else');
  one.t.match(program.stderr, /"msg":"pressure.late"/, 'the log tells');
  const isBack = async (): Promise<boolean> => (await program.metric('shed_ratio')) === 0;
  for (let tries = 0; tries < 100 && !(await isBack()); tries += 1) await sleep(100);
  one.t.equal((await one.send(one.good)).answers[0]?.status, 200, 'it is over soon after');
  await program.writeConfig({ gateway });
  await reload(one);
});

await wireCase(t, program, { name: 'OV-08 a loop that stands still for 2 s', allow }, async (one) => {
  await program.writeConfig({ gateway: { max_loop_delay_ms: 500, max_requests_in_progress: 1_000 } });
  await reload(one);
  one.recorder.script({ request: (_, reply) => setTimeout(() => reply.write(usualAnswer), 200) });
  const statuses: (number | undefined)[] = [];
  const sending: Promise<unknown>[] = [];
  for (let n = 0; n < 60; n += 1) {
    if (n === 30) process.kill(program.pid, 'SIGSTOP');
    sending.push(one.send(one.good, { timeoutMs: 10_000 }).then(({ answers }) => statuses.push(answers[0]?.status)));
    await sleep(10);
  }
  const probe = send(program.probesPort, path('/health'), { timeoutMs: 10_000 });
  await sleep(2_000);
  process.kill(program.pid, 'SIGCONT');
  await Promise.all(sending);
  one.t.strictSame([...new Set(statuses)], [200], 'whoever came before or meanwhile is answered');
  one.t.equal(statuses.length, 60);
  one.t.equal((await probe).answers[0]?.status, 200, 'and so is liveness');
  one.t.equal(await program.metric('shed_ratio'), 0, 'a pause is no overload');
  await program.writeConfig({ gateway });
  await reload(one);
});

const mib = 1_048_576;
const uploads = 60;

await wireCase(
  t,
  program,
  { name: 'short memory turns new requests away', allow: { ...allow, memoryMib: 128 } },
  async (one) => {
    const memory = { max_requests_in_progress: 640, max_rss_bytes: program.rss() + 16 * mib };
    await program.writeConfig({ gateway: memory });
    await reload(one);
    const body = `${J}Content-Length: ${mib}\r\n`;
    const clients = await Promise.all(
      Array.from({ length: uploads }, () => open(one, `${one.rememberHead(body)}${'x'.repeat(mib - 1)}`)),
    );
    const isShort = async (): Promise<boolean> => (await program.metric('memory_short')) === 1;
    for (let tries = 0; tries < 100 && !(await isShort()); tries += 1) await sleep(100);
    one.t.ok(await isShort(), 'bodies that are held show in the resident memory');
    const [turned] = (await one.send(one.good)).answers;
    one.t.equal(turned?.status, 503);
    one.t.equal(code(turned), 'pressure.memory');
    one.t.match(program.stderr, /"msg":"pressure.memory"/, 'the log tells');
    one.t.equal((await send(program.probesPort, path('/ready'))).answers[0]?.status, 200, 'it is ready all the same');
    for (const client of clients) client.close();
    const isFree = async (): Promise<boolean> => (await program.metric('places_taken')) === 0;
    for (let tries = 0; tries < 100 && !(await isFree()); tries += 1) await sleep(50);
    one.t.equal(
      (await one.send(one.good)).answers[0]?.status,
      200,
      'a few requests at a time pass whatever the memory says',
    );
    await program.writeConfig({ gateway: { max_requests_in_progress: 640, max_rss_bytes: 64 * 1_024 * mib } });
    await reload(one);
    for (let tries = 0; tries < 100 && (await isShort()); tries += 1) await sleep(100);
    one.t.notOk(await isShort(), 'memory is enough again');
  },
);

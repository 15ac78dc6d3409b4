import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { wireCase, type Case } from './support/cases.js';
import { deaf } from './support/deaf.js';
import { startProgram } from './support/program.js';
import { answers } from './support/recorder.js';
import { reload } from './support/steps.js';
import { Client, send, type Exchange } from './support/wire.js';

const times = { connect_timeout_ms: 500, headers_timeout_ms: 1_000, body_timeout_ms: 800, deadline_ms: 3_000 };
const upstream = { connections: 4, ...times };
const program = await startProgram(t, { config: { upstream } });

/** How the record says that the answered request ended. */
const outcome = async (one: Case, exchange: Exchange): Promise<Readonly<Record<string, unknown>>> => {
  const id = exchange.answers[0]?.header('x-request-id');
  return program.audit.find(one.from.audit, (record) => record.id === id && record['ended_by'] !== undefined);
};

/** The client must see that the answer is not whole. */
async function broken(one: Case, name: string, exchange: Exchange): Promise<void> {
  const [answer] = exchange.answers;
  one.t.equal(answer?.status, 200, `${name}: it had begun`);
  one.t.equal(answer?.isWhole, false, `${name}: it is not whole`);
  one.t.equal(exchange.isClosed, true, `${name}: and the connection is gone`);
  one.t.match(await outcome(one, exchange), { type: 'memory.interrupted', ended_by: 'upstream' }, `${name}: recorded`);
}

const probe = async (path: string): Promise<number | undefined> =>
  (await send(program.probesPort, `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`)).answers[0]?.status;

await wireCase(t, program, { name: 'UP-02', allow: { probes: true } }, async (one) => {
  await one.passes('GOOD', one.good);
  await one.recorder.pause();
  const refused = await one.send(one.good);
  one.t.equal(refused.answers[0]?.status, 502, '502');
  one.t.ok(refused.durationMs <= 500, `at once (${refused.durationMs.toFixed(0)} ms)`);
  const wanted = { type: 'memory.not-forwarded', not_forwarded: 'upstream.unreachable', status: 502 };
  one.t.match(await outcome(one, refused), wanted, 'the outcome is recorded');
  one.t.equal(await probe('/ready'), 503, 'not ready');
  one.t.equal(await probe('/health'), 200, 'but alive');
  await one.recorder.resume();
  await one.passes('as soon as it is there again', one.good);
});

await wireCase(t, program, { name: 'UP-03' }, async (one) => {
  const server = await deaf();
  try {
    await program.writeConfig({ upstream: { ...upstream, url: `http://127.0.0.1:${server.port}` } });
    await reload(one);
    const exchange = await one.send(one.good);
    one.t.equal(exchange.answers[0]?.status, 504, '504');
    one.t.ok(
      exchange.durationMs >= times.connect_timeout_ms - 50,
      `not before the connect timeout (${exchange.durationMs.toFixed(0)} ms)`,
    );
    one.t.ok(exchange.durationMs < times.connect_timeout_ms + 1_500, 'and soon after it');
    one.t.match(await outcome(one, exchange), { not_forwarded: 'upstream.timeout' }, 'recorded');
  } finally {
    await server.close();
    await program.writeConfig({ upstream });
    await reload(one);
  }
});

/** A script that never answers. @returns how long after this moment the connection of the next request is closed, in ms */
function silent(one: Case): () => Promise<number> {
  const connection = { gone: Promise.resolve() };
  one.recorder.script({ request: (_, reply) => (connection.gone = reply.gone) });
  return async () => {
    const fromMs = performance.now();
    await Promise.race([connection.gone, sleep(3_000)]);
    return performance.now() - fromMs;
  };
}

/** What a case wants within 100 ms; the rest is for a busy machine. */
const soonMs = 400;

await wireCase(t, program, { name: 'UP-04', allow: { untracked: true } }, async (one) => {
  const untilGone = silent(one);
  const exchange = await one.send(one.good);
  one.t.equal(exchange.answers[0]?.status, 504, '504');
  one.t.ok(
    exchange.durationMs >= times.headers_timeout_ms - 50,
    `not before the timeout (${exchange.durationMs.toFixed(0)} ms)`,
  );
  one.t.ok(exchange.durationMs < times.headers_timeout_ms + 2_000, 'and soon after it');
  one.t.ok((await untilGone()) < soonMs, 'the connection to the upstream is closed');
  const client = await Client.open({ port: program.port });
  client.write(one.good);
  await one.recorder.until(() => one.forwarded.length === 2);
  client.close();
  const tookMs = await untilGone();
  one.t.ok(tookMs < soonMs, `the client leaves, and the upstream's connection with it (${tookMs.toFixed(0)} ms)`);
  const { id } = one.forwarded[1] ?? {};
  const left = await program.audit.find(
    one.from.audit,
    (record) => record.id === id && record['ended_by'] !== undefined,
  );
  one.t.match(left, { ended_by: 'client' }, 'recorded');
});

await wireCase(t, program, { name: 'UP-06' }, async (one) => {
  one.recorder.script({ request: answers.raw('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n0123456789') });
  const exchange = await one.send(one.good);
  await broken(one, 'a body that stalls', exchange);
  one.t.ok(
    exchange.durationMs < times.body_timeout_ms + 2_000,
    `at the timeout (${exchange.durationMs.toFixed(0)} ms)`,
  );
  one.recorder.script({ request: answers.raw('HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n01234\r\n') });
  await broken(one, 'chunks that stall', await one.send(one.good));
});

await wireCase(t, program, { name: 'UP-06 (drip)' }, async (one) => {
  one.recorder.script({
    request: (_, reply) => {
      reply.write('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n');
      const drip = setInterval(() => reply.write('x'), 300);
      void reply.gone.then(() => clearInterval(drip));
    },
  });
  const exchange = await one.send(one.good, { timeoutMs: 10_000 });
  await broken(one, 'a byte now and then', exchange);
  one.t.ok(
    exchange.durationMs < times.deadline_ms + 1_500,
    `the deadline ends it (${exchange.durationMs.toFixed(0)} ms)`,
  );
});

await wireCase(t, program, { name: 'UP-07' }, async (one) => {
  const [length, chunked] = [
    'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n',
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n',
  ];
  const cuts = {
    'RST within the body': answers.rawThenReset(`${length}0123456789`),
    'FIN before its length': answers.rawThenEnd(`${length}0123456789`),
    'RST within chunks': answers.rawThenReset(`${chunked}5\r\n01234\r\n`),
    'FIN within chunks': answers.rawThenEnd(`${chunked}5\r\n01234\r\n`),
    'FIN within a chunk': answers.rawThenEnd(`${chunked}5\r\n01`),
    'FIN before the last line end': answers.rawThenEnd(`${chunked}5\r\n01234\r\n0\r\n`),
  };
  for (const [name, request] of Object.entries(cuts)) {
    one.recorder.script({ request });
    await broken(one, name, await one.send(one.good));
  }
  for (const [name, request] of Object.entries({
    'RST before the head': answers.reset,
    'FIN before the head': answers.rawThenEnd(''),
    'FIN within the head': answers.rawThenEnd('HTTP/1.1 200 OK\r\nContent-Le'),
  })) {
    one.recorder.script({ request });
    const exchange = await one.send(one.good);
    one.t.equal(exchange.answers[0]?.status, 502, `${name}: 502`);
    one.t.match(await outcome(one, exchange), { status: 502 }, `${name}: recorded`);
  }
  one.t.equal(one.forwarded.length, 9, 'no request was sent twice');
});

await wireCase(t, program, { name: 'UP-09' }, async (one) => {
  const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL';
  const connection: { gone: Promise<unknown> } = { gone: Promise.resolve() };
  one.recorder.script({
    request: (request, reply) => {
      answers.usual(request, reply);
      setTimeout(() => reply.write(evil), 50);
      connection.gone = reply.gone.then(() => 'gone');
    },
  });
  await one.passes('GOOD', one.good);
  one.t.equal(await Promise.race([connection.gone, sleep(3_000)]), 'gone', 'the connection is dropped');
  one.recorder.script({});
  for (let n = 0; n < 4; n += 1) {
    const { answers: given } = await one.send(one.good);
    one.t.equal(given[0]?.body.toString(), '{"ok":true}', 'the next ones get their own answers');
  }
  one.recorder.script({
    request: (_, reply) => reply.write(`HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}${evil}`),
  });
  one.t.equal(
    (await one.send(one.good)).answers[0]?.body.toString(),
    '{"ok":true}',
    'what comes behind an answer is cut off',
  );
  one.recorder.script({});
  one.t.equal((await one.send(one.good)).answers[0]?.body.toString(), '{"ok":true}', 'and given to nobody');
});

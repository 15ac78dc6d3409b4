import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { root } from './support/build.js';
import { H, SA, wireCase } from './support/cases.js';
import { startProgram } from './support/program.js';
import type { Reply } from './support/recorder.js';
import { good } from './support/invariants.js';
import { as, reload } from './support/steps.js';
import { Client } from './support/wire.js';

const mib = 1_048_576;

// The profile with one route whose body is passed on unread: Engram's own has none.
const profileText = readFileSync(join(root, 'config', 'profiles', 'engram.yaml'), 'utf8');
const route = /( {2}- id: memories\.store\b[^]*?space: \[header:X-Memory-Space\]\n)/;
const profile = join(t.testdir({}), 'profile.yaml');
writeFileSync(profile, profileText.replace(route, '$1    body: stream\n    body_reason: test only\n'));

const upstream = {
  connections: 4,
  connect_timeout_ms: 2_000,
  headers_timeout_ms: 2_000,
  body_timeout_ms: 300,
  deadline_ms: 3_000,
  stream_idle_timeout_ms: 2_500,
};
const program = await startProgram(t, { config: { upstream, profile } });

/** Says as much as the other side takes, until it leaves. */
function endless(reply: Reply, count: (bytes: number) => void): void {
  const chunk = Buffer.alloc(65_536, 'x');
  reply.write(`HTTP/1.1 200 OK\r\nContent-Length: ${10_240 * mib}\r\n\r\n`);
  const more = (): void => {
    while (!reply.socket.destroyed) {
      count(chunk.length);
      if (!reply.socket.write(chunk)) break;
    }
  };
  reply.socket.on('drain', more);
  more();
}

/** Reads an endless answer. @returns what the upstream got rid of meanwhile, in bytes, and how far the process grew */
async function readEndless(
  read: 'all' | '10 KiB/s',
  untilMs: number,
): Promise<{ readonly sent: number; readonly grown: number }> {
  let sent = 0;
  const connection = { gone: Promise.resolve() };
  program.recorder.script({
    request: (_, reply) => {
      connection.gone = reply.gone;
      endless(reply, (bytes) => (sent += bytes));
    },
  });
  const rss = program.rss();
  let highest = rss;
  const socket = connect(program.port, '127.0.0.1').on('error', () => undefined);
  socket.write(good(program));
  if (read === 'all') socket.resume();
  const endMs = performance.now() + untilMs;
  while (performance.now() < endMs) {
    await sleep(100);
    if (read === '10 KiB/s') socket.read(1_024);
    highest = Math.max(highest, program.rss());
  }
  socket.destroy();
  await connection.gone;
  return { sent, grown: highest - rss };
}

const patient = { upstream: { ...upstream, body_timeout_ms: 60_000, deadline_ms: 60_000 }, profile };

await t.test('whoever reads gets 64 MiB in 2 s and more: without back-pressure they would be held', async (t) => {
  await program.writeConfig(patient);
  t.equal((await program.reload()).status, 200);
  const { sent } = await readEndless('all', 2_000);
  t.ok(sent > 64 * mib, `${Math.round(sent / mib)} MiB`);
});

await wireCase(t, program, { name: 'UP-16', allow: { untracked: true } }, async (one) => {
  const { sent, grown } = await readEndless('10 KiB/s', 2_000);
  one.t.ok(sent < 32 * mib, `whoever does not read stops the upstream after ${(sent / mib).toFixed(1)} MiB`);
  one.t.ok(grown <= 32 * mib, `and nothing is held (${Math.round(grown / mib)} MiB more)`);
  await program.writeConfig({ upstream, profile });
  await reload(one);
});

await wireCase(t, program, { name: 'UP-13', allow: { untracked: true } }, async (one) => {
  const total = 100 * mib;
  const body = '{"too":"large"}';
  const answer = `HTTP/1.1 413 Content Too Large\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
  one.recorder.script({ head: (_, reply) => reply.write(answer), request: () => undefined });
  const reached = one.recorder.received;
  const client = await Client.open({ port: program.port });
  client.write(
    `POST /api/v1/memories HTTP/1.1\r\n${H}${one.key('KA')}${SA}Content-Type: application/octet-stream\r\nContent-Length: ${total}\r\n\r\n`,
  );
  const chunk = Buffer.alloc(65_536, 'x');
  const startedMs = performance.now();
  let written = 0;
  while (!client.isClosed && client.answers.length === 0 && written < total) {
    written += chunk.length;
    if (!client.socket.write(chunk))
      await Promise.race([
        new Promise((resolve) => client.socket.once('drain', resolve)),
        client.until(() => client.isClosed || client.answers.length > 0),
      ]);
  }
  const tookMs = performance.now() - startedMs;
  await client.until(() => client.isClosed);
  one.exchanges.push(client.exchange());
  one.t.equal(client.answers[0]?.status, 413, '413');
  one.t.equal(client.answers[0]?.body.toString(), body, 'the whole of it');
  one.t.ok(tookMs <= 1_000, `at once (${tookMs.toFixed(0)} ms)`);
  one.t.ok(client.isClosed, 'the upload is stopped');
  one.t.ok(
    one.recorder.received - reached < 32 * mib,
    `after ${((one.recorder.received - reached) / mib).toFixed(1)} MiB`,
  );
  one.recorder.script({});
  for (let n = 0; n < 8; n += 1) await one.passes('the pool is well', one.good);
  one.t.equal(await program.metric('upstream_pending'), 0, 'and nothing waits');
});

// Less than what is read away, and more than what the kernel holds for those who do not read.
const rest = Math.floor(3.9 * mib);

await wireCase(t, program, { name: 'UP-13 (sends all the same)', allow: { untracked: true } }, async (one) => {
  one.recorder.script({
    head: (_, reply) => reply.write('HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n'),
    request: () => undefined,
  });
  const client = await Client.open({ port: program.port });
  client.write(
    `POST /api/v1/memories HTTP/1.1\r\n${H}${one.key('KA')}${SA}Content-Type: application/octet-stream\r\nContent-Length: ${rest}\r\n\r\n`,
  );
  one.t.ok(await client.until(() => client.answers.length > 0), 'an answer before the body');
  client.write(Buffer.alloc(rest, 'x'));
  one.t.ok(await client.until(() => client.isClosed), 'the connection is closed');
  one.t.equal(client.socket.writableLength, 0, 'when the rest was read, so that the answer is not lost with it');
  one.t.equal(client.answers[0]?.status, 413);
  one.exchanges.push(client.exchange());
  one.recorder.script({});
});

const eventMs = 1_800; // longer than body_timeout_ms, which is looked at four times a second
const events = 2;

await wireCase(t, program, { name: 'UP-17', allow: { untracked: true } }, async (one) => {
  one.recorder.script({
    request: (_, reply) => {
      reply.write('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n');
      let n = 0;
      const timer = setInterval(() => {
        n += 1;
        reply.write(`b\r\ndata: ${String(n).padStart(3, '0')}\n\n\r\n`);
        if (n === events) clearInterval(timer);
      }, eventMs);
      void reply.gone.then(() => clearInterval(timer));
    },
  });
  const plain = await one.send(one.good);
  const isCut = plain.isClosed && plain.answers[0]?.isWhole !== true;
  one.t.ok(isCut && plain.durationMs < eventMs, `no stream: cut for its silence (${plain.durationMs.toFixed(0)} ms)`);
  const stream = as(program.keys.KA.text).replace('/memories/recall?q=x', '/monitoring/events?space=alpha');
  const { bytes, durationMs, answers } = await one.send(stream, { timeoutMs: 15_000 });
  const lastMs = events * eventMs;
  one.t.ok(
    lastMs > upstream.deadline_ms && bytes.includes('data: 002'),
    'a stream goes on through silences and past the deadline',
  );
  one.t.ok(
    durationMs > lastMs + upstream.stream_idle_timeout_ms - 200,
    `and is cut for its own, longer silence (${durationMs.toFixed(0)} ms)`,
  );
  one.t.ok(durationMs < lastMs + upstream.stream_idle_timeout_ms + 3_000, 'soon after that');
  one.t.equal(answers[0]?.isWhole, false, 'in a way that the client can see');
});

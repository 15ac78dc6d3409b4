import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { connect, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { systemClock } from '../../src/base/clock.js';
import type { Forwarded } from '../../src/forward/context.js';
import { Exchange } from '../../src/forward/exchange.js';
import type { Upstream, UpstreamSink } from '../../src/forward/port.js';
import { BodyFailure } from '../../src/model/body-failure.js';
import { refuse } from '../../src/model/codes.js';
import { CleanRequest, type CleanFacts, type RequestBody } from '../../src/model/request.js';

interface Options {
  readonly method?: string;
  readonly body?: Partial<RequestBody>;
  readonly deadlineMs?: number;
}

interface Running {
  readonly client: Socket;
  /** Plays the memory server. */
  readonly sink: UpstreamSink;
  readonly ended: Promise<Forwarded>;
  readonly response: ServerResponse;
  isOver(): boolean;
}

const wholeBody = { framing: 'none', length: 0, isComplete: true, received: 0, discard: () => Promise.resolve() };

/** One exchange over a real connection to a client that reads nothing by itself. */
async function run(t: Test, { method = 'GET', body = {}, deadlineMs = 10_000 }: Options = {}): Promise<Running> {
  let taken: (response: ServerResponse) => void = () => undefined;
  const asked = new Promise<ServerResponse>((resolve) => (taken = resolve));
  const server = createServer((_: IncomingMessage, response: ServerResponse) => taken(response));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => undefined);
  t.teardown(() => {
    client.destroy();
    server.closeAllConnections();
    server.close();
  });
  client.write(`${method} / HTTP/1.1\r\nHost: a\r\n\r\n`);
  const response = await asked;
  const sinks: UpstreamSink[] = [];
  const upstream = {
    send: (_: unknown, sink: UpstreamSink) => {
      sinks.push(sink);
      return { abort: () => undefined, resume: () => undefined };
    },
  } as unknown as Upstream;
  const facts = { method, body: { ...wholeBody, ...body } } as unknown as CleanFacts;
  const answer = { drop: new Set<string>(), upstreamAuthority: 'u', injectsCredential: false };
  const ended = new Exchange({
    context: { upstream, clock: systemClock, leases: { take: () => () => undefined } } as never,
    reply: { response, ownHeaders: [] },
    request: CleanRequest.passed(facts),
    permit: null,
    live: () => null,
    send: {
      use: { kind: 'request', subject: 'a' },
      method,
      target: '/',
      headers: [],
      body: null,
      bodyTimeoutMs: 1_000,
    },
    deadlineMs,
    answer,
  }).run();
  let isOver = false;
  void ended.then(() => (isOver = true));
  const [sink] = sinks;
  if (sink === undefined) throw new Error('nothing was sent');
  sink.begin();
  return { client, sink, ended, response, isOver: () => isOver };
}

const much = Buffer.alloc(64 * 1_048_576, 'x'); // more than the kernel keeps for a client that does not read

t.test('an answer is complete when its last byte has left, not before', async (t) => {
  const { client, sink, ended, isOver } = await run(t);
  sink.head(200, ['Content-Length', String(much.length)]);
  sink.data(much);
  sink.end();
  await sleep(100);
  t.notOk(isOver(), 'nobody has read it yet');
  client.resume();
  t.match(await ended, { ok: true, value: { endedBy: 'completed', responseBytes: much.length } });
});

t.test('a client that leaves behind the end of the upstream has not got its answer', async (t) => {
  const { client, sink, ended } = await run(t);
  sink.head(200, ['Content-Length', String(much.length)]);
  sink.data(much);
  sink.end();
  await sleep(50);
  client.destroy();
  t.match(await ended, { ok: true, value: { endedBy: 'client', status: 200, code: null } });
});

t.test('a client that takes nothing is cut at the deadline, and the upstream is not blamed', async (t) => {
  const { sink, ended } = await run(t, { deadlineMs: 200 });
  sink.head(200, ['Content-Length', String(much.length)]);
  sink.data(much);
  sink.end();
  t.match(await ended, { ok: true, value: { endedBy: 'client', code: null } });
});

t.test('answers without a body are complete', async (t) => {
  const head = await run(t, { method: 'HEAD' });
  head.sink.head(200, ['Content-Length', '11']);
  head.sink.end();
  t.match(await head.ended, { ok: true, value: { endedBy: 'completed' } }, 'HEAD');
  const empty = await run(t);
  empty.sink.head(204, []);
  empty.sink.end();
  t.match(await empty.ended, { ok: true, value: { endedBy: 'completed', status: 204 } }, '204');
});

t.test('an early answer to a long upload', async (t) => {
  /** A body whose rest is being read away until the client leaves. */
  const early = async (t: Test): Promise<Running> => {
    const running: Running[] = [];
    const discard = (): Promise<void> => new Promise((resolve) => running[0]?.response.on('close', resolve));
    const one = await run(t, { body: { isComplete: false, discard } });
    running.push(one);
    one.client.resume();
    return one;
  };
  const whole = await early(t);
  whole.sink.head(413, ['Content-Length', '3']);
  whole.sink.data(Buffer.from('too'));
  whole.sink.end();
  await sleep(50);
  t.notOk(whole.isOver(), 'waits for the rest of the upload');
  whole.client.destroy();
  t.match(await whole.ended, { ok: true, value: { endedBy: 'completed', status: 413 } }, 'the client had all of it');
  const cut = await early(t);
  cut.sink.head(413, ['Transfer-Encoding', 'chunked']);
  cut.sink.data(Buffer.from('too'));
  cut.sink.end();
  await sleep(50);
  cut.client.destroy();
  t.match(await cut.ended, { ok: true, value: { endedBy: 'client' } }, 'the client never saw an end');
});

t.test('a body that the client breaks', async (t) => {
  const slow = new BodyFailure(refuse('gate.timeout', 'the body came too slowly'));
  const before = await run(t);
  before.sink.failed(slow);
  t.match(await before.ended, { ok: false, why: { code: 'gate.timeout', wasForwarded: true } }, 'too slow: a refusal');
  const behind = await run(t);
  behind.sink.head(200, ['Content-Length', '11']);
  behind.sink.failed(slow);
  t.match(
    await behind.ended,
    { ok: true, value: { endedBy: 'client', code: 'gate.timeout', status: 200 } },
    'too slow behind the head of an answer',
  );
  t.ok(behind.response.destroyed, 'which is broken off');
  const left = await run(t);
  left.sink.failed(new BodyFailure(null));
  t.match(
    await left.ended,
    { ok: true, value: { endedBy: 'client', code: null, notForwarded: null, status: 0 } },
    'gone: nothing to answer',
  );
});

t.test('an answer that Node would not write is no answer', async (t) => {
  const { sink, response } = await run(t);
  t.throws(() => sink.head(200, ['X-A', 'b\x7fc']), { code: 'ERR_INVALID_CHAR' }, 'the call ends with it');
  t.notOk(response.headersSent, 'and a refusal can still be written');
});

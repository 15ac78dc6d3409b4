import { createServer, type RequestListener, type Server } from 'node:http';
import { createServer as createRawServer, type AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createUpstream } from '../../src/forward/lanes.js';
import type { Upstream, UpstreamOptions, UpstreamRequest, UpstreamUse } from '../../src/forward/port.js';
import type { BodyFailure } from '../../src/model/body-failure.js';
import { Fault } from '../../src/model/codes.js';

const ask: UpstreamUse = { kind: 'request', subject: 'a' };
const streamOf = (subject: string | null): UpstreamUse => ({ kind: 'stream', subject });
const patienceMs = 5_000;

interface Fixture {
  readonly upstream: Upstream;
  readonly server: Server;
  connections(): Promise<number>;
}

/** A real server with a client for it that looks every 20 ms. */
async function fixture(t: Test, options: Partial<UpstreamOptions> = {}, answer?: RequestListener): Promise<Fixture> {
  const server = createServer(answer ?? ((_, response) => response.end('ok')));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const upstream = createUpstream(
    {
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      connections: 2,
      queue: 8,
      streamConnections: 3,
      streamsPerSubject: 2,
      connectTimeoutMs: 60,
      headersTimeoutMs: 2_000,
      ...options,
    },
    { intervalMs: 20, retiredTicks: 3 },
  );
  t.teardown(async () => {
    await upstream.close();
    server.closeAllConnections();
    server.close();
  });
  const connections = (): Promise<number> =>
    new Promise((resolve) =>
      server.getConnections((_, count) => {
        resolve(count);
      }),
    );
  return { upstream, server, connections };
}

const request = (use: UpstreamUse, headers: string[] = []): UpstreamRequest => ({
  use,
  method: 'GET',
  target: '/',
  headers,
  body: null,
  bodyTimeoutMs: 2_000,
});

interface Open {
  readonly ended: Promise<number | Fault | BodyFailure>;
  readonly begun: Promise<void>;
  abort(): void;
}

/** @throws Fault where there is no room */
function open(upstream: Upstream, use: UpstreamUse, headers: string[] = []): Open {
  let settle: (end: number | Fault | BodyFailure) => void = () => undefined;
  let begin: () => void = () => undefined;
  const ended = new Promise<number | Fault | BodyFailure>((resolve) => {
    settle = resolve;
  });
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  let status = 0;
  const call = upstream.send(request(use, headers), {
    begin: () => true,
    head: (code) => {
      status = code;
      begin();
    },
    data: () => true,
    end: () => settle(status),
    failed: settle,
  });
  return { ended, begun, abort: call.abort.bind(call) };
}

async function until(test: () => boolean | Promise<boolean>): Promise<boolean> {
  const endMs = performance.now() + patienceMs;
  while (performance.now() < endMs) {
    if (await test()) return true;
    await sleep(10);
  }
  return false;
}

t.test('a pool whose answers are slow is left alone', async (t) => {
  const { upstream } = await fixture(t, { connections: 1 }, (_, response) => {
    setTimeout(() => response.end(), 400);
  });
  const [first, second] = [open(upstream, ask), open(upstream, ask)];
  t.equal(await first.ended, 200);
  t.equal(await second.ended, 200, 'also for who has waited longer than a stuck pool may');
});

t.test('a retired client gives its connections back when it is idle, and takes a latecomer', async (t) => {
  const held: (() => void)[] = [];
  const { upstream, connections } = await fixture(t, {}, ({ headers }, response) => {
    if (headers['x-hold'] === undefined) response.end();
    else held.push(() => response.end());
  });
  let spent = 0;
  await open(upstream, { kind: 'probe', subject: null }).ended;
  const slow = open(upstream, ask, ['X-Hold', '1']);
  await until(() => held.length === 1);
  upstream.retire(() => (spent += 1));
  await sleep(200);
  t.equal(spent, 0, 'not while a request is under way');
  held[0]?.();
  t.equal(await slow.ended, 200, 'which ends as it would have');
  t.ok(await until(() => spent === 1), 'then it says so');
  t.ok(await until(async () => (await connections()) === 0), 'and has no connection any more');
  t.equal(await open(upstream, ask).ended, 200, 'a latecomer is served');
  t.equal(spent, 1, 'told once');
});

t.test('streams', async (t) => {
  const responses: { end(): void }[] = [];
  const { upstream } = await fixture(t, { connections: 1, queue: 1 }, ({ headers }, response) => {
    if (headers['x-stream'] === undefined) response.end();
    else {
      response.flushHeaders();
      responses.push(response);
    }
  });
  const stream = async (subject: string | null): Promise<Open> => {
    const one = open(upstream, streamOf(subject), ['X-Stream', '1']);
    await one.begun;
    return one;
  };
  const first = await stream('a');
  const second = await stream('a');
  await t.rejects(stream('a'), { code: 'upstream.busy', message: /streams_per_subject of 2/ }, 'one too many of one');
  const other = await stream('b');
  await t.rejects(stream('c'), { code: 'upstream.busy', message: /stream_connections of 3/ }, 'one too many in sum');
  await t.rejects(stream(null), { code: 'upstream.busy' }, 'whoever it is');
  t.equal(await open(upstream, ask).ended, 200, 'a plain request does not wait for them');
  t.equal(await open(upstream, { kind: 'probe', subject: null }).ended, 200, 'nor does a probe');
  first.abort();
  first.abort();
  const third = await stream('a');
  await t.rejects(stream('a'), { code: 'upstream.busy' }, 'the place that was given back was one');
  other.abort();
  await stream(null);
  responses[1]?.end();
  t.equal(await second.ended, 200, 'an ended stream');
  await stream('a');
  third.abort();
  const unwanted = new Promise<void>((resolve) => {
    upstream.send(request(streamOf('a')), {
      begin: () => {
        setImmediate(resolve);
        return false;
      },
      head: () => undefined,
      data: () => true,
      end: () => undefined,
      failed: () => undefined,
    });
  });
  await unwanted;
  await stream('a');
  t.pass('and one that was given up before its first byte leave their places as well');
});

t.test('a full request pool leaves probes and streams their connections', async (t) => {
  const { upstream } = await fixture(t, { connections: 1, queue: 1 }, ({ headers }, response) => {
    if (headers['x-hold'] === undefined) response.end();
  });
  const hung = open(upstream, ask, ['X-Hold', '1']);
  await until(() => upstream.stats().running === 1);
  const queued = open(upstream, ask);
  t.throws(() => open(upstream, ask), { code: 'upstream.busy' }, 'full');
  t.equal(await open(upstream, { kind: 'probe', subject: null }).ended, 200);
  t.equal(await open(upstream, streamOf('a')).ended, 200);
  hung.abort();
  t.equal(await queued.ended, 200);
});

t.test('who gives up in the line leaves it, and is never sent', async (t) => {
  const seen: (string | undefined)[] = [];
  const { upstream } = await fixture(t, { connections: 1, queue: 1 }, ({ headers }, response) => {
    seen.push(headers['x-name']?.toString());
    if (headers['x-name'] !== 'held') response.end();
  });
  const held = open(upstream, ask, ['X-Name', 'held']);
  await until(() => upstream.stats().running === 1);
  const gone = open(upstream, ask, ['X-Name', 'gone']);
  t.equal(upstream.stats().pending, 1, 'it is counted while it waits');
  gone.abort();
  gone.abort();
  const next = open(upstream, ask, ['X-Name', 'next']);
  held.abort();
  t.equal(await next.ended, 200, 'its place was free');
  t.strictSame(seen, ['held', 'next']);
});

t.test('a long line before a client that is closed ends all at once', async (t) => {
  const { upstream } = await fixture(t, { connections: 1, queue: 40_000 }, () => undefined);
  const held = open(upstream, ask);
  await until(() => upstream.stats().running === 1);
  const waiting = Array.from({ length: 10_000 }, () => open(upstream, ask));
  await upstream.close();
  const ends = await Promise.all([held, ...waiting].map(({ ended }) => ended));
  t.ok(ends.every((end) => end instanceof Fault && end.code === 'upstream.unreachable'));
});

t.test('bytes that are no answer are told as such, and not as a server that is away', async (t) => {
  const whole = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
  const answers = {
    'a bare line feed': ['HTTP/1.1 200 OK\nContent-Length: 2\n\nok', 'upstream.invalid'],
    'no status line': ['hello\r\n\r\n', 'upstream.invalid'],
    'a version that is none': [whole.replace('1.1', '2.0'), 'upstream.invalid'],
    'two lengths': [whole.replace('\r\n\r\n', '\r\nContent-Length: 3\r\n\r\n'), 'upstream.invalid'],
    'an upgrade': ['HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n', 'upstream.invalid'],
    'interim answers without end': ['HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(17) + whole, 'upstream.invalid'],
    'a few interim answers': ['HTTP/1.1 103 Early Hints\r\n\r\n'.repeat(16) + whole, null],
  } as const;
  for (const [name, [bytes, code]] of Object.entries(answers)) {
    const server = createRawServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.write(bytes, 'latin1'));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const origin = `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`;
    const { upstream } = await fixture(t, { origin });
    const why = await new Promise<Fault | BodyFailure | null>((resolve) => {
      upstream.send(request(ask), {
        begin: () => true,
        head: () => undefined,
        data: () => true,
        end: () => {
          resolve(null);
        },
        failed: resolve,
      });
    });
    if (code === null) t.equal(why, null, name);
    else t.match(why, { code }, name);
    server.close();
  }
});

import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { createUpstream } from '../../src/forward/lanes.js';
import type { Upstream, UpstreamCall, UpstreamOptions, UpstreamRequest, UpstreamSink } from '../../src/forward/port.js';
import { BodyFailure } from '../../src/model/body-failure.js';
import { Fault } from '../../src/model/codes.js';

const patienceMs = 5_000;
const intervalMs = 20;

interface Peer {
  readonly upstream: Upstream;
  /** Connections in the order of their coming, with what came over them. */
  readonly connections: { readonly socket: Socket; text: string; isClosed: boolean }[];
}

/** A server that does what it is told when a request's head has come, and a client for it. */
async function peer(
  t: Test,
  onHead: (socket: Socket, nth: number, text: string) => void,
  options: Partial<UpstreamOptions> = {},
): Promise<Peer> {
  const connections: Peer['connections'] = [];
  let heads = 0;
  const server = createServer((socket) => {
    const connection = { socket, text: '', isClosed: false };
    connections.push(connection);
    let unread = '';
    socket.on('error', () => undefined);
    socket.on('close', () => (connection.isClosed = true));
    socket.on('data', (bytes) => {
      const text = bytes.toString('latin1');
      connection.text += text;
      unread += text;
      for (let end = unread.indexOf('\r\n\r\n'); end >= 0; end = unread.indexOf('\r\n\r\n')) {
        const head = unread.slice(0, end);
        unread = unread.slice(end + 4);
        if (/[A-Z]+ \/\S* HTTP\/1\.1\r\n/.test(head)) onHead(socket, (heads += 1), head);
      }
    });
  });
  const upstream = await clientOf(t, server, options);
  t.teardown(() => {
    for (const { socket } of connections) socket.destroy();
  });
  return { upstream, connections };
}

async function clientOf(t: Test, server: Server, options: Partial<UpstreamOptions> = {}): Promise<Upstream> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const upstream = createUpstream(
    {
      origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
      connections: 1,
      queue: 8,
      streamConnections: 1,
      streamsPerSubject: 1,
      connectTimeoutMs: 1_000,
      headersTimeoutMs: 2_000,
      ...options,
    },
    { intervalMs, retiredTicks: 100 },
  );
  t.teardown(async () => {
    await upstream.close();
    server.close();
  });
  return upstream;
}

interface Told {
  readonly ended: Promise<{ readonly status: number; readonly body: string } | Fault | BodyFailure>;
  readonly call: UpstreamCall;
}

function ask(upstream: Upstream, over: Partial<UpstreamRequest> = {}, sink: Partial<UpstreamSink> = {}): Told {
  let settle: (end: Awaited<Told['ended']>) => void = () => undefined;
  const ended = new Promise<Awaited<Told['ended']>>((resolve) => (settle = resolve));
  let [status, body] = [0, ''];
  const call = upstream.send(
    {
      use: { kind: 'request', subject: null },
      method: 'GET',
      target: '/',
      headers: [],
      body: null,
      bodyTimeoutMs: 2_000,
      ...over,
    },
    {
      begin: () => true,
      head: (code) => (status = code),
      data: (part) => {
        body += part.toString('latin1');
        return true;
      },
      end: () => settle({ status, body }),
      failed: settle,
      ...sink,
    },
  );
  return { ended, call };
}

async function until(test: () => boolean): Promise<boolean> {
  const endMs = performance.now() + patienceMs;
  while (performance.now() < endMs && !test()) await sleep(5);
  return test();
}

const good = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
const isGood = { status: 200, body: 'ok' };

/** Answers the first request so, and every later one well. @returns on how many connections three requests went */
async function reused(t: Test, first: string, method = 'GET'): Promise<number> {
  const { upstream, connections } = await peer(t, (socket, nth) => socket.write(nth === 1 ? first : good));
  const { ended } = ask(upstream, { method });
  t.match(await ended, { status: /2../ }, 'the first one is answered');
  await sleep(3 * intervalMs);
  t.strictSame(await ask(upstream).ended, isGood);
  t.strictSame(await ask(upstream).ended, isGood);
  return connections.length;
}

t.test('a connection is used again', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\n';
  const again = {
    'after a length': good,
    'after chunks': `${head}Transfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n`,
    'after 204': 'HTTP/1.1 204 No Content\r\n\r\n',
    'after an interim answer': `HTTP/1.1 103 Early Hints\r\n\r\n${good}`,
    'while the server keeps it': `${head}Keep-Alive: timeout=5\r\nContent-Length: 2\r\n\r\nok`,
  };
  for (const [name, first] of Object.entries(again)) t.equal(await reused(t, first), 1, name);
  t.equal(await reused(t, `${head}Content-Length: 2\r\n\r\n`, 'HEAD'), 1, 'after HEAD');
});

t.test('in any doubt it is not', async (t) => {
  const head = 'HTTP/1.1 200 OK\r\n';
  const doubtful = {
    'Connection: close': `${head}Connection: close\r\nContent-Length: 2\r\n\r\nok`,
    'HTTP/1.0': 'HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 2\r\n\r\nok',
    'a byte behind the answer': `${good}x`,
    'a whole answer behind it': `${good}HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL`,
    'a server that closes within a second': `${head}Keep-Alive: timeout=1\r\nContent-Length: 2\r\n\r\nok`,
    '204 with a length': 'HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\n',
  };
  for (const [name, first] of Object.entries(doubtful)) t.equal(await reused(t, first), 2, name);
  t.equal(await reused(t, head + '\r\n', 'HEAD'), 2, 'HEAD that says nothing of a length');
});

t.test('what a resting connection says is nobody’s answer', async (t) => {
  const { upstream, connections } = await peer(t, (socket) => socket.write(good));
  t.strictSame(await ask(upstream).ended, isGood);
  const [first] = connections;
  first?.socket.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL');
  // Both wait for the same turn of the event loop: the bytes are in the kernel when the request is made.
  for (const endMs = performance.now() + 30; performance.now() < endMs;);
  t.strictSame(await ask(upstream).ended, isGood, 'the next request gets its own');
  t.equal(connections.length, 2, 'over another connection');
  t.ok(await until(() => first?.isClosed === true), 'the first one is closed');
});

t.test('the answer to a body that is still coming is passed on, and the connection closed', async (t) => {
  const { upstream, connections } = await peer(t, (socket, nth) =>
    socket.write(nth === 1 ? 'HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno' : good),
  );
  const body = new PassThrough();
  body.write('some of it');
  t.strictSame(await ask(upstream, { method: 'POST', body }).ended, { status: 413, body: 'no' });
  t.ok(body.destroyed, 'no more of the body is read');
  t.strictSame(await ask(upstream).ended, isGood);
  t.equal(connections.length, 2);
});

t.test('bodies', async (t) => {
  const { upstream, connections } = await peer(t, (socket, _, head) => {
    if (!head.includes('X-Silent')) setTimeout(() => socket.write(good), 30);
  });
  const sent = async (over: Partial<UpstreamRequest>): Promise<string> => {
    const from = connections[0]?.text.length ?? 0;
    t.strictSame(await ask(upstream, { method: 'POST', ...over }).ended, isGood);
    return (connections[0]?.text ?? '').slice(from);
  };
  t.match(await sent({ body: Buffer.from('hello') }), /Content-Length: 5\r\n\r\nhello$/);
  const large = await sent({ body: Buffer.alloc(100_000, 'x') });
  t.match(large, /Content-Length: 100000\r\n\r\nx+$/);
  t.match(
    await sent({ body: Readable.from([Buffer.from('ab'), Buffer.from('cde')]) }),
    /chunked\r\n\r\n2\r\nab\r\n3\r\ncde\r\n0\r\n\r\n$/,
  );
  const counted = { headers: ['Content-Length', '5'], body: Readable.from([Buffer.from('ab'), Buffer.from('cde')]) };
  t.match(await sent(counted), /Content-Length: 5\r\n\r\nabcde$/);
  t.equal(connections.length, 1, 'all over one connection');
  for (const [name, parts] of Object.entries({ shorter: ['ab'], longer: ['abcdef'] })) {
    const wrong = {
      headers: ['Content-Length', '5', 'X-Silent', '1'],
      body: Readable.from(parts.map((part) => Buffer.from(part))),
    };
    t.match(await ask(upstream, { method: 'POST', ...wrong }).ended, { code: 'self.bug' }, `${name} than it said`);
    t.ok(await until(() => connections.at(-1)?.isClosed === true), 'the server does not take it for whole');
  }
  t.notOk(
    connections.some(({ text }) => text.includes('abcdef')),
    'nothing beyond the length is sent',
  );
});

t.test('a body that breaks ends its request, waiting or not', async (t) => {
  const { upstream, connections } = await peer(t, () => undefined);
  const [first, second] = [new PassThrough(), new PassThrough()];
  const running = ask(upstream, { method: 'POST', body: first });
  await until(() => connections.length === 1);
  const waiting = ask(upstream, { method: 'POST', body: second });
  second.destroy(new BodyFailure(null));
  t.type(await waiting.ended, BodyFailure);
  t.equal(upstream.stats().pending, 0, 'nothing of it is left');
  first.destroy(new BodyFailure(null));
  t.type(await running.ended, BodyFailure);
  t.ok(await until(() => connections[0]?.isClosed === true));
});

t.test('a request that nobody wants any more is not sent', async (t) => {
  const { upstream, connections } = await peer(t, (socket) => socket.write(good));
  t.strictSame(await ask(upstream).ended, isGood);
  let asked = 0;
  const never = (): void => {
    t.fail('a word');
  };
  ask(upstream, { target: '/unwanted' }, { begin: () => (asked += 1) < 0, head: never, end: never, failed: never });
  const refused = (): boolean => {
    t.fail('asked');
    return false;
  };
  const aborted = ask(upstream, { target: '/aborted' }, { begin: refused, failed: never });
  aborted.call.abort();
  t.strictSame(await ask(upstream).ended, isGood);
  t.equal(asked, 1);
  t.notMatch(connections[0]?.text, /unwanted|aborted/);
  t.equal(connections.length, 1, 'the connection is as it was');
});

t.test('who takes the answer may end it', async (t) => {
  const { upstream, connections } = await peer(t, (socket) => socket.write(good));
  const why = new Fault('upstream.credential', 'refused');
  const throwing = (thrown: Error): Partial<UpstreamSink> => ({
    head: () => {
      throw thrown;
    },
    data: () => t.fail('data behind it'),
  });
  t.equal(await ask(upstream, {}, throwing(why)).ended, why, 'a fault goes on as it is');
  t.match(await ask(upstream, {}, throwing(new TypeError('x'))).ended, { code: 'self.bug' }, 'anything else is a bug');
  const ended = new Promise((resolve) => {
    const { call } = ask(
      upstream,
      {},
      {
        head: () => {
          call.abort();
          setTimeout(resolve, 50);
        },
        data: () => t.fail('data behind it'),
        end: () => t.fail('an end behind it'),
      },
    );
  });
  await ended;
  t.ok(
    await until(() => connections.length === 3 && connections.every(({ isClosed }) => isClosed)),
    'each connection is closed',
  );
});

t.test('times', async (t) => {
  const { upstream, connections } = await peer(
    t,
    (socket, nth) => {
      if (nth === 2) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf');
      if (nth === 3) socket.write('HTTP/1.1 200 O');
      if (nth >= 4) socket.write(good);
    },
    { headersTimeoutMs: 200 },
  );
  const timed = async (wanted: object, over: Partial<UpstreamRequest> = {}): Promise<number> => {
    const fromMs = performance.now();
    t.match(await ask(upstream, over).ended, wanted);
    return performance.now() - fromMs;
  };
  t.ok((await timed({ code: 'upstream.timeout' })) >= 195, 'no head');
  t.ok((await timed({ code: 'upstream.timeout' }, { bodyTimeoutMs: 300 })) >= 295, 'silence within the answer');
  t.ok((await timed({ code: 'upstream.timeout' })) >= 195, 'half a head');
  const slow = new PassThrough();
  const patient = timed(isGood, { method: 'POST', headers: ['Content-Length', '2'], body: slow });
  t.ok((await patient) < 200, 'an answer may come before the body');
  t.ok(await until(() => connections.every(({ isClosed }) => isClosed)), 'each one ended its connection');
});

t.test('a client that is slow with its body is not the server’s delay', async (t) => {
  const { upstream, connections } = await peer(t, () => undefined, { headersTimeoutMs: 100 });
  const body = new PassThrough();
  const { ended } = ask(upstream, { method: 'POST', headers: ['Content-Length', '2'], body });
  const early = await Promise.race([ended, sleep(400, 'waits')]);
  t.equal(early, 'waits');
  body.end('ab');
  await until(() => connections[0]?.text.endsWith('ab') === true);
  t.match(await ended, { code: 'upstream.timeout' }, 'with the whole body the time begins');
});

t.test('a resting connection is given back', async (t) => {
  const { upstream, connections } = await peer(t, (socket) =>
    socket.write('HTTP/1.1 200 OK\r\nKeep-Alive: timeout=2\r\nContent-Length: 2\r\n\r\nok'),
  );
  t.strictSame(await ask(upstream).ended, isGood);
  const fromMs = performance.now();
  t.ok(await until(() => connections[0]?.isClosed === true));
  t.ok(performance.now() - fromMs < 1_900, 'before the server closes it');
  t.match(upstream.stats(), { connected: 0, pending: 0, running: 0 });
});

t.test('a server that hangs up on whoever comes, or speaks first, is not asked again and again', async (t) => {
  for (const [greeting, code] of [
    ['', 'upstream.unreachable'],
    ['220 hello\r\n', 'upstream.invalid'],
  ] as const) {
    let accepted = 0;
    const server = createServer((socket) => {
      accepted += 1;
      socket.on('error', () => undefined).end(greeting);
    });
    const upstream = await clientOf(t, server);
    t.match(await Promise.race([ask(upstream).ended, sleep(1_000, 'waits')]), { code }, `told: ${greeting}`);
    t.equal(accepted, 1, 'one attempt for one request');
    t.match(upstream.stats(), { connected: 0, pending: 0, running: 0 });
  }
});

t.test('what was refused is told by the throw alone, whatever becomes of its body', async (t) => {
  const { upstream } = await peer(t, () => undefined, { queue: 0 });
  ask(upstream);
  for (const [headers, code, use] of [
    [[], 'upstream.busy', 'request'],
    [['TE', 'trailers'], 'self.bug', 'probe'],
    [['TE', 'trailers'], 'self.bug', 'stream'],
  ] as const) {
    const body = new PassThrough();
    const failed = (): void => {
      t.fail('told again');
    };
    const over = { use: { kind: use, subject: null }, method: 'POST', headers: [...headers], body };
    t.throws(() => ask(upstream, over, { failed }), { code });
    t.equal(body.destroyed, true, 'its body is not read');
    body.destroy(new BodyFailure(null));
    await sleep(5); // nobody listens to an error: that would end the process
  }
});

t.test('who breaks at the end of its answer is told so, and has its place no more', async (t) => {
  const broken = {
    end: () => {
      throw new TypeError('x');
    },
  };
  const framings = [good, 'HTTP/1.1 200 OK\r\n\r\nok'];
  for (const first of framings) {
    const { upstream } = await peer(t, (socket, nth) => (nth > 1 ? socket.write(good) : socket.end(first)));
    t.match(await ask(upstream, {}, broken).ended, { code: 'self.bug' });
    t.strictSame(await Promise.race([ask(upstream).ended, sleep(500, 'waits')]), isGood, 'the next one has the place');
  }
});

t.test('at the end each call has a fault of its own', async (t) => {
  const { upstream, connections } = await peer(t, () => undefined);
  const all = [ask(upstream), ask(upstream), ask(upstream, { use: { kind: 'probe', subject: null } })];
  t.ok(await until(() => connections.length === 2));
  await upstream.close();
  const faults = await Promise.all(all.map(({ ended }) => ended));
  for (const fault of faults) t.match(fault, { code: 'upstream.unreachable' });
  t.equal(new Set(faults).size, all.length, 'who is told writes on it whether its request was sent');
  t.match(upstream.stats(), { connected: 0, pending: 0, running: 0 });
});

t.test('nor is it one’s who comes while another is about to be sent', async (t) => {
  const evil = 'HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nEVIL';
  const { upstream, connections } = await peer(t, (socket) => setTimeout(() => socket.write(good), 30), {
    connections: 2,
  });
  await Promise.all([ask(upstream).ended, ask(upstream).ended]);
  const helper = createServer();
  helper.listen(0, '127.0.0.1');
  await once(helper, 'listening');
  const client = connect((helper.address() as AddressInfo).port, '127.0.0.1');
  t.teardown(() => {
    client.destroy();
    helper.close();
  });
  const [server] = (await once(helper, 'connection')) as [Socket];
  await new Promise(setImmediate);
  const first = ask(upstream);
  await new Promise(setImmediate);
  server.write('x');
  await once(client, 'data'); // in the poll before the first one's turn
  for (const { socket } of connections) socket.write(evil);
  const second = ask(upstream);
  await first.ended; // it was there before those bytes: they may be taken for its answer
  t.strictSame(await second.ended, isGood, 'the second one gets its own');
});

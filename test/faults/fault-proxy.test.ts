import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { openFaultProxy, type FaultProxy } from './support/fault-proxy.js';

interface Ends {
  readonly proxy: FaultProxy;
  /** Each piece that the echo server read, of all connections. */
  readonly pieces: readonly Buffer[];
  /** Codes of what went wrong on the server's side. */
  readonly errors: readonly string[];
}

/** An echo server that answers every byte with itself, behind a proxy. */
async function behindProxy(t: Test): Promise<Ends> {
  const pieces: Buffer[] = [];
  const errors: string[] = [];
  const sockets = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('error', ({ code }: NodeJS.ErrnoException) => errors.push(code ?? ''));
    socket.on('data', (bytes: Buffer) => pieces.push(bytes));
    socket.pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const proxy = await openFaultProxy(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  t.teardown(async () => {
    await proxy.close();
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return { proxy, pieces, errors };
}

interface Talk {
  readonly socket: Socket;
  text(): string;
  /** How it ended: `end`, or the code of an error; null while it is open. */
  ended(): string | null;
}

function talk(t: Test, { port, host }: FaultProxy): Talk {
  const socket = connect({ port, host, allowHalfOpen: true, noDelay: true });
  let text = '';
  let ended: string | null = null;
  socket
    .on('data', (bytes: Buffer) => (text += bytes.toString('latin1')))
    .on('end', () => (ended ??= 'end'))
    .on('error', (error: NodeJS.ErrnoException) => (ended ??= error.code ?? 'error'));
  t.teardown(() => socket.destroy());
  return { socket, text: () => text, ended: () => ended };
}

/** Waits until it is so, for five seconds at most. */
async function until(isSo: () => boolean): Promise<boolean> {
  const fromMs = performance.now();
  while (!isSo() && performance.now() - fromMs < 5_000) await after(2);
  return isSo();
}

t.test('passes everything on, both ways, and ends with its peers', async (t) => {
  const { proxy } = await behindProxy(t);
  const one = talk(t, proxy);
  const sent = 'x'.repeat(1_000_000);
  one.socket.end(sent);
  t.ok(await until(() => one.ended() !== null));
  t.equal(one.text(), sent);
  t.equal(one.ended(), 'end');
  t.ok(await until(() => proxy.open === 0), 'and keeps no connection');
});

t.test('latency: each byte comes later, in order, and many are under way at a time', async (t) => {
  const { proxy } = await behindProxy(t);
  const one = talk(t, proxy);
  one.socket.write('a');
  await until(() => one.text() === 'a');
  proxy.set({ latencyMs: 150, jitterMs: 50 });
  const fromMs = performance.now();
  for (const each of 'bcdefghij') {
    one.socket.write(each);
    await after(10);
  }
  t.ok(await until(() => one.text().length === 10));
  const tookMs = performance.now() - fromMs;
  t.equal(one.text(), 'abcdefghij');
  t.ok(tookMs >= 300, `two ways of 150 ms: ${tookMs.toFixed(0)} ms`);
  t.ok(tookMs < 1_500, `not nine times as much: ${tookMs.toFixed(0)} ms`);
});

t.test('slice: pieces of 1 to 7 bytes, one way only', async (t) => {
  const { proxy, pieces } = await behindProxy(t);
  proxy.set({ direction: 'toServer', slicedBytes: 60 });
  const one = talk(t, proxy);
  one.socket.write('y'.repeat(100));
  t.ok(await until(() => one.text().length === 100));
  t.ok(pieces.length >= 9, `${pieces.length} pieces`);
  t.ok(pieces[0]!.length <= 7, `the first is ${pieces[0]!.length} long`);
  t.ok(pieces.at(-1)!.length >= 30, 'what is behind the sliced part comes whole');
});

t.test('bandwidth: so many bytes a second', async (t) => {
  const { proxy } = await behindProxy(t);
  proxy.set({ direction: 'toClient', bytesPerSecond: 10_000 });
  const one = talk(t, proxy);
  const fromMs = performance.now();
  one.socket.write('z'.repeat(5_000));
  t.ok(await until(() => one.text().length === 5_000));
  const tookMs = performance.now() - fromMs;
  t.ok(tookMs >= 400, `5,000 bytes at 10,000 a second: ${tookMs.toFixed(0)} ms`);
});

t.test('reset in the middle: the bytes before it, and then a reset on both sides', async (t) => {
  const { proxy, errors } = await behindProxy(t);
  proxy.set({ direction: 'toClient', resetAfterBytes: 40 });
  const one = talk(t, proxy);
  one.socket.write('r'.repeat(100));
  // Node calls it an end where bytes arrive together with the reset.
  t.ok(await until(() => one.ended() !== null));
  t.ok(one.text().length <= 40, `${one.text().length} bytes came`);
  t.ok(await until(() => errors.length === 1));
  t.strictSame(errors, ['ECONNRESET']);
});

t.test('half close: the reader sees an end, the other way goes on', async (t) => {
  const { proxy, pieces } = await behindProxy(t);
  proxy.set({ direction: 'toClient', halfCloseAfterBytes: 10 });
  const one = talk(t, proxy);
  one.socket.write('h'.repeat(30));
  t.ok(await until(() => one.ended() !== null));
  t.equal(one.ended(), 'end');
  t.equal(one.text(), 'h'.repeat(10));
  one.socket.write('more');
  t.ok(await until(() => Buffer.concat(pieces).toString().endsWith('more')));
});

t.test('blackhole: connections open, bytes go nowhere; healed, they arrive', async (t) => {
  const { proxy, pieces } = await behindProxy(t);
  const before = talk(t, proxy);
  before.socket.write('1');
  await until(() => before.text() === '1');
  proxy.set({ blackhole: true });
  const within = talk(t, proxy);
  before.socket.write('2');
  within.socket.write('3');
  await after(300);
  t.equal(before.text() + within.text(), '1');
  t.equal(Buffer.concat(pieces).toString(), '1', 'the server has none of it');
  t.notOk(within.ended(), 'and nobody was refused');
  proxy.heal();
  t.ok(await until(() => before.text() === '12' && within.text() === '3'));
});

t.test('down and up: refused, the open ones reset, and the same port again', async (t) => {
  const { proxy } = await behindProxy(t);
  const { port } = proxy;
  const one = talk(t, proxy);
  one.socket.write('a');
  await until(() => one.text() === 'a');
  await proxy.down();
  t.ok(await until(() => one.ended() === 'ECONNRESET'));
  const refused = talk(t, proxy);
  t.ok(await until(() => refused.ended() === 'ECONNREFUSED'));
  await proxy.up();
  t.equal(proxy.port, port);
  const again = talk(t, proxy);
  again.socket.write('b');
  t.ok(await until(() => again.text() === 'b'));
});

t.test('resetAll: every open connection, and new ones work', async (t) => {
  const { proxy } = await behindProxy(t);
  const all = [talk(t, proxy), talk(t, proxy)];
  for (const { socket } of all) socket.write('a');
  await until(() => all.every((one) => one.text() === 'a'));
  t.equal(proxy.resetAll(), 2);
  t.ok(await until(() => all.every((one) => one.ended() === 'ECONNRESET')));
  const next = talk(t, proxy);
  next.socket.write('b');
  t.ok(await until(() => next.text() === 'b'));
});

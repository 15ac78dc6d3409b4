// Bare forwarding is put together from rooms by hand: it must go on doing what it is measured for.
import { spawn } from 'node:child_process';
import { createServer } from 'node:http';
import { connect, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { root } from '../wire/support/build.js';

const { freePorts } = (await import(join(root, 'bench', 'place.mjs'))) as {
  freePorts(count: number): Promise<number[]>;
};
const { ask } = (await import(join(root, 'bench', 'ask.mjs'))) as {
  ask(port: number, path: string, options: object): Promise<{ text: string }>;
};
const startMsMax = 20_000;

const isOpen = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });

t.test('passes on what comes, both ways, and leaves hop-by-hop headers out', async (t) => {
  const upstream = createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (part: string) => (text += part));
    request.on('end', () => {
      const { method, url, headers } = request;
      response.end(JSON.stringify({ method, url, te: headers.te ?? null, accept: headers.accept, text }));
    });
  });
  await new Promise<void>((resolve) => upstream.listen(0, '127.0.0.1', resolve));
  const [port = 0] = await freePorts(1);
  const child = spawn(process.execPath, [
    join(root, 'bench/bare.mjs'),
    String(port),
    String((upstream.address() as AddressInfo).port),
  ]);
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (part: string) => (said += part));
  t.teardown(() => {
    child.kill('SIGKILL');
    upstream.closeAllConnections();
    upstream.close();
  });
  const endMs = performance.now() + startMsMax;
  while (!(await isOpen(port)) && performance.now() < endMs) await sleep(50);
  const answerTo = async (path: string, options: object): Promise<unknown> =>
    JSON.parse((await ask(port, path, options)).text);
  const headers = { te: 'trailers', accept: 'x/y' };
  t.strictSame(await answerTo('/a?b=c', { headers }), {
    method: 'GET',
    url: '/a?b=c',
    te: null,
    accept: 'x/y',
    text: '',
  });
  t.match(await answerTo('/a', { method: 'POST', body: 'z'.repeat(100_000) }), {
    method: 'POST',
    text: 'z'.repeat(100_000),
  });
  t.equal(said, '');
});

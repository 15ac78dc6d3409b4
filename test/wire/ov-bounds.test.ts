import { connect, type NetConnectOpts, type Socket } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { good } from './support/invariants.js';
import { startProgram } from './support/program.js';
import { send } from './support/wire.js';

const most = 5;
const controlMost = 32;
const beyond = 3;
const waitMs = 5_000;
const program = await startProgram(t, {
  config: { admin: { max_connections: most }, probes: { max_connections: most } },
});

/** Opens connections that say nothing. @returns how many of them were closed at once */
async function closedOf(t: Test, place: NetConnectOpts, count: number): Promise<number> {
  let closed = 0;
  const sockets: Socket[] = [];
  for (let n = 0; n < count; n += 1) {
    const socket = connect(place).on('error', () => undefined);
    socket.once('close', () => (closed += 1)).resume();
    sockets.push(socket);
    await new Promise((resolve) => socket.once('connect', resolve));
  }
  const endMs = performance.now() + waitMs;
  while (closed < beyond && performance.now() < endMs) await new Promise((resolve) => setTimeout(resolve, 20));
  const result = closed;
  const gone = sockets.map(
    (socket) => new Promise((resolve) => (socket.closed ? resolve(null) : socket.once('close', resolve))),
  );
  for (const socket of sockets) socket.destroy();
  await Promise.all(gone);
  t.equal((await send(program.port, good(program))).answers[0]?.status, 200, 'clients are not touched');
  return result;
}

t.test('connections of operators, for probes and to the control socket have a bound', async (t) => {
  const own = { host: '127.0.0.1' };
  t.equal(await closedOf(t, { ...own, port: program.adminPort }, most + beyond), beyond, 'admin.max_connections');
  t.equal(await closedOf(t, { ...own, port: program.probesPort }, most + beyond), beyond, 'probes.max_connections');
  const path = join(program.dataDir, 'control.sock');
  t.equal(await closedOf(t, { path }, controlMost + beyond), beyond, 'the control socket');
  const { answers } = await send(program.probesPort, 'GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  t.equal(answers[0]?.status, 200, 'and each of them takes the next one');
});

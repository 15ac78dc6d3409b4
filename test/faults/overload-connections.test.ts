import { Agent } from 'node:http';
import { connect, type Socket } from 'node:net';
import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { call, metric, recall } from './support/client.js';
import { howMany } from './support/environment.js';
import { say, tenths } from './support/figures.js';
import { startGoodClient } from './support/good-client.js';
import { cpuMs } from './support/process-watch.js';
import { makePlace, startProgram, type Place, type Program } from './support/program.js';
import { bigServer } from './support/slow-clients.js';

const waitMs = 10_000;

async function world(
  t: Test,
  gateway: Readonly<Record<string, unknown>>,
): Promise<{ readonly place: Place; readonly program: Program }> {
  const place = await makePlace(t, await bigServer(t), { gateway: { listen: '127.0.0.1:0', ...gateway } });
  const program = await startProgram(t, place);
  t.equal((await recall(program.gateway, place.keys.alpha)).status, 200);
  return { place, program };
}

/** Connections that say nothing, from these addresses in turn. */
async function idle(t: Test, { gateway }: Program, from: readonly string[]): Promise<{ closed(): number }> {
  let closed = 0;
  const opened = from.map((localAddress) => {
    const socket: Socket = connect({ port: Number(gateway.port), host: gateway.hostname, localAddress });
    socket.on('error', () => undefined).once('close', () => (closed += 1));
    socket.resume();
    t.teardown(() => socket.destroy());
    return new Promise((resolve) => socket.once('connect', resolve).once('close', resolve));
  });
  await Promise.all(opened);
  return { closed: () => closed };
}

const refused = async ({ probes }: Program, reason: string): Promise<number> =>
  (await metric(probes, 'connections_refused_total')).get(`{reason="${reason}"}`) ?? 0;

async function until(test: () => Promise<boolean> | boolean): Promise<void> {
  const endMs = performance.now() + waitMs;
  while (!(await test()) && performance.now() < endMs) await after(50);
}

/** The kept connection of the good client, and the one that had the first answer may still be there. */
const own = 2;

t.test('OV-04 more connections than there may be', async (t) => {
  const most = howMany(1_000, 100);
  const { place, program } = await world(t, { max_connections: most, max_connections_per_address: most });
  const good = startGoodClient({ gateway: program.gateway, key: place.keys.alpha });
  await until(async () => ((await metric(program.probes, 'open_connections')).get('{}') ?? 0) > 0);
  const half = most / 2;
  const { closed } = await idle(
    t,
    program,
    Array.from({ length: most + half }, (_, n) => `127.0.${1 + (n % 8)}.1`),
  );
  await until(() => closed() >= half);
  t.ok(closed() >= half && closed() <= half + own, `${closed()} of ${most + half} were closed at once`);
  t.equal(await refused(program, 'total'), closed(), 'and counted');
  for (const path of ['/health', '/ready'])
    t.equal((await call(new URL(path, program.probes))).status, 200, `${path} has a listener of its own`);
  t.strictSame((await good.stop()).errors, [], 'who has a connection keeps it');
  t.equal(await program.stop(), 0);
});

t.test('OV-05 more connections of one address than it may have', async (t) => {
  const most = 50;
  const { place, program } = await world(t, { max_connections_per_address: most });
  const { closed } = await idle(
    t,
    program,
    Array.from({ length: 4 * most }, () => '127.0.0.5'),
  );
  await until(() => closed() >= 3 * most);
  t.equal(closed(), 3 * most, 'what is beyond the bound of the address');
  t.equal(await refused(program, 'address'), 3 * most, 'and counted');
  t.equal((await recall(program.gateway, place.keys.alpha)).status, 200, 'another address is not touched');
  t.equal(await program.stop(), 0);
});

const flood = howMany(5_000, 1_000);
const floodConnections = 50;
const cpuMsMax = 1;

t.test(`OV-11 ${flood} heads of HEAD and OPTIONS without a key`, async (t) => {
  const { place, program } = await world(t, {});
  const good = startGoodClient({ gateway: program.gateway, key: place.keys.alpha });
  const hashes = async (): Promise<number> => {
    const results = await metric(program.probes, 'api_key_validations_total');
    return (results.get('{result="verified"}') ?? 0) + (results.get('{result="rejected"}') ?? 0);
  };
  const [hashesBefore, cpuBefore] = [await hashes(), cpuMs(program.pid)];
  const statuses = (
    await Promise.all(
      Array.from({ length: floodConnections }, (_, n) => askAll(program, n % 2 === 0 ? 'HEAD' : 'OPTIONS')),
    )
  ).flat();
  const eachMs = (cpuMs(program.pid) - cpuBefore) / flood;
  const times = await good.stop();
  t.equal(statuses.length, flood);
  t.strictSame(
    [...new Set(statuses)].filter((status) => ![401, 405, 429].includes(status)),
    [],
    'refused, each of them',
  );
  t.equal(await hashes(), hashesBefore, 'and nothing was hashed');
  t.ok(eachMs <= cpuMsMax, `CPU ${tenths(eachMs * 1_000)} µs each`);
  t.strictSame(times.errors, [], 'a good client has every answer');
  say(t, {
    id: 'OV-11',
    promise: `${flood} heads without a key: ≤ 1 ms of CPU each, no hash, 401 or 429`,
    method: `${floodConnections} connections, HEAD and OPTIONS; CPU of the process with a good client beside it, from /proc`,
    figure: { cpu_us_each: tenths(eachMs * 1_000), good_p99_ms: times.p99Ms },
    ok: t.passing(),
  });
  t.equal(await program.stop(), 0);
});

/** Asks one after the other on one connection, and on a next one where it is closed. */
async function askAll({ gateway }: Program, method: string): Promise<readonly number[]> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const statuses: number[] = [];
  while (statuses.length < flood / floodConnections)
    statuses.push((await call(new URL('/api/v1/memories/recall?q=x', gateway), { method, agent })).status);
  agent.destroy();
  return statuses;
}

import { createServer, type AddressInfo, type Server } from 'node:net';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import type { Logger } from '../../src/base/log.js';
import { createMeter } from '../../src/record/record.js';
import { isHere, ownAddresses, placesOf } from '../../src/sidedoors/places.js';
import { startSideDoors, type SideDoors, type SideDoorSettings } from '../../src/sidedoors/sidedoors.js';

interface Listener {
  readonly port: number;
  readonly server: Server;
  connections: number;
  bytes: number;
}

async function listenAt(t: Test, host: string, port = 0): Promise<Listener> {
  const server = createServer((socket) => {
    listener.connections += 1;
    socket.on('data', (chunk) => (listener.bytes += chunk.length)).on('error', () => undefined);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen({ host, port }, resolve));
  t.teardown(() => server.close());
  const listener: Listener = { port: (server.address() as AddressInfo).port, server, connections: 0, bytes: 0 };
  return listener;
}

interface Watched {
  readonly doors: SideDoors;
  readonly lines: string[];
  readonly metrics: () => Promise<readonly string[]>;
  looked(): Promise<void>;
}

/** 127.0.0.2 plays another address of the machine: the memory server is at 127.0.0.1. */
function watch(t: Test, change: Partial<SideDoorSettings>, addresses: readonly string[] = ['127.0.0.2']): Watched {
  const lines: string[] = [];
  const say =
    (level: string): Logger['info'] =>
    (event, fields = {}) =>
      void lines.push(`${level} ${event} ${JSON.stringify(fields)}`);
  const log: Logger = { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
  const settings: SideDoorSettings = {
    isOn: true,
    intervalMs: 100,
    upstream: { host: '127.0.0.1', port: 9 },
    doors: [],
    own: [],
    acceptedPorts: new Set(),
    ...change,
  };
  let looks = 0;
  const meter = createMeter('');
  const doors = startSideDoors(() => settings, {
    log,
    meter,
    nowMs: () => (looks += 1),
    addresses: () => addresses,
  });
  t.teardown(() => doors.stop());
  return {
    doors,
    lines,
    metrics: async () => (await meter.text()).split('\n').filter((line) => line.startsWith('side_doors_open{')),
    looked: async () => {
      const from = looks + 1; // one that has begun already may be over before what was changed
      for (let i = 0; i < 200 && looks <= from; i += 1) await sleep(20);
    },
  };
}

t.test(
  'a side door that answers at another address is found, told once, counted and forgotten when it shuts',
  async (t) => {
    const grpc = await listenAt(t, '127.0.0.2');
    const { doors, lines, metrics, looked } = watch(t, { doors: [{ port: grpc.port, what: 'gRPC' }] });
    await looked();
    t.match(doors.state(), {
      skipped: null,
      addresses: 1,
      open: [{ what: 'gRPC', port: grpc.port, address: '127.0.0.2', accepted: false }],
    });
    t.match(lines, [new RegExp(`^warn side-doors.open .*gRPC at 127.0.0.2:${grpc.port}`)]);
    t.strictSame(await metrics(), ['side_doors_open{port="9"} 0', `side_doors_open{port="${grpc.port}"} 1`]);
    await looked();
    t.equal(lines.length, 1, 'not every time');
    t.ok(grpc.connections > 1, 'though it looks every time');
    t.equal(grpc.bytes, 0, 'and sends nothing');
    grpc.server.close();
    await looked();
    t.strictSame(doors.state().open, []);
    t.match(lines[1], /^info side-doors.shut/);
  },
);

t.test('the port of the memory server itself is a side door', async (t) => {
  const server = await listenAt(t, '127.0.0.2');
  const { doors, looked } = watch(t, { upstream: { host: '127.0.0.1', port: server.port } });
  await looked();
  t.match(doors.state().open, [{ what: 'the memory server itself', address: '127.0.0.2' }]);
});

t.test('a door stays open where the name of the memory server is no longer found', async (t) => {
  const grpc = await listenAt(t, '127.0.0.2');
  const upstream = { host: '127.0.0.1', port: 9 };
  const { doors, lines, looked } = watch(t, { upstream, doors: [{ port: grpc.port, what: 'gRPC' }] });
  await looked();
  upstream.host = 'no-such-name.invalid';
  const hasFailed = (): boolean => lines.some((line) => line.startsWith('error side-doors.failed'));
  for (let i = 0; i < 500 && !hasFailed(); i += 1) await sleep(20);
  t.ok(hasFailed(), 'it is said');
  t.match(doors.state(), { skipped: null, open: [{ port: grpc.port }] }, 'what was seen last stands');
  t.notOk(
    lines.some((line) => line.includes('side-doors.shut')),
    'and nobody says that it is shut',
  );
});

t.test('a port on loopback alone is none', async (t) => {
  const server = await listenAt(t, '127.0.0.1');
  const { doors, lines, looked } = watch(t, { upstream: { host: '127.0.0.1', port: server.port } });
  await looked();
  t.strictSame(doors.state().open, []);
  t.strictSame(lines, []);
  t.equal(server.connections, 0, 'and is not tried');
});

t.test('an accepted port is shown, and neither warned of nor counted', async (t) => {
  const grpc = await listenAt(t, '127.0.0.2');
  const { doors, lines, metrics, looked } = watch(t, {
    doors: [{ port: grpc.port, what: 'gRPC' }],
    acceptedPorts: new Set([grpc.port]),
  });
  await looked();
  t.match(doors.state().open, [{ port: grpc.port, accepted: true }]);
  t.match(lines, [/^info side-doors.accepted/]);
  t.ok((await metrics()).includes(`side_doors_open{port="${grpc.port}"} 0`));
});

const skipped = [
  { name: 'nobody wants it', change: { isOn: false }, addresses: ['127.0.0.2'], why: 'off' },
  { name: 'there is loopback alone', change: {}, addresses: [], why: 'no address but loopback' },
  {
    name: 'the memory server is elsewhere',
    change: { upstream: { host: '203.0.113.9', port: 9 } },
    addresses: ['127.0.0.2'],
    why: 'the memory server is on another machine',
  },
];
for (const { name, change, addresses, why } of skipped) {
  t.test(`nothing is tried where ${name}, and that is said`, async (t) => {
    const door = await listenAt(t, '127.0.0.2');
    const { doors, looked } = watch(t, { doors: [{ port: door.port, what: 'gRPC' }], ...change }, addresses);
    await looked();
    t.match(doors.state(), { skipped: why, open: [] });
    t.equal(door.connections, 0);
  });
}

t.test('placesOf() leaves out listeners of our own', async (t) => {
  const doors = [{ port: 7432, what: 'itself' }];
  const at = (own: { host: string; port: number }[]): readonly string[] =>
    placesOf(doors, ['10.0.0.5', 'fd00::5'], own).map(({ address }) => address);
  t.strictSame(at([]), ['10.0.0.5', 'fd00::5']);
  t.strictSame(at([{ host: '10.0.0.5', port: 7432 }]), ['fd00::5'], 'at that address');
  t.strictSame(at([{ host: '0.0.0.0', port: 7432 }]), [], 'at every address');
  t.strictSame(at([{ host: '127.0.0.1', port: 7432 }]), ['10.0.0.5', 'fd00::5'], 'loopback is another one');
  t.strictSame(at([{ host: '0.0.0.0', port: 1 }]), ['10.0.0.5', 'fd00::5'], 'another port is another one');
});

t.test('isHere() knows loopback, own addresses and names of both', async (t) => {
  for (const host of ['127.0.0.1', '127.9.9.9', '::1', 'localhost', '10.0.0.5'])
    t.equal(await isHere(host, ['10.0.0.5']), true, host);
  t.equal(await isHere('10.0.0.6', ['10.0.0.5']), false);
  await t.rejects(isHere('no-such-name.invalid', ['10.0.0.5']), 'of a name that is not found nobody knows');
  t.notOk(ownAddresses().some((address) => address.startsWith('127.') || address === '::1'));
});

/** A network of its own, with one address that is not loopback. */
const namespace =
  'ip link set lo up && ip link add m0 type veth peer name m1 && ip addr add 10.231.7.1/24 dev m0 && ip link set m1 up && ip link set m0 up';
const canUnshare = spawnSync('unshare', ['--net', 'bash', '-c', namespace]).status === 0;

t.test('the whole program, in a network namespace', async (t) => {
  if (!canUnshare) {
    t.comment('left out: ways around the whole program (no network namespace can be made here)');
    return;
  }
  const inside = join(import.meta.dirname, 'fixtures', 'inside.ts');
  await t.spawn(
    'unshare',
    ['--net', 'bash', '-c', `${namespace} && exec "$0" "$@"`, process.execPath, ...process.execArgv, inside],
    {
      cwd: process.cwd(),
    },
  );
});

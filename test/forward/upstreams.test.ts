import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { Upstreams } from '../../src/app/upstreams.js';
import type { Config } from '../../src/config/config.js';
import type { Upstream } from '../../src/forward/forward.js';
import type { GaugeName } from '../../src/model/meter.js';

const silent = (): void => undefined;
const retiredMs = 100;

const server = createServer((_, response) => response.end());
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
t.teardown(() => {
  server.closeAllConnections();
  server.close();
});

const settings = (connections: number): Config['upstream'] => ({
  url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
  connections,
  queue: 1,
  stream_connections: 1,
  streams_per_subject: 1,
  connect_timeout_ms: 1_000,
  headers_timeout_ms: 1_000,
  body_timeout_ms: 1_000,
  deadline_ms: 1_000,
  stream_idle_timeout_ms: 1_000,
  objects: {} as never,
});

const ask = (upstream: Upstream): Promise<void> =>
  new Promise((resolve, reject) => {
    upstream.send(
      {
        use: { kind: 'request', subject: 'a' },
        method: 'GET',
        target: '/',
        headers: [],
        body: null,
        bodyTimeoutMs: 1_000,
      },
      { begin: () => true, head: silent, data: () => true, end: resolve, failed: reject },
    );
  });

t.test('clients change when a generation is in force, not when it is built', async (t) => {
  const gauges = new Map<GaugeName, () => number>();
  const upstreams = new Upstreams(
    { gauge: (name: GaugeName, read: () => number) => gauges.set(name, read) },
    { intervalMs: 10, retiredTicks: retiredMs / 10 },
  );
  t.teardown(() => upstreams.close());
  const connected = (): number | undefined => gauges.get('upstream_connections')?.();
  const first = upstreams.forConfig(settings(1));
  await ask(first);
  t.equal(upstreams.forConfig(settings(1)), first, 'the same settings, the same client');
  upstreams.settled(first);
  const second = upstreams.forConfig(settings(2));
  t.not(second, first, 'other settings, another client');
  await sleep(retiredMs * 3);
  t.equal(first.stats().connected, 1, 'a generation that never came into force retires nobody');
  t.equal(connected(), 1, 'and is not the one that is measured');
  t.equal(upstreams.forConfig(settings(2)), second, 'the next try finds its client');
  await ask(second);
  upstreams.settled(second);
  await sleep(retiredMs * 3);
  t.equal(first.stats().connected, 0, 'in force, the former one is retired');
  t.equal(second.stats().connected, 1, 'and the new one keeps its connection');
  t.equal(connected(), 1, 'and is measured');
  await ask(first);
  t.not(upstreams.forConfig(settings(1)), first, 'who goes back to the former settings gets no retired client');
});

t.test('the end closes all of them, retired ones too', async (t) => {
  const upstreams = new Upstreams({ gauge: silent });
  const first = upstreams.forConfig(settings(1));
  const second = upstreams.forConfig(settings(2));
  await Promise.all([ask(first), ask(second)]);
  upstreams.settled(second);
  await upstreams.close();
  for (const upstream of [first, second]) await t.rejects(ask(upstream), { code: 'upstream.unreachable' });
});

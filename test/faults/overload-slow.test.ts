import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { allRecords } from './support/audit.js';
import { call, metric, recall } from './support/client.js';
import { howMany } from './support/environment.js';
import { say } from './support/figures.js';
import { startGoodClient, type GoodTimes } from './support/good-client.js';
import { makePlace, startProgram, type Place, type Program } from './support/program.js';
import { bigServer } from './support/slow-clients.js';
import { hasSlowHttpTest, startSlowHttpTest, type SlowAttack } from './support/slowhttptest.js';

const connections = howMany(4_000, 300);
const size = { connections, perSecond: 500, lastsS: howMany(30, 8), everyS: howMany(5, 1) };
const timeoutMs = howMany(10_000, 2_000);
const bodyTimeoutMs = howMany(15_000, 4_000);
const p99MaxMs = howMany(100, Infinity); // a speed is not tested where other tests share the cores
/** The tool may not open all of them. */
const mostly = 0.9;
const settleMs = 20_000;
const goodAddress = '127.0.0.9';

interface World {
  readonly place: Place;
  readonly program: Program;
}

async function world(t: Test): Promise<World> {
  const place = await makePlace(t, await bigServer(t), {
    gateway: {
      listen: '127.0.0.1:0',
      max_connections_per_address: 2 * connections, // the tool has one address
      max_requests_in_progress: 2 * 4_096, // and one key
      headers_timeout_ms: timeoutMs,
      body_timeout_ms: bodyTimeoutMs,
      inspect_max_bytes: 100_000,
    },
  });
  const program = await startProgram(t, place);
  for (const key of [place.keys.alpha, place.keys.other]) t.equal((await recall(program.gateway, key)).status, 200);
  return { place, program };
}

const gauge = async ({ probes }: Program, name: string): Promise<number> =>
  (await metric(probes, name)).get('{}') ?? NaN;

interface Attacked {
  readonly good: GoodTimes;
  /** The most connections that were open. */
  readonly mostOpen: number;
}

/** A good client beside the tool, and everything gone some time after. */
async function attacked(t: Test, { place, program }: World, attack: Partial<SlowAttack>): Promise<Attacked> {
  const { gateway } = program;
  const good = startGoodClient({ gateway, key: place.keys.alpha, localAddress: goodAddress });
  const running = startSlowHttpTest(t, { kind: 'headers', url: gateway, ...size, ...attack });
  let mostOpen = 0;
  while ((await Promise.race([running, after(500, 'it goes on')])) === 'it goes on') {
    mostOpen = Math.max(mostOpen, await gauge(program, 'open_connections'));
    t.equal((await call(new URL('/health', program.probes))).status, 200, 'liveness');
  }
  const endMs = performance.now() + settleMs;
  while ((await gauge(program, 'open_connections')) > 1 && performance.now() < endMs) await after(200); // the one is the good client's
  t.ok((await gauge(program, 'open_connections')) <= 1, 'nothing is left of it');
  t.ok((await gauge(program, 'places_taken')) <= 1, 'and no place is taken by it');
  return { good: await good.stop(), mostOpen };
}

function wellServed(t: Test, id: string, { good, mostOpen }: Attacked): void {
  t.strictSame(good.errors, [], 'the good client has every answer');
  t.ok(good.asked > 20, `it asked ${good.asked} times`);
  t.ok(good.p99Ms <= p99MaxMs, `and p99 of ${good.p99Ms} ms`);
  t.ok(mostOpen > connections / 4, `the attack was there: ${mostOpen} connections at once`);
  say(t, {
    id,
    promise: `${connections} slow connections of one address: a good client has no error and p99 ≤ 100 ms`,
    method: `slowhttptest at ${size.perSecond} connections a second for ${size.lastsS} s; the good client asks 20 times a second`,
    figure: { good_asked: good.asked, good_errors: good.errors.length, good_p99_ms: good.p99Ms, most_open: mostOpen },
    ok: t.passing(),
  });
}

t.test(`OV-01 ${connections} heads that never end`, async (t) => {
  if (!hasSlowHttpTest(t)) return;
  const here = await world(t);
  const result = await attacked(t, here, { kind: 'headers' });
  wellServed(t, 'OV-01', result);
  const refusals = await metric(here.program.probes, 'http_refusals_total');
  const cut = refusals.get('{code="gate.timeout"}') ?? 0;
  t.ok(cut >= mostly * connections, `the timeout of heads cut ${cut} of them`);
  t.equal(await here.program.stop(), 0);
});

t.test(`OV-02 ${connections} bodies that hardly go on, with a valid key`, async (t) => {
  if (!hasSlowHttpTest(t)) return;
  const here = await world(t);
  const url = new URL('/api/v1/memories/remember', here.program.gateway);
  const headers = [`Authorization: Bearer ${here.place.keys.other}`, 'X-Memory-Space: alpha'];
  const result = await attacked(t, here, { kind: 'body', url, headers });
  wellServed(t, 'OV-02', result);
  t.equal(await here.program.stop(), 0);
  const late = (await allRecords(here.place.auditDir)).filter(({ code }) => code === 'gate.timeout');
  t.ok(
    late.length >= mostly * connections,
    `${late.length} were identified, waited for, and cut by the timeout of bodies`,
  );
});

import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { verifyAuditLog } from '../../../src/record/record.js';
import { Dice, mutant } from '../../wire/support/mutations.js';
import { allRecords, joinRecords } from '../support/audit.js';
import { metric, openWire, recall, recallPath } from '../support/client.js';
import { howMany, launcher } from '../support/environment.js';
import { quantile, say, tenths } from '../support/figures.js';
import { makePlace, startProgram, type Program } from '../support/program.js';
import { openRecorder } from '../support/recorder.js';

const count = howMany(10_000, 600);
const lanes = 16;
const seed = Number(process.env['MEMGATE_TEST_SEED'] ?? 20_261_121);
const goodEach = 200; // a good one after so many hostile ones
const goodMaxMs = howMany(50, Infinity); // a speed is not tested where other tests share the cores
const deadlineMs = 5_000;
/** Bytes that wait for more get this long; then the client leaves. */
const idleMs = 100;

/** Requests that HTTP clients refuse, each of which once took a connection of a pool away for ever, and others that are odd. */
function seedsOf(key: string): readonly string[] {
  const lines = `Host: localhost\r\nAuthorization: Bearer ${key}\r\nX-Memory-Space: alpha\r\n`;
  const get = (more: string): string => `GET ${recallPath} HTTP/1.1\r\n${lines}${more}\r\n`;
  const post = (more: string, body: string): string =>
    `POST /api/v1/memories/remember HTTP/1.1\r\n${lines}Content-Type: application/json\r\n${more}\r\n${body}`;
  return [
    get('Expect: x\r\n'),
    get('Host: evil\r\n'),
    get('Upgrade: h2c\r\nConnection: Upgrade, HTTP2-Settings\r\n'),
    get('Keep-Alive: timeout=0\r\n'),
    get('Transfer-Encoding: gzip, chunked\r\n'),
    get('Connection: close, X-Memory-Space\r\n'),
    `GET /api/v1/memories/recall?query=a b HTTP/1.1\r\n${lines}\r\n`,
    `GE T / HTTP/1.1\r\n${lines}\r\n`,
    post('Content-Length: 20\r\n', '{"content":"half'),
    post('Content-Length: 4\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n'),
    post('Transfer-Encoding: chunked\r\n', 'f\r\n{"content":"x"}\r\n0\r\n\r\n'),
    post('Transfer-Encoding: chunked\r\n', 'ffffffffffffffff\r\nx'),
    post('Expect: 100-continue\r\nContent-Length: 15\r\n', '{"content":"x"}'),
    get('') + get('X-Note: \x00\r\n'),
  ];
}

async function hostile({ gateway }: Program, text: string): Promise<void> {
  const wire = openWire(gateway);
  wire.socket.write(Buffer.from(text, 'latin1'));
  const fromMs = performance.now();
  while (!wire.socket.destroyed && wire.text() === '' && performance.now() - fromMs < idleMs) await after(4);
  wire.socket.destroy();
  await wire.closed;
}

t.test(`R11: after ${count} hostile requests the next good one is served`, async (t) => {
  t.comment(`MEMGATE_TEST_SEED=${seed}`);
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const place = await makePlace(t, recorder.url, {
    upstream: { url: recorder.url, connections: 4, deadline_ms: deadlineMs, headers_timeout_ms: deadlineMs },
  });
  const program = await startProgram(t, place, { command: [launcher] });
  const { alpha } = place.keys;
  t.equal((await recall(program.gateway, alpha)).status, 200);
  const dice = new Dice(seed);
  const seeds = seedsOf(alpha);
  const times: number[] = [];
  for (let sent = 0; sent < count;) {
    const some = Array.from({ length: Math.min(goodEach, count - sent) }, (_, n) =>
      n % 4 === 0 ? dice.pick(seeds) : mutant(seeds, dice),
    );
    const lane = async (first: number): Promise<void> => {
      for (let n = first; n < some.length; n += lanes) await hostile(program, some[n]!);
    };
    await Promise.all(Array.from({ length: lanes }, (_, n) => lane(n)));
    sent += some.length;
    const fromMs = performance.now();
    const { status } = await recall(program.gateway, alpha);
    times.push(performance.now() - fromMs);
    if (status !== 200) t.fail(`after ${sent}: ${status}`);
  }
  const last = times.at(-1) ?? Infinity;
  t.ok(last <= goodMaxMs, `the last good one took ${last.toFixed(1)} ms`);
  await after(200);
  t.equal((await metric(program.probes, 'requests_in_progress')).get('{}'), 0, 'nothing is left under way');
  t.equal(await program.stop(), 0);
  const records = await allRecords(place.auditDir);
  const { problems, ...joined } = joinRecords(records, recorder.arrivals);
  t.strictSame(problems, [], 'R1 holds');
  t.strictSame((await verifyAuditLog(place.auditDir)).problems, [], 'the chain verifies');
  const oldest = Math.max(...records.map((record) => Number(record['duration_ms'] ?? 0)));
  t.ok(oldest <= deadlineMs + howMany(1_000, 5_000), `nothing outlived its deadline: ${oldest.toFixed(0)} ms`);
  const refused = records.filter(({ effect }) => effect === 'deny').length;
  t.ok(refused > count / 20, `they were hostile: ${refused} records of refusals, the rest folded`);
  say(t, {
    id: 'R11',
    promise: `after ${count} hostile requests the next good one ≤ 50 ms, and none outlives its deadline`,
    method: `seeded mutants of 14 requests that HTTP clients refuse or misread, 16 at a time, 4 connections upstream; a good request after every ${goodEach}`,
    figure: {
      hostile: count,
      forwarded: joined.arrivals - times.length - 1,
      good_median_ms: tenths(quantile(times, 0.5)),
      good_slowest_ms: tenths(Math.max(...times)),
      good_last_ms: tenths(last),
      longest_request_ms: tenths(oldest),
    },
    ok: t.passing(),
  });
});

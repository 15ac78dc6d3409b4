import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { allRecords, joinRecords, type AuditRecord } from './support/audit.js';
import { metric, recall, reload } from './support/client.js';
import { howMany } from './support/environment.js';
import { quantile, say, tenths } from './support/figures.js';
import { startLoad, type Tally } from './support/load.js';
import { addKey, makePlace, startProgram, type Place, type Program } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const reloads = howMany(200, 20);
const rate = 500;

/** How often Argon2id was computed. */
async function hashes({ probes }: Program): Promise<number> {
  const counts = await metric(probes, 'api_key_validations_total');
  return (counts.get('{result="verified"}') ?? NaN) + (counts.get('{result="rejected"}') ?? NaN);
}

/** Two policies that differ in what a reader may do. */
function writePolicy({ dir, configure }: Place, url: string, n: number): 200 | 403 {
  const mayRead = n % 2 === 0;
  writeFileSync(
    join(dir, 'policy-data', 'roles.yaml'),
    `reader: { permissions: { ${mayRead ? 'MemoryRead: true' : ''} } }\n`,
  );
  configure({ upstream: { url, deadline_ms: 100_000 + n } });
  return mayRead ? 200 : 403;
}

/** Decisions about one key that are not those of the generation that their record names, and how many there are in all. */
function mixed(
  records: readonly AuditRecord[],
  keyId: string,
  verdicts: ReadonlyMap<string, number>,
): { readonly decided: number; readonly strange: readonly string[] } {
  const own = records.filter(
    ({ type, subject }) =>
      /^authorization\.(?:allowed|denied)$/.test(String(type)) && JSON.stringify(subject ?? '').includes(keyId),
  );
  const strange = own.flatMap(({ id, type, generation }) => {
    const want = verdicts.get(String(generation));
    const got = type === 'authorization.allowed' ? 200 : 403;
    return want === got ? [] : [`${String(id)}: ${String(got)} in a generation that says ${String(want)}`];
  });
  return { decided: own.length, strange };
}

const answers = ({ byStatus }: Tally): number => [...byStatus.values()].reduce((sum, count) => sum + count, 0);

async function reloadAgain(t: Test, { place, program, url }: Running, n: number): Promise<Reloaded> {
  const want = writePolicy(place, url, n);
  const fromMs = performance.now();
  const { status, body } = await reload(program.admin, place.keys.admin);
  if (status !== 200) t.fail(`reload ${n}: ${status} ${body}`);
  return { want, generation: String(JSON.parse(body).generation), ms: performance.now() - fromMs };
}

interface Running {
  readonly place: Place;
  readonly program: Program;
  readonly url: string;
}

interface Reloaded {
  readonly want: number;
  readonly generation: string;
  readonly ms: number;
}

t.test(`R5: ${reloads} reloads at ${rate} requests/s: no request fails, none meets two generations`, async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const policy = {
    bundle: join(import.meta.dirname, '../../policies/dist/memgate.tar.gz'),
    data: './policy-data',
    budget_ms: 200,
  };
  const place = await makePlace(t, recorder.url, { policy });
  mkdirSync(join(place.dir, 'policy-data'));
  const swing = await addKey(place, {
    name: 'swing',
    spaces: ['alpha'],
    permissions: [],
    roles: ['reader'],
    tier: 'unlimited',
  });
  writePolicy(place, recorder.url, 0);
  const program = await startProgram(t, place);
  const running = { place, program, url: recorder.url };
  t.equal((await recall(program.gateway, place.keys.alpha)).status, 200);
  t.equal((await recall(program.gateway, swing)).status, 200);
  const first = await reload(program.admin, place.keys.admin);
  const verdicts = new Map([[String(JSON.parse(first.body).generation), 200]]);
  const before = await hashes(program);
  t.equal(before, 3, 'each key was computed once');

  const steady = startLoad({ gateway: program.gateway, key: place.keys.alpha, rate: rate / 2 });
  const swinging = startLoad({ gateway: program.gateway, key: swing, rate: rate / 2 });
  const took: number[] = [];
  for (let n = 1; n <= reloads; n += 1) {
    const { want, generation, ms } = await reloadAgain(t, running, n);
    took.push(ms);
    verdicts.set(generation, want);
    const { status } = await recall(program.gateway, swing);
    if (status !== want) t.fail(`after reload ${n} the next request is answered ${status}, wanted ${want}`);
  }
  const [one, other] = await Promise.all([steady.stop(), swinging.stop()]);

  t.equal(verdicts.size, reloads + 1, 'each reload made a generation of its own');
  t.strictSame([...one.errors, ...other.errors], [], 'no connection broke');
  t.strictSame([...one.byStatus], [[200, one.sent]], 'every answer to the one is 200');
  t.equal(answers(other), other.sent, 'every request of the other is answered');
  t.strictSame([...other.byStatus.keys()].sort(), [200, 403], 'by the two verdicts alone');
  t.equal(await hashes(program), before, 'the count of Argon2id computations did not move');
  t.equal(await program.stop(), 0);
  const records = await allRecords(place.auditDir);
  t.strictSame(joinRecords(records, recorder.arrivals).problems, []);
  const swingId = /^[^_]+_[^_]+_([a-z0-9]{16})/.exec(swing)?.[1] ?? swing;
  const { decided, strange } = mixed(records, swingId, verdicts);
  t.ok(decided >= other.sent, `${decided} decisions were looked at`);
  t.strictSame(strange, [], 'each decision is that of the generation in its record');
  const { slowestMs } = one.slowestMs > other.slowestMs ? one : other;
  say(t, {
    id: 'R5',
    promise: `${reloads} reloads at ${rate} requests/s: no failed request, no decision that mixes two generations, visible at the next request`,
    method:
      'two policies that differ in the verdict of one key; each record names its generation; loopback, one machine for client, gateway and server',
    figure: {
      reloads,
      requests: one.sent + other.sent,
      failed: one.errors.length + other.errors.length + (one.sent - (one.byStatus.get(200) ?? 0)),
      mixed: strange.length,
      reload_p50_ms: tenths(quantile(took, 0.5)),
      reload_worst_ms: tenths(Math.max(...took)),
      slowest_request_ms: tenths(slowestMs),
    },
    ok: t.passing(),
  });
});

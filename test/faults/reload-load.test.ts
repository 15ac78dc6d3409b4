import t from 'tap';
import { allRecords, joinRecords } from './support/audit.js';
import { metric, recall, reload } from './support/client.js';
import { howMany } from './support/environment.js';
import { startLoad } from './support/load.js';
import { makePlace, startProgram, type Program } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const reloads = howMany(200, 20);
const rate = 300;

/** How often Argon2id was computed. */
async function hashes({ probes }: Program): Promise<number> {
  const counts = await metric(probes, 'api_key_validations_total');
  return (counts.get('{result="verified"}') ?? NaN) + (counts.get('{result="rejected"}') ?? NaN);
}

t.test(`${reloads} reloads at ${rate} requests/s: no request fails, and no key is hashed again`, async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const place = await makePlace(t, recorder.url);
  const program = await startProgram(t, place);
  t.equal((await recall(program.gateway, place.keys.alpha)).status, 200);
  const first = await reload(program.admin, place.keys.admin);
  const generations = new Set([String(JSON.parse(first.body).generation)]);
  const before = await hashes(program);
  t.equal(before, 2, 'both keys were computed once');

  const load = startLoad({ gateway: program.gateway, key: place.keys.alpha, rate });
  const fromMs = performance.now();
  for (let n = 0; n < reloads; n += 1) {
    place.configure({ upstream: { url: recorder.url, deadline_ms: 100_000 + n } });
    const { status, body } = await reload(program.admin, place.keys.admin);
    if (status !== 200) t.fail(`reload ${n}: ${status} ${body}`);
    generations.add(String(JSON.parse(body).generation));
  }
  const eachMs = (performance.now() - fromMs) / reloads;
  const { sent, byStatus, errors, slowestMs } = await load.stop();

  t.equal(generations.size, reloads + 1, 'each reload made a generation of its own');
  t.strictSame(errors, [], 'no connection broke');
  t.strictSame([...byStatus], [[200, sent]], 'every answer is 200');
  t.equal(await hashes(program), before, 'the count of Argon2id computations did not move');
  t.equal(await program.stop(), 0);
  const records = await allRecords(place.auditDir);
  const { problems } = joinRecords(records, recorder.arrivals);
  t.strictSame(problems, []);
  const decided = records.filter(({ type }) => type === 'authorization.allowed').slice(2); // behind those of the start
  const strange = decided.filter(({ generation }) => !generations.has(String(generation)));
  t.strictSame(strange, [], 'each record names one of the generations');
  t.comment(`reload: ${reloads} of ${eachMs.toFixed(0)} ms each; ${sent} requests, slowest ${slowestMs.toFixed(0)} ms`);
});

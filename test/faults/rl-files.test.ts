import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { allRecords } from './support/audit.js';
import { memgate, metric, recall, reload } from './support/client.js';
import { howMany, inPackage } from './support/environment.js';
import { inForce, told, until } from './support/generations.js';
import { startLoad } from './support/load.js';
import { makePlace, startProgram, type Place, type Program } from './support/program.js';
import { openRecorder } from './support/recorder.js';
import { Volume } from './support/volume.js';

const bundle = inPackage('policies/dist/memgate.tar.gz');
const watching = { watch: true, debounce_ms: 20, rehash_interval_ms: 500 };

const reloadsTried = async ({ probes }: Program): Promise<number> => {
  const counts = await metric(probes, 'config_reloads_total');
  return (counts.get('{result="success"}') ?? 0) + (counts.get('{result="failure"}') ?? 0);
};

/** A program whose configuration, policy data and keys are in one volume, and the two contents of that volume. */
async function inVolume(
  t: Test,
  url: string,
): Promise<{ place: Place; volume: Volume; contents: readonly Record<string, string>[] }> {
  const place = await makePlace(t, url);
  const volume = new Volume(join(place.dir, 'volume'));
  const settings = JSON.parse(readFileSync(place.config, 'utf8')) as Record<string, unknown>;
  const keys = Object.fromEntries(
    ['alpha', 'other', 'admin'].map((name) => [
      `keys/${name}.yaml`,
      readFileSync(join(place.dir, 'keys', `${name}.yaml`), 'utf8'),
    ]),
  );
  const contents = [0, 1].map((n) => ({
    ...keys,
    'memgate.yaml': JSON.stringify({
      ...settings,
      data_dir: '../data',
      upstream: { url, deadline_ms: 100_000 + n },
      policy: { bundle, budget_ms: 200, data: './data' },
      reload: watching,
    }),
    'data/roles.yaml': `reader: { permissions: { ${n === 0 ? 'MemoryRead: true' : ''} } }\n`,
    'data/defaults.yaml': `permissions: { ${n === 0 ? 'SystemHealth: true' : ''} }\ntier: free\n`,
  }));
  return { place: { ...place, config: join(volume.dir, 'memgate.yaml') }, volume, contents };
}

const swaps = howMany(100, 30);

t.test(`RL-05: the link of a volume is swapped ${swaps} times at 50 Hz under load`, async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const { place, volume, contents } = await inVolume(t, recorder.url);
  const [one = {}, other = {}] = contents;
  volume.swap(one);
  const program = await startProgram(t, place);
  const whole = new Set([await inForce(place)]);
  volume.swap(other);
  t.ok(await until(async () => !whole.has(await inForce(place))), 'the watch sees the swap');
  whole.add(await inForce(place));
  volume.swap(one);
  t.ok(await until(async () => (await inForce(place)) === [...whole][0]), 'and the one back');

  const load = startLoad({ gateway: program.gateway, key: place.keys.alpha, rate: 200 });
  const asking = new AbortController();
  const refusals: string[] = [];
  const seen = new Set<string>();
  const asked = (async () => {
    while (!asking.signal.aborted) {
      const { status, body } = await reload(program.admin, place.keys.admin);
      if (status === 200) seen.add(told(body).generation);
      else refusals.push(body);
      await after(5);
    }
  })();
  for (let n = 0; n < swaps; n += 1) {
    volume.swap(n % 2 === 0 ? other : one);
    await after(20);
  }
  asking.abort();
  await asked;
  t.ok(await until(async () => (await inForce(place)) === [...whole][0]), 'the last content is in force in the end');
  const { sent, byStatus, errors } = await load.stop();
  t.strictSame(errors, []);
  t.strictSame([...byStatus], [[200, sent]], 'no request failed');
  t.strictSame(
    [...seen].filter((hash) => !whole.has(hash)),
    [],
    'each load is wholly the one or wholly the other',
  );
  t.ok(seen.size > 0, 'loads came through');
  t.strictSame(refusals, [], 'and none was refused');
  t.equal(await program.stop(), 0);
  const records = await allRecords(place.auditDir);
  const generations = new Set(
    records.filter(({ type }) => type === 'authorization.allowed').map(({ generation }) => String(generation)),
  );
  t.strictSame(
    [...generations].filter((hash) => !whole.has(hash)),
    [],
    'no record names a third generation',
  );
});

t.test(
  'RL-04: a file that is renamed over, or truncated and rewritten, is read as one whole or not at all',
  async (t) => {
    const recorder = await openRecorder();
    t.teardown(() => recorder.close());
    const place = await makePlace(t, recorder.url, { reload: watching });
    const text = (n: number): string => {
      place.configure({ upstream: { url: recorder.url, deadline_ms: 100_000 + n } });
      return readFileSync(place.config, 'utf8');
    };
    const texts = [text(0), text(1)] as const;
    writeFileSync(place.config, texts[0]);
    const program = await startProgram(t, place);
    const first = await inForce(place);
    writeFileSync(place.config, texts[1]);
    t.ok(await until(async () => (await inForce(place)) !== first), 'a rewritten file is seen');
    const second = await inForce(place);

    const asking = new AbortController();
    const answers: { status: number; body: string }[] = [];
    const asked = (async () => {
      while (!asking.signal.aborted) answers.push(await reload(program.admin, place.keys.admin));
    })();
    for (let n = 0; n < howMany(100, 20); n += 1) {
      const beside = `${place.config}.new`;
      writeFileSync(beside, texts[0]);
      renameSync(beside, place.config);
      await after(10);
      writeFileSync(place.config, ''); // truncated, as a careless editor does
      await after(10);
      writeFileSync(place.config, texts[1]);
      await after(10);
    }
    asking.abort();
    await asked;
    const strange = answers.filter(({ status, body }) =>
      status === 200
        ? ![first, second].includes(told(body).generation)
        : !/is empty|was another one each time/.test(body),
    );
    t.strictSame(strange, [], 'every load is one of the two texts, or says that the file is empty');
    t.ok(
      answers.some(({ status }) => status === 200),
      'loads came through',
    );
    t.ok(await until(async () => (await inForce(place)) === second), 'the last text is in force');
    t.ok(
      await until(async () => (await metric(program.probes, 'config_last_reload_successful')).get('{}') === 1),
      'and no failure is left behind',
    );
    t.equal(await program.stop(), 0);
  },
);

t.test('the slow look finds what no event told of, and does nothing where nothing has changed', async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const { place, volume, contents } = await inVolume(t, recorder.url);
  const [one = {}, other = {}] = contents;
  volume.swap(one);
  const program = await startProgram(t, place);
  const tried = await reloadsTried(program);
  await after(1_500);
  t.equal(await reloadsTried(program), tried, 'three slow looks later nothing was reloaded');
  writeFileSync(join(volume.dir, 'note.txt'), 'nobody reads this');
  await after(300);
  t.equal(await reloadsTried(program), tried, 'nor for a file that is not ours');
  volume.swap({ ...other, 'memgate.yaml': 'profile: [' });
  t.ok(await until(async () => (await reloadsTried(program)) > tried), 'a broken file is tried');
  await after(1_200);
  t.equal(await reloadsTried(program), tried + 1, 'once: the same bytes are not tried again');
  t.equal((await recall(program.gateway, place.keys.alpha)).status, 200);
  volume.swap(other);
  t.ok(
    await until(async () => (await metric(program.probes, 'config_last_reload_successful')).get('{}') === 1),
    'put right, it loads',
  );
  rmSync(volume.dir, { recursive: true });
  await after(700);
  const again = new Volume(volume.dir);
  again.swap(one);
  t.ok(
    await until(async () => (await metric(program.probes, 'config_last_reload_successful')).get('{}') === 1),
    'a directory that went away and came back is watched again',
  );
  t.equal((await recall(program.gateway, place.keys.alpha)).status, 200);
  t.equal(await program.stop(), 0);
});

t.test('RL-13: what needs a restart is told whole, and nothing of it is applied', async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const place = await makePlace(t, recorder.url);
  const program = await startProgram(t, place);
  const before = await inForce(place);
  const change = { gateway: { listen: '127.0.0.1:1' }, audit: { dir: './elsewhere' }, enforcement: 'observe' };
  place.configure(change);
  const fields = ['gateway.listen', 'audit.dir'];
  const dry = await memgate('reload', '--dry-run', '--data-dir', place.dataDir, '--format', 'json');
  t.equal(dry.code, 1, 'a dry run says so');
  t.match(told(dry.stdout).difference, { needs_restart: fields, configuration: ['enforcement', ...fields] });
  t.equal((await metric(program.probes, 'config_last_reload_successful')).get('{}'), 1, 'and leaves no failure behind');
  const { status, body } = await reload(program.admin, place.keys.admin);
  t.equal(status, 422, body);
  for (const field of fields)
    t.ok(
      told(body).problems?.some((problem) => problem.includes(`${field}: needs a restart`)),
      field,
    );
  t.match(told(body).difference, { needs_restart: fields });
  t.equal(await inForce(place), before, 'the old generation is in force');
  t.equal((await recall(program.gateway, place.keys.other)).status, 200);
  const other = await recall(program.gateway, 'engram_key_nobody');
  t.equal(other.status, 401, 'enforcement is what it was');
  const { stdout } = await memgate('status', '--data-dir', place.dataDir, '--format', 'json');
  t.match(JSON.parse(stdout), { last_reload_failure: { needs_restart: fields } });
  t.match((await memgate('status', '--data-dir', place.dataDir)).stdout, /needs a restart\s.*gateway\.listen/);
  t.equal(await program.stop(), 0);
});

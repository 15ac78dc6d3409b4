import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { allRecords } from './support/audit.js';
import { memgate, recall } from './support/client.js';
import { inPackage } from './support/environment.js';
import { gauge, inForce, operate, statusOf, told, until } from './support/generations.js';
import { addKey, makePlace, startProgram, type Place } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const rights = (text: string): string => `reader: { permissions: { ${text} } }\n`;

/** A program whose readers may read, and a reader's key. */
async function readersPlace(
  t: Test,
  parts: Readonly<Record<string, unknown>> = {},
): Promise<{ place: Place; reader: string }> {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const policy = { bundle: inPackage('policies/dist/memgate.tar.gz'), data: './policy-data', budget_ms: 200 };
  const place = await makePlace(t, recorder.url, { policy, ...parts });
  mkdirSync(join(place.dir, 'policy-data'));
  writeFileSync(join(place.dir, 'policy-data', 'roles.yaml'), rights('MemoryRead: true'));
  const wish = { spaces: ['alpha'], permissions: [], roles: ['reader'], tier: 'unlimited' };
  return { place, reader: await addKey(place, { ...wish, name: 'reader' }) };
}

t.test('going back: policy and configuration, never a key; over a restart, until the next reload', async (t) => {
  const { place, reader } = await readersPlace(t);
  const goneFile = join(place.dir, 'keys', 'other.yaml');
  const program = await startProgram(t, place);
  const { gateway } = program;
  const good = await inForce(place);
  t.equal((await recall(gateway, reader)).status, 200);
  t.equal((await recall(gateway, place.keys.other)).status, 200);

  writeFileSync(join(place.dir, 'policy-data', 'roles.yaml'), rights(''));
  rmSync(goneFile);
  const bad = told((await operate(program, place, '/-/reload')).body);
  t.match(
    bad.difference,
    { data: { changed: ['roles'] }, keys: { removed: [/^[a-z0-9]{16}$/] } },
    'the reload tells what it took',
  );
  t.equal((await recall(gateway, reader)).status, 403);
  t.equal((await recall(gateway, place.keys.other)).status, 401);

  const dry = told((await operate(program, place, '/-/rollback?dry_run=true')).body);
  t.match(dry, { reloaded: false, dry_run: true, difference: { data: { changed: ['roles'] } } });
  t.equal(await inForce(place), bad.generation, 'a dry run goes nowhere');
  t.equal(
    (await operate(program, place, '/-/rollback?dry_rum=true')).status,
    400,
    'a misspelt wish is not left unheard',
  );
  t.equal((await operate(program, place, '/-/rollback?to=0000000000')).status, 422, 'nor is a hash that nobody knows');

  const back = await memgate('rollback', '--data-dir', place.dataDir, '--format', 'json');
  t.equal(back.code, 0, back.stderr);
  t.not(told(back.stdout).generation, good, 'it is another generation, for its keys are those of now');
  t.equal((await recall(gateway, reader)).status, 200, 'the former policy is in force');
  t.equal((await recall(gateway, place.keys.other)).status, 401, 'the key that was taken away stays away');
  t.match((await statusOf(place)).generation.rolled_back, {
    to: good,
    from: bad.generation,
    by: /control|cli|local|system/,
  });
  t.equal(await gauge(program, 'generation_rolled_back'), 1);
  t.match((await memgate('status', '--data-dir', place.dataDir)).stdout, /rolled back +YES: to /);

  t.equal(await program.stop(), 0);
  const again = await startProgram(t, place);
  t.match((await statusOf(place)).generation.rolled_back, { to: good }, 'a restart does not lose it');
  t.match(again.log(), /"msg":"config.rolled-back"/, 'nor keep it silently');
  t.equal((await recall(again.gateway, reader)).status, 200);
  t.equal((await recall(again.gateway, place.keys.other)).status, 401);

  const forward = told((await operate(again, place, '/-/reload')).body);
  t.ok(forward.reloaded);
  t.equal((await recall(again.gateway, reader)).status, 403, 'a reload ends it');
  t.equal((await statusOf(place)).generation.rolled_back, null);
  t.equal(await gauge(again, 'generation_rolled_back'), 0);
  t.ok(told((await operate(again, place, `/-/rollback?to=${good.slice(0, 8)}`)).body).reloaded, 'by hash as well');
  t.equal((await recall(again.gateway, reader)).status, 200);
  t.equal(await again.stop(), 0);
  const records = await allRecords(place.auditDir);
  const types = records.map(({ type }) => String(type)).filter((type) => type.startsWith('config.'));
  t.strictSame(types, [
    'config.reloaded',
    'config.dry-run',
    'config.reload-failed',
    'config.rolled-back',
    'config.reloaded',
    'config.rolled-back',
  ]);
});

t.test('going back asks no less of callers than is asked by now, and no less than was asked then', async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const place = await makePlace(t, recorder.url);
  const observed = { observe: [{ routes: ['memories.recall'] }] };
  const steps = { 'observe for all': { enforcement: 'observe' }, 'observe in part': observed } as const;
  const withoutKey = async (gateway: URL): Promise<number> => (await recall(gateway, 'engram_key_of_nobody')).status;
  place.configure({});
  const program = await startProgram(t, place);
  const { gateway } = program;
  for (const [name, step] of Object.entries(steps)) {
    place.configure(step);
    const taken = told((await operate(program, place, '/-/reload')).body);
    t.ok(taken.reloaded, `${name}: ${String(taken.problems)}`);
    t.equal(await withoutKey(gateway), 200, `${name}: passes`);
    t.ok(told((await operate(program, place, '/-/rollback')).body).reloaded, `${name}: back to enforce`);
    t.equal(await withoutKey(gateway), 401, `${name}: a way out of it`);

    t.ok(told((await operate(program, place, '/-/reload')).body).reloaded);
    const open = await inForce(place);
    place.configure({});
    t.ok(told((await operate(program, place, '/-/reload')).body).reloaded, `${name}: ended`);
    t.ok(told((await operate(program, place, `/-/rollback?to=${open}`)).body).reloaded, `${name}: gone back to`);
    t.equal(await withoutKey(gateway), 401, `${name}: does not come back`);
  }
  t.equal(await program.stop(), 0);
  const again = await startProgram(t, place);
  t.equal(await withoutKey(again.gateway), 401, 'nor over a restart');
  t.equal(await again.stop(), 0);
});

t.test('while rolled back, a watch brings keys and nothing else', async (t) => {
  const { place, reader } = await readersPlace(t, {
    reload: { watch: true, debounce_ms: 20, rehash_interval_ms: 500 },
  });
  const program = await startProgram(t, place);
  const first = await inForce(place);
  writeFileSync(join(place.dir, 'policy-data', 'roles.yaml'), rights(''));
  t.ok(await until(async () => (await inForce(place)) !== first), 'the watch takes the change');
  t.ok(told((await operate(program, place, '/-/rollback')).body).reloaded);
  await after(1_200);
  t.equal((await recall(program.gateway, reader)).status, 200, 'slow looks do not undo it');
  const late = await addKey(place, {
    name: 'late',
    spaces: ['alpha'],
    permissions: ['MemoryRead'],
    roles: [],
    tier: 'unlimited',
  });
  rmSync(join(place.dir, 'keys', 'other.yaml'));
  t.ok(await until(async () => (await recall(program.gateway, late)).status === 200), 'a new key is taken');
  t.equal((await recall(program.gateway, place.keys.other)).status, 401, 'and one that was removed is gone');
  t.equal((await recall(program.gateway, reader)).status, 200, 'the former policy is still in force');
  t.equal(await gauge(program, 'generation_rolled_back'), 1);
  t.equal(await program.stop(), 0);
});

t.test('a rollback that cannot be kept over a restart stops the start, and says so', async (t) => {
  const { place } = await readersPlace(t);
  const program = await startProgram(t, place);
  writeFileSync(join(place.dir, 'policy-data', 'roles.yaml'), rights(''));
  t.ok(told((await operate(program, place, '/-/reload')).body).reloaded);
  t.ok(told((await operate(program, place, '/-/rollback')).body).reloaded);
  t.equal(await program.stop(), 0);
  const dir = join(place.dataDir, 'generations');
  const index = JSON.parse(readFileSync(join(dir, 'index.json'), 'utf8')) as { rollback: { id: string } };
  const kept = join(dir, `${index.rollback.id}.json`);
  const text = readFileSync(kept, 'utf8');
  t.notMatch(text, /hash: /, 'no key is kept');
  writeFileSync(kept, text.replace('"', '"x'));
  await t.rejects(startProgram(t, place), /is damaged[^]*move .*generations away/);
  writeFileSync(kept, text);
  writeFileSync(join(dir, 'index.json'), '{"format":1');
  await t.rejects(startProgram(t, place), /nobody can say whether a rollback is in force/);
  rmSync(dir, { recursive: true });
  const again = await startProgram(t, place);
  t.equal((await statusOf(place)).generation.rolled_back, null, 'moved away, the files are in force');
  t.equal(await again.stop(), 0);
});

t.test('as many are kept as are wanted, and a change of keys alone takes no place', async (t) => {
  const { place } = await readersPlace(t, { reload: { kept_generations_max_entries: 2 } });
  const program = await startProgram(t, place);
  for (const text of ['', 'MemoryWrite: true', 'MemoryDelete: true']) {
    writeFileSync(join(place.dir, 'policy-data', 'roles.yaml'), rights(text));
    t.ok(told((await operate(program, place, '/-/reload')).body).reloaded);
  }
  const before = (await statusOf(place)).kept_generations;
  t.equal(before.length, 2);
  rmSync(join(place.dir, 'keys', 'other.yaml'));
  t.ok(told((await operate(program, place, '/-/reload')).body).reloaded);
  const now = (await statusOf(place)).kept_generations;
  t.equal(now.length, 2);
  t.equal(now[1]?.hash, before[1]?.hash, 'the one before is there still');
  t.equal(readdirSync(join(place.dataDir, 'generations')).length, 3, 'two, and the index');
  t.equal(await gauge(program, 'generations_kept'), 2);
  t.equal(await program.stop(), 0);
});

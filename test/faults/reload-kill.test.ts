import { randomInt } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { recall } from './support/client.js';
import { howMany, inPackage } from './support/environment.js';
import { inForce, operate } from './support/generations.js';
import { addKey, makePlace, startProgram } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const kills = howMany(50, 4);

t.test(`RL-15: ${kills} SIGKILLs in the middle of a reload or a rollback: a start is whole`, async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const policy = { bundle: inPackage('policies/dist/memgate.tar.gz'), data: './policy-data', budget_ms: 200 };
  const place = await makePlace(t, recorder.url, { policy });
  mkdirSync(join(place.dir, 'policy-data'));
  const wish = { name: 'swing', spaces: ['alpha'], permissions: [], roles: ['reader'], tier: 'unlimited' };
  const swing = await addKey(place, wish);
  const write = (n: number): void => {
    const may = n % 2 === 0 ? 'MemoryRead: true' : '';
    writeFileSync(join(place.dir, 'policy-data', 'roles.yaml'), `reader: { permissions: { ${may} } }\n`);
  };
  // What each policy is called: generations differ in nothing else.
  const known = new Map<string, number>();
  for (const n of [0, 1]) {
    write(n);
    const program = await startProgram(t, place);
    known.set(await inForce(place), n === 0 ? 200 : 403);
    await program.stop();
  }
  t.equal(known.size, 2);
  const met = new Map<string, number>();
  for (let n = 0; n < kills; n += 1) {
    const program = await startProgram(t, place);
    const hash = await inForce(place);
    t.equal(
      (await recall(program.gateway, swing)).status,
      known.get(hash),
      `${n}: the start is one of the two, and decides as it`,
    );
    met.set(hash, (met.get(hash) ?? 0) + 1);
    write(n);
    const path = n % 3 === 2 ? '/-/rollback' : '/-/reload';
    const asked = operate(program, place, path).catch(() => null);
    await after(randomInt(1, 250));
    await program.kill('SIGKILL');
    await asked;
  }
  const last = await startProgram(t, place);
  t.equal((await recall(last.gateway, swing)).status, known.get(await inForce(place)));
  const { body } = await operate(last, place, '/-/reload');
  t.match(JSON.parse(body), { reloaded: true }, 'and the next reload is as any other');
  t.equal(await last.stop(), 0);
  t.comment(`RL-15: ${kills} kills; starts by generation: ${[...met.values()].join(', ')}`);
});

import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { recall } from './support/client.js';
import { inPackage } from './support/environment.js';
import { gauge, inForce, operate, told } from './support/generations.js';
import { makePlace, startProgram } from './support/program.js';
import { openRecorder } from './support/recorder.js';

t.test('a policy that decides a case otherwise is refused, at a reload and at the start', async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const bundle = inPackage('policies/dist/memgate.tar.gz');
  const place = await makePlace(t, recorder.url, {
    policy: { bundle, budget_ms: 200, cases: './cases', data: './data-parts' },
  });
  cpSync(inPackage('policies/cases'), join(place.dir, 'cases'), { recursive: true });
  mkdirSync(join(place.dir, 'data-parts'));
  const program = await startProgram(t, place);
  const before = await inForce(place);
  t.ok(
    told((await operate(program, place, '/-/reload')).body).reloaded,
    'the shipped cases pass with the shipped policy',
  );

  // A wrong change of the policy data: whoever reads may write.
  writeFileSync(
    join(place.dir, 'data-parts', 'roles.yaml'),
    readFileSync(inPackage('policies/bundle/roles/data.yaml'), 'utf8').replace(
      'reader:\n  permissions: { MemoryRead: true }',
      'reader:\n  permissions: { MemoryRead: true, MemoryWrite: true }',
    ),
  );
  const dry = await operate(program, place, '/-/reload?dry_run=true');
  t.equal(dry.status, 422, 'a dry run finds it');
  t.equal(await gauge(program, 'config_last_reload_successful'), 1, 'and leaves no failure behind');
  const { status, body } = await operate(program, place, '/-/reload');
  t.equal(status, 422, body);
  const [problem = ''] = told(body).problems ?? [];
  t.match(
    problem,
    /cases\/[a-z]+\.yaml:\d+:1: case ".+": .*allow is true, wanted false/,
    'file, line, name, what is and what was wanted',
  );
  t.equal(await inForce(place), before);
  t.equal(await gauge(program, 'config_last_reload_successful'), 0);
  t.equal((await recall(program.gateway, place.keys.alpha)).status, 200);
  t.equal(await program.stop(), 0);
  await t.rejects(startProgram(t, place), /case ".+": /, 'nor does a process start with it');

  rmSync(join(place.dir, 'data-parts', 'roles.yaml'));
  rmSync(join(place.dir, 'cases'), { recursive: true });
  mkdirSync(join(place.dir, 'cases'));
  await t.rejects(startProgram(t, place), /holds no cases/, 'a gate without cases is none');
});

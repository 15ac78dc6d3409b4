import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { recall } from './support/client.js';
import { operate, told } from './support/generations.js';
import { makePlace, startProgram } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const token = 'Zr7-fG2kq0Wm-x91TbLsYv';

t.test('a static token that the configuration has lost does not come back by going back', async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const place = await makePlace(t, recorder.url);
  writeFileSync(join(place.dir, 'token'), token);
  const one = { id: 'script', from_file: './token', spaces: ['alpha'], permissions: ['MemoryRead'], tier: 'unlimited' };
  const modes = { auth_mode: ['api_key', 'static_token'] };
  writeFileSync(join(place.dir, 'other'), 'Qp4_hn8Xd-71mGvRkEoWt3');
  const other = { ...one, id: 'other', from_file: './other' };
  place.configure({ ...modes, static_tokens: [one, other] });
  const program = await startProgram(t, place);
  t.equal((await recall(program.gateway, token)).status, 200);
  place.configure({ ...modes, static_tokens: [other], switches: { readonly: true } });
  t.ok(told((await operate(program, place, '/-/reload')).body).reloaded);
  t.equal((await recall(program.gateway, token)).status, 401);
  const back = told((await operate(program, place, '/-/rollback')).body);
  t.match(back, { reloaded: true, difference: { configuration: ['switches.readonly'] } }, 'the rest goes back');
  t.equal((await recall(program.gateway, token)).status, 401, 'the token does not');
  t.equal(await program.stop(), 0);
});

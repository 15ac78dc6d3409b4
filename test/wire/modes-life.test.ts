import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import t from 'tap';
import { H, wireCase } from './support/cases.js';
import { good } from './support/invariants.js';
import { makeKey, type FixtureKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import { answers, usualAnswer, type Reply } from './support/recorder.js';
import { as } from './support/steps.js';
import { Client, send } from './support/wire.js';

const config = { drain_ms: 3_000 };
const program = await startProgram(t, { config });
const wish = { spaces: ['alpha'], permissions: ['MemoryRead'] };
const generation = (): Promise<number> => program.metric('generation_loaded_timestamp_seconds');
const isSuccessful = (): Promise<number> => program.metric('config_last_reload_successful');
const hangUp = (): boolean => process.kill(program.pid, 'SIGHUP');

async function withKey(name: string): Promise<FixtureKey> {
  const key = await makeKey(name, wish);
  await program.writeManifest([key]);
  return key;
}

await wireCase(t, program, { name: 'SIGHUP reloads', allow: { hashes: true } }, async (one) => {
  const key = await withKey('added');
  await one.refused('before', as(key.text), { status: 401 });
  hangUp();
  const record = await program.audit.find(one.from.audit, ({ type }) => type === 'config.reloaded');
  one.t.match(record, { actor: 'system', actor_id: 'SIGHUP' }, 'recorded with its actor');
  await program.audit.until(() =>
    program.stderr.slice(one.from.stderr).includes('"config.reloaded"') ? true : undefined,
  );
  await one.passes('after', as(key.text));
});

await wireCase(t, program, { name: 'SIGHUP with a broken file changes nothing' }, async (one) => {
  const before = await generation();
  await writeFile(program.configFile, 'data_dir: [unclosed\nenforcement: observe\n');
  hangUp();
  const record = await program.audit.find(one.from.audit, ({ type }) => type === 'config.reload-failed');
  one.t.match(record['problems']?.[0], /memgate\.yaml:\d+:\d+/, 'the record names the place');
  one.t.equal(await isSuccessful(), 0, 'the metric tells');
  one.t.equal(await generation(), before, 'the generation is the old one');
  await one.passes('and serves', one.good);
  await program.writeConfig(config);
});

await wireCase(
  t,
  program,
  { name: 'what needs a restart is refused, and nothing is applied', allow: { hashes: true, untracked: true } },
  async (one) => {
    const before = await generation();
    const key = await withKey('not applied');
    await program.writeConfig({
      ...config,
      gateway: { listen: '127.0.0.1:1' },
      audit: { dir: join(program.dir, 'elsewhere') },
      enforcement: 'observe',
      limits: { headers: { legacy: false } },
    });
    const { status, body } = await program.reload();
    one.t.equal(status, 422, 'refused');
    const problems = body.problems.join('\n');
    for (const field of ['gateway.listen', 'audit.dir']) one.t.match(problems, field, `names ${field}`);
    one.t.match(problems, /restart/, 'says what it takes');
    one.t.equal(await generation(), before, 'the generation is the old one');
    one.t.equal(await isSuccessful(), 0, 'the metric tells');
    await one.refused('not the key', as(key.text), { status: 401 });
    await program.writeConfig(config);
    one.t.equal((await program.reload()).status, 200, 'without those fields');
    one.t.equal(await isSuccessful(), 1, 'it is well again');
    await one.passes('now the key', as(key.text));
  },
);

const canConnect = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('close', () => resolve(false)).on('connect', () => socket.destroy());
  });

await t.test('SIGTERM lets what is under way end, and the process with exit code 0', async (t) => {
  const held: Reply[] = [];
  program.recorder.script({
    request: (request, reply) => {
      if (request.target === '/health/alive') answers.usual(request, reply);
      else held.push(reply);
    },
  });
  const { port, probesPort } = program;
  const [running, idle] = [await Client.open({ port }), await Client.open({ port })];
  running.write(good(program));
  await program.recorder.until(() => held.length === 1);
  const ended = program.end('SIGTERM');
  t.ok(await idle.until(() => idle.isClosed, 2_000), 'an idle connection is closed');
  const ready = (await send(probesPort, `GET /ready HTTP/1.1\r\n${H}\r\n`)).answers[0];
  t.equal(ready?.status, 503, 'it is not ready any more');
  t.equal((await send(probesPort, `GET /health HTTP/1.1\r\n${H}\r\n`)).answers[0]?.status, 200, 'but alive');
  t.notOk(await canConnect(port), 'and takes no new connection');
  held[0]?.write(usualAnswer);
  t.ok(await running.until(() => running.answers.length === 1, 3_000), 'what was under way is answered');
  t.equal(running.answers[0]?.status, 200);
  t.ok(await running.until(() => running.isClosed, 1_000), 'and its connection closed');
  t.equal(await ended, 0, 'exit code 0');
  const id = running.answers[0]?.header('x-request-id');
  const records = program.audit.records();
  t.ok(
    records.some((record) => record.id === id && record['ended_by'] === 'completed'),
    'its outcome is on disk',
  );
  t.ok(
    records.slice(-2).some(({ type }) => type === 'system.stopped'),
    'and the end of the process behind it',
  );
});

await t.test('SIGTERM cuts what does not end within drain_ms', async (t) => {
  await program.writeConfig({ drain_ms: 500 });
  await program.start();
  program.recorder.script({ request: () => undefined });
  const client = await Client.open({ port: program.port });
  const mark = program.recorder.mark();
  client.write(good(program));
  await program.recorder.until(() => program.recorder.requestsSince(mark).length === 1);
  const fromMs = performance.now();
  const code = await program.end('SIGTERM');
  t.equal(code, 0, 'exit code 0');
  t.ok(performance.now() - fromMs < 5_000, `after ${Math.round(performance.now() - fromMs)} ms`);
  t.ok(await client.until(() => client.isClosed, 1_000), 'the connection is cut');
  t.equal(client.answers.length, 0, 'without an answer');
  const { id } = program.recorder.requestsSince(mark)[0] ?? {};
  t.ok(
    program.audit.records().some((record) => record.id === id && record['ended_by'] !== undefined),
    'and recorded',
  );
});

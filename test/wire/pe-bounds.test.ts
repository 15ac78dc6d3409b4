import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { entry } from './support/build.js';
import { badBundle, patch, shipped, withModule } from './support/bundle.js';
import { wireCase } from './support/cases.js';
import { makeKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import { as, reload } from './support/steps.js';
import { send } from './support/wire.js';

const program = await startProgram(t, { config: { log: { level: 'debug' } } });
const evaluations = (): Promise<number> => program.metric('policy_evaluation_duration_seconds_count');
const generation = async (): Promise<unknown> => program.metric('generation_loaded_timestamp_seconds');

interface Ended {
  readonly code: number | null;
  readonly stderr: string;
}

/** Starts a process of its own with this bundle and waits for its end. */
function startWith(bundle: string, dir: string): Promise<Ended> {
  const config = JSON.parse(readFileSync(program.configFile, 'utf8')) as Record<string, object>;
  const file = join(dir, 'memgate.yaml');
  const own = { ...config, data_dir: join(dir, 'data'), policy: { ...config['policy'], bundle } };
  writeFileSync(file, JSON.stringify(own), { mode: 0o600 });
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [entry, 'serve', '--config', file], { stdio: ['ignore', 'ignore', 'pipe'] });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
      if (text.includes('"msg":"started"')) child.kill();
    });
    child.once('close', (code) => resolve({ code, stderr }));
  });
}

const modules: Readonly<Record<string, { readonly change: (wasm: Buffer) => Buffer; readonly said: RegExp }>> = {
  truncated: { change: (wasm) => wasm.subarray(0, 9_000), said: /WebAssembly/ },
  'wrong magic': { change: () => Buffer.from('nonsense'), said: /magic/ },
  'ABI 2': {
    change: (wasm) =>
      patch(wasm, Buffer.from('7f0041010b7f0041030b', 'hex'), Buffer.from('7f0041020b7f0041030b', 'hex')),
    said: /unsupported ABI version 2/,
  },
  'no entry point': {
    change: (wasm) => patch(wasm, Buffer.from('memgate/authz/decision'), Buffer.from('memgate/authz/deciding')),
    said: /exactly the entrypoint/,
  },
  'an unknown import': {
    change: (wasm) => patch(wasm, Buffer.from('opa_builtin4'), Buffer.from('opa_builtin9')),
    said: /imports "env\.opa_builtin9"/,
  },
};

await wireCase(t, program, { name: 'PE-08', allow: { untracked: true } }, async (one) => {
  const before = await generation();
  for (const [name, { change, said }] of Object.entries(modules)) {
    const dir = one.t.testdir({ 'policy.tar.gz': await withModule(change) });
    const bundle = join(dir, 'policy.tar.gz');
    await program.writeConfig({ log: { level: 'debug' }, policy: { bundle } });
    const { status, body } = await program.reload();
    one.t.equal(status, 422, `${name}: the reload is refused`);
    one.t.match(body.problems.join('\n'), said, `${name}: and told why`);
    one.t.equal(await program.metric('config_last_reload_successful'), 0, `${name}: the metric tells`);
    await one.passes(`${name}: the old policy decides`, one.good);
    const { code, stderr } = await startWith(bundle, dir);
    one.t.equal(code, 1, `${name}: no start`);
    one.t.match(stderr, said, `${name}: told why`);
    one.t.notMatch(stderr, /"msg":"started"/, `${name}: never ready`);
  }
  one.t.equal(await generation(), before, 'the generation is the old one');
  await program.writeConfig({ log: { level: 'debug' } });
  await reload(one);
});

await wireCase(t, program, { name: 'PE-05 (activation)', allow: { untracked: true } }, async (one) => {
  await program.writeConfig({ log: { level: 'debug' }, policy: { bundle: badBundle('cubic'), budget_ms: 1_000 } });
  const { status, body } = await program.reload();
  one.t.equal(status, 422, 'refused');
  one.t.match(body.problems.join('\n'), /activation: .* on an input of 16384 bytes/, 'on the largest hostile input');
  await one.passes('the old policy decides', one.good);
  const { code, stderr } = await startWith(badBundle('cubic'), one.t.testdir({}));
  one.t.equal(code, 1, 'and no start');
  one.t.match(stderr, /activation: /, 'told why');
  await program.writeConfig({ log: { level: 'debug' } });
  await reload(one);
});

const inputBytesMax = 16_384;

await wireCase(t, program, { name: 'PE-06', allow: { hashes: true } }, async (one) => {
  const names = Array.from({ length: 385 }, (_, n) => `space-${'x'.repeat(28)}-${String(n).padStart(3, '0')}`);
  const large = await makeKey('large', { spaces: ['alpha', ...names], permissions: ['MemoryRead'] });
  await program.writeManifest([large]);
  await reload(one);
  const get = (id: string): string => as(large.text).replace('/recall?q=x', `/${id}`);
  // What the policy is asked with a small key, with the large key's facts in their place, is as long as what it is asked with the large one.
  await one.passes('a small input', one.get('/api/v1/memories/m'));
  const { input } = await program.audit.find(
    one.from.audit,
    ({ input: asked }) => asked?.request?.route === 'memories.get',
  );
  const { id, owner, spaces, permissions } = large.entry;
  const subject = { ...input.subject, id, owner, spaces, permissions };
  const room = inputBytesMax - JSON.stringify({ ...input, subject }).length + 1;
  one.t.ok(room > 1 && room < 1_000, `the largest id has ${room} characters`);
  const before = await evaluations();
  await one.passes('an input of exactly 16 KiB', get('m'.repeat(room)));
  one.t.equal((await evaluations()) - before, 1, 'is evaluated');
  await one.refused('an input of 16 KiB and 1', get('m'.repeat(room + 1)), {
    status: 431,
    code: 'authorize.too-large',
  });
  await one.refused('a large head', one.goodWith(`X-Large: ${'x'.repeat(16_384)}\r\n`), { status: 431 });
  await one.refused('many headers', one.goodWith('X-Many: x\r\n'.repeat(100)), { status: 431 });
  await one.refused('a large body', one.remember(`{"content":"${'x'.repeat(1_048_576)}"}`), { status: 413 });
  one.t.equal((await evaluations()) - before, 1, 'and nothing of what is refused');
});

await wireCase(t, program, { name: 'PE-09', allow: { hashes: true } }, async (one) => {
  await one.passes('a key', one.good);
  await one.passes('a static token', as(program.keys.ST));
  await one.passes('a write', one.remember('{"content":"the content of a memory"}'));
  const inputs = one.records.filter(({ effect }) => effect === 'allow').map(({ input }) => input);
  one.t.equal(inputs.length, 3, 'what the policy was asked is in the records');
  const text = JSON.stringify(inputs) + program.stderr.slice(one.from.stderr);
  const { KA, ST } = program.keys;
  for (const secret of [KA.text, KA.secret, ST, String(KA.entry['hash']), 'the content of a memory'])
    one.t.notOk(text.includes(secret), 'no secret, no token, no hash, no content');
  one.t.equal(inputs[0].subject.id, KA.id, 'the id of the key');
  const members = [
    'kind',
    'id',
    'owner',
    'roles',
    'permissions',
    'spaces',
    'tier',
    'expires_at',
    'deprecated',
    'claims',
  ];
  one.t.strictSame(Object.keys(inputs[0].subject), members, 'and what is known of it, nothing else');
  one.t.strictSame(
    inputs.map(({ request }) => request.headers),
    [{}, {}, {}],
    'no header of the request',
  );
});

const stuckExitCode = 70;

await wireCase(
  t,
  program,
  { name: 'PE-05 (forced past)', allow: { hashes: true, untracked: true, killed: true } },
  async (one) => {
    const wish = { permissions: ['MemoryRead'], owner: 'endless' };
    const many = Array.from({ length: 200 }, (_, n) => `space-${'x'.repeat(20)}-${n}`);
    const short = await makeKey('short', { ...wish, spaces: ['alpha'] });
    const long = await makeKey('long', { ...wish, spaces: ['alpha', ...many] });
    const data = one.t.testdir({ 'tiers.yaml': 'unlimited: { limits: [] }\n' });
    await program.writeManifest([short, long]);
    await program.writeConfig({ log: { level: 'debug' }, policy: { bundle: badBundle('endless'), data } });
    await reload(one);
    await one.passes('it was tried, and is in force', one.good);
    await one.refused('a large input is under a time limit', as(long.text), { status: 503, code: 'policy.failed' });
    await one.passes('which ends nothing else', one.good);
    const ended = program.ended();
    const { answers } = await send(program.port, as(short.text), { timeoutMs: 15_000 });
    one.t.strictSame(answers, [], 'a small one that does not come back is never answered');
    one.t.equal(await ended, stuckExitCode, 'the watchdog ends the process');
    one.t.match(program.stderr, /"msg":"policy.stuck"/, 'and says so');
    one.t.notOk(
      one.forwarded.some(({ values }) => values('x-auth-key-id')[0] === short.id),
      'nothing was forwarded',
    );
    await program.writeConfig({ policy: { bundle: shipped } });
    await program.start();
  },
);

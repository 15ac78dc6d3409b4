import { execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { BundleStore } from './support/bundle-store.js';
import { call, recall } from './support/client.js';
import { inPackage, leaveOut } from './support/environment.js';
import { gauge, inForce, operate, statusOf, told, until } from './support/generations.js';
import { addKey, makePlace, startProgram, type Place } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const shipped = readFileSync(inPackage('policies/dist/memgate.tar.gz'));
const opa = inPackage('.cache/bin/opa');
const quick = { polling_min_ms: 50, polling_max_ms: 100, timeout_ms: 2_000 };

/** The shipped policy with other rights of a reader, built by the real tool. */
function builtWith(t: Test, rights: string, revision: string, target = 'wasm'): Buffer {
  const dir = mkdtempSync(join(tmpdir(), 'memgate-bundle-'));
  t.teardown(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  cpSync(inPackage('policies/bundle'), dir, { recursive: true });
  const roles = join(dir, 'roles', 'data.yaml');
  writeFileSync(
    roles,
    readFileSync(roles, 'utf8').replace(/reader:\n {2}permissions: .*/, `reader:\n  permissions: { ${rights} }`),
  );
  const out = join(dir, 'out.tar.gz');
  const capabilities = inPackage('policies/capabilities.json');
  const options = ['--capabilities', capabilities, '--ignore', '*_test.rego', '--revision', revision];
  execFileSync(opa, ['build', '-t', target, '-b', '.', ...options, '-o', out], { cwd: dir });
  return readFileSync(out);
}

interface Served {
  readonly place: Place;
  readonly store: BundleStore;
  readonly reader: string;
  configure(server: Readonly<Record<string, unknown>>, policy?: Readonly<Record<string, unknown>>): void;
}

async function served(t: Test, bytes: Buffer): Promise<Served> {
  const recorder = await openRecorder();
  const store = await new BundleStore(bytes).open();
  t.teardown(() => Promise.all([recorder.close(), store.close()]));
  const place = await makePlace(t, recorder.url);
  const reader = await addKey(place, {
    name: 'reader',
    spaces: ['alpha'],
    permissions: [],
    roles: ['reader'],
    tier: 'unlimited',
  });
  const bundle = inPackage('policies/dist/memgate.tar.gz');
  const configure: Served['configure'] = (server, policy = {}) => {
    place.configure({ policy: { bundle, budget_ms: 200, ...policy, server: { url: store.url, ...quick, ...server } } });
  };
  configure({});
  return { place, store, reader, configure };
}

const readiness = async (probes: URL): Promise<{ status: number; body: string }> => call(new URL('/ready', probes));
const hasOpa = existsSync(opa);

t.test('bundles of a server go through the same gate, and the last good one serves a cold start', async (t) => {
  if (!hasOpa) {
    leaveOut(t, 'no opa in .cache/bin');
    return;
  }
  const denying = builtWith(t, '', 'denying');
  const { place, store, reader } = await served(t, shipped);
  const program = await startProgram(t, place);
  const first = await inForce(place);
  t.equal((await recall(program.gateway, reader)).status, 200);
  t.match((await statusOf(place)).source, { kind: 'bundle server', bundle_from: 'the server', problem: null });
  t.ok(await until(async () => store.asked.some(({ status }) => status === 304)), 'what is known is not sent again');
  t.match(store.asked[0]?.headers, { prefer: 'modes=snapshot', 'if-none-match': undefined });

  store.put(denying);
  t.ok(
    await until(async () => (await recall(program.gateway, reader)).status === 403),
    'a new bundle comes into force by itself',
  );
  t.equal((await statusOf(place)).generation.policy_revision, 'denying');
  const denied = await inForce(place);

  store.put(Buffer.from('no bundle at all'));
  t.ok(
    await until(async () => (await gauge(program, 'config_last_reload_successful')) === 0),
    'a broken one is refused',
  );
  t.equal(await inForce(place), denied, 'the old generation is in force');
  const asked = store.asked.length;
  t.ok(await until(async () => store.asked.length > asked + 3));
  t.equal(
    store.asked.slice(asked).some(({ status }) => status === 200),
    false,
    'and not fetched again as long as it is the same',
  );
  const { status, body } = await operate(program, place, '/-/reload');
  t.equal(status, 422, 'nor taken when an operator asks');
  t.ok(told(body).problems?.[0]?.startsWith(store.url), body);
  rmSync(join(place.dir, 'keys', 'other.yaml'));
  const revoked = await operate(program, place, '/-/reload');
  t.equal(revoked.status, 200, 'and a key that was taken away is gone at once, whatever the server offers');
  t.match(String(told(revoked.body).difference?.['warnings']), /; the bundle in force stays$/);
  t.equal((await recall(program.gateway, place.keys.other)).status, 401);
  t.equal((await statusOf(place)).generation.policy_revision, 'denying');
  t.equal(await gauge(program, 'config_last_reload_successful'), 0, 'the alarm stays');
  const withoutKey = await inForce(place);

  await store.close();
  t.ok(
    await until(async () => String((await statusOf(place)).source['problem']).includes('ECONNREFUSED')),
    'status says that it is gone',
  );
  t.equal((await readiness(program.probes)).status, 200, 'nobody is kept away for that');
  t.equal(await program.stop(), 0);

  const cold = await startProgram(t, place);
  t.equal(
    await inForce(place),
    withoutKey,
    'a cold start begins with the last good bundle, not with that of the image',
  );
  t.not(withoutKey, first);
  t.equal((await recall(cold.gateway, reader)).status, 403);
  t.match((await statusOf(place)).source, { bundle_from: 'an earlier process' });
  t.equal(await cold.stop(), 0);
});

t.test('a question that waits is answered the moment there is a new bundle; a token goes along', async (t) => {
  if (!hasOpa) {
    leaveOut(t, 'no opa in .cache/bin');
    return;
  }
  const denying = builtWith(t, '', 'denying');
  const { place, store, reader, configure } = await served(t, shipped);
  store.holds = true;
  store.token = 'a-token-for-the-bundle-store-7391';
  writeFileSync(join(place.dir, 'token'), `${store.token}\n`);
  configure({ long_polling_ms: 30_000, token: { from_file: './token' } });
  const program = await startProgram(t, place);
  t.ok(await until(async () => store.waiting === 1), 'the second question waits');
  await after(500);
  const asked = store.asked.length;
  store.put(denying);
  t.ok(await until(async () => (await recall(program.gateway, reader)).status === 403), 'the new bundle is in force');
  t.ok(store.asked.length <= asked + 2, 'by the question that waited');
  t.match(store.asked.at(-1)?.headers.prefer, /wait=30/);
  store.token = 'another-token-for-the-store-5520';
  store.put(shipped);
  t.ok(
    await until(async () => String((await statusOf(place)).source['problem']).includes('401')),
    'a wrong token is told',
  );
  writeFileSync(join(place.dir, 'token'), `${store.token}\n`);
  t.ok(await until(async () => (await recall(program.gateway, reader)).status === 200), 'and a rotated one read again');
  t.notMatch(program.log(), /for-the-(?:bundle-)?store/, 'no token in the log');
  t.equal(await program.stop(), 0);
});

const faults: readonly { name: string; answer: NonNullable<BundleStore['fault']>; says: RegExp }[] = [
  {
    name: 'a redirect',
    answer: (response) => response.writeHead(302, { location: 'http://127.0.0.1:1/x' }).end(),
    says: /302; redirects are not followed/,
  },
  { name: 'an error', answer: (response) => response.writeHead(500).end(), says: /answered 500/ },
  {
    name: 'too much',
    answer: (response) => response.writeHead(200).end(Buffer.alloc(70_000)),
    says: /over 65536 bytes/,
  },
  {
    name: 'half an answer',
    answer: (response) => {
      response.writeHead(200, { 'content-length': '9000' }).write('x');
      setTimeout(() => response.destroy(), 50);
    },
    says: /aborted|broke off|hang up/,
  },
  { name: 'silence', answer: () => undefined, says: /no whole answer in time/ },
  {
    name: 'another protocol',
    answer: ({ socket }) =>
      socket?.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'),
    says: /answered 101/,
  },
  {
    name: 'a content encoding',
    answer: (response) => response.writeHead(200, { 'content-encoding': 'gzip' }).end('x'),
    says: /content encoding/,
  },
];

t.test('a server that fails is told, and readiness drops where staleness has a limit', async (t) => {
  const { place, store, configure } = await served(t, shipped);
  configure({ max_bytes: 65_536, timeout_ms: 300 }, { max_staleness_ms: 2_500 });
  const program = await startProgram(t, place);
  const before = await inForce(place);
  for (const { name, answer, says } of faults) {
    store.fault = answer;
    t.ok(await until(async () => says.test(String((await statusOf(place)).source['problem']))), name);
    store.fault = null;
    t.ok(await until(async () => (await statusOf(place)).source['problem'] === null), `${name}: put right`);
  }
  store.fault = (response) => response.writeHead(503).end();
  t.ok(await until(async () => (await readiness(program.probes)).status === 503), 'not ready after the limit');
  t.match((await readiness(program.probes)).body, /policy_source.*not looked at/);
  store.fault = null;
  t.ok(await until(async () => (await readiness(program.probes)).status === 200), 'ready again');
  t.ok(((await gauge(program, 'policy_source_looked_at_timestamp_seconds')) ?? 0) > Date.now() / 1_000 - 60);
  t.equal(await inForce(place), before);
  t.equal(await program.stop(), 0);

  store.fault = (response) => response.writeHead(503).end();
  rmSync(join(place.dataDir, 'policy-server'), { recursive: true });
  const cold = await startProgram(t, place);
  t.match(
    await readiness(cold.probes),
    { status: 503, body: /has not given a bundle yet/ },
    'a first start on the bundle of the image waits for the server',
  );
  store.fault = null;
  t.ok(await until(async () => (await readiness(cold.probes)).status === 200), 'and is ready when it has answered');
  t.equal(await cold.stop(), 0);
  configure({ url: 'http://bundles.example/x.tar.gz' });
  await t.rejects(
    startProgram(t, place),
    /policy\.server\.url: must be https/,
    'no plain HTTP to another machine unless told',
  );
  configure({ url: 'http://bundles.invalid/x.tar.gz', plain_http: true });
  const told = await startProgram(t, place);
  t.ok(
    await until(async () => /bundles\.invalid/.test(String((await statusOf(place)).source['problem']))),
    'it is asked',
  );
  t.equal(await told.stop(), 0);
});

t.test('the real opa asks the same server in the same way, and loads the same sources from it', async (t) => {
  if (!hasOpa) {
    leaveOut(t, 'no opa in .cache/bin');
    return;
  }
  const { place, store } = await served(t, shipped);
  store.plain = builtWith(t, 'MemoryRead: true', 'plain', 'rego'); // this build of opa has no engine for WebAssembly
  const program = await startProgram(t, place);
  const { origin } = new URL(store.url);
  const free = createServer();
  const port = await new Promise<number>((resolve) =>
    free.listen(0, '127.0.0.1', () => resolve((free.address() as AddressInfo).port)),
  );
  await new Promise((resolve) => free.close(resolve));
  const settings = [
    `services.store.url=${origin}`,
    'bundles.memgate.service=store',
    'bundles.memgate.resource=plain.tar.gz',
    'bundles.wasm.service=store',
    'bundles.wasm.resource=memgate.tar.gz',
  ];
  const args = ['run', '-s', '--addr', `127.0.0.1:${String(port)}`, ...settings.flatMap((each) => ['--set', each])];
  const child = spawn(opa, args, { stdio: 'ignore' });
  t.teardown(() => child.kill('SIGKILL'));
  const opaUrl = `http://127.0.0.1:${String(port)}`;
  const isActive = await until(async () => {
    const answer = await call(`${opaUrl}/v1/data/roles/reader/permissions`).catch(() => null);
    return answer?.body.includes('MemoryRead') ?? false;
  });
  t.ok(isActive, 'opa has activated the sources, with their data');
  const asking = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"input":{}}' };
  const { body } = await call(`${opaUrl}/v1/data/memgate/authz/decision`, asking);
  t.match(JSON.parse(body), { result: { allow: false } }, 'and decides');
  const agents = new Set(
    store.asked
      .filter(({ status }) => status === 200)
      .map(({ headers }) => String(headers['user-agent']).split('/')[0]),
  );
  t.ok(agents.has('memgate') && [...agents].some((agent) => agent?.startsWith('Open')), [...agents].join(', '));
  t.equal(await program.stop(), 0);
});

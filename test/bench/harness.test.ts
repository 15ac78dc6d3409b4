// The harness against real processes and sockets: what it starts, checks, counts and refuses to believe.
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { root } from '../wire/support/build.js';

interface Live {
  readonly pids: readonly number[];
  readonly port: number;
  readonly roots: readonly { readonly child: unknown }[];
}
interface Place {
  readonly directory: string;
  readonly vars: Readonly<Record<string, string>>;
}
interface Harness {
  startVariant(variant: object, place: Place, options: object): Promise<Live>;
  missingOf(variant: object, vars: object): string | null;
  stop(children: readonly unknown[]): Promise<void>;
  checkVariant(variant: Live): Promise<void>;
  cpuMsOfTrees(roots: readonly number[]): number[];
  memoryOfTrees(roots: readonly number[]): { readonly rssMiB: number };
  readOptions(argv: readonly string[]): Readonly<Record<string, unknown>>;
  openLoop(
    target: URL,
    load: object,
  ): Promise<{ latencies: Float64Array; problems: Map<string, number>; sent: number }>;
  transfers(load: object): Promise<{ requests: number; errors: number }>;
  openStreams(load: object): Promise<{ events: number; closed: number; close(): void }>;
  syncTimes(directory: string): { syncP50Us: number; syncP99Us: number };
  groupsOf(scenarios: readonly object[], variants: readonly object[]): { names: string; scenarios: object[] }[];
}

const files = ['live', 'checks', 'process', 'options', 'load', 'bulk', 'sse', 'disk', 'run'];
const parts = await Promise.all(
  files.map(async (name) => import(join(root, 'bench', `${name}.mjs`)) as Promise<object>),
);
const harness = Object.assign({}, ...parts.map((part) => ({ ...part }))) as Harness;
const { document, target } = (await import(join(root, 'bench', 'place.mjs'))) as { document: string; target: string };
const unpinned = { pin: null, cpuProf: null };

/** A variant whose program is the text of a module. */
async function started(
  t: Test,
  program: string,
  { options = unpinned, ...rest }: { options?: object; checks?: string } = {},
): Promise<Live> {
  const directory = t.testdir();
  const file = join(directory, 'program.mjs');
  writeFileSync(file, program);
  const place = { directory, vars: { ROOT: root, TARGET: target, UPSTREAM: '1' } };
  const procs = [{ role: 'node', cmd: [process.execPath, file, '{{P0}}'] }];
  const ready = (): object => ({ AUTH: 'Bearer of-the-test-0001' });
  const live = await harness.startVariant({ name: 'one', ports: 1, procs, ready, ...rest }, place, options);
  t.teardown(() => harness.stop(live.roots.map(({ child }) => child)));
  return live;
}

const server = (body: string): string => `
  import { createServer } from 'node:http';
  const document = ${JSON.stringify(document)};
  createServer((request, response) => { request.resume(); ${body} }).listen(Number(process.argv[2]), '127.0.0.1');
`;
const passesAll = server('response.end(document)');
/** Knows the key, its space, and who may write where. */
const decides = (rest: string): string =>
  server(`
    const { method, url, headers } = request;
    const isRight = headers.authorization === 'Bearer of-the-test-0001' && url.includes('/spaces/space-07/docs/');
    response.statusCode = isRight ? 200 : 403;
    ${rest}
  `);

t.test('a variant must refuse what is to be refused, and pass the rest on unchanged', async (t) => {
  await harness.checkVariant(await started(t, passesAll, { checks: 'open' }));
  await harness.checkVariant(await started(t, decides('response.end(document)'), { checks: 'proxy' }));
  await t.rejects(harness.checkVariant(await started(t, passesAll, { checks: 'proxy' })), {
    message: 'a read without a key is answered 200, must be 401 or 403',
  });
  await t.rejects(
    harness.checkVariant(await started(t, decides('response.end(document.toUpperCase())'), { checks: 'proxy' })),
    { message: 'a read is answered with a changed body' },
  );
});

t.test('a variant that does not come up is told with what it said', async (t) => {
  await t.rejects(started(t, 'process.stderr.write("no such file: x"); process.exit(3);'), {
    message: /node ended at once: no such file: x/,
  });
  t.equal(harness.missingOf({ needs: ['{{BIN}}/nothing'] }, { BIN: '/nowhere' }), 'missing: /nowhere/nothing');
  t.equal(harness.missingOf({ needs: ['{{BIN}}'] }, { BIN: root }), null);
});

t.test('processor time and memory are those of the whole tree, the dead included', async (t) => {
  const burn = 'const end = process.cpuUsage().user + 300000; while (process.cpuUsage().user < end);';
  const live = await started(
    t,
    `import { spawnSync } from 'node:child_process';
     spawnSync(process.execPath, ['-e', ${JSON.stringify(burn)}]);
     ${passesAll}`,
  );
  const [usedMs = 0] = harness.cpuMsOfTrees(live.pids);
  t.ok(usedMs >= 300, `${usedMs} ms, 300 of them in a child that has ended`);
  t.ok(harness.memoryOfTrees(live.pids).rssMiB > 20);
  await sleep(300);
  const [laterMs = 0] = harness.cpuMsOfTrees(live.pids);
  t.ok(laterMs - usedMs < 100, 'idle costs nothing');
});

t.test('a profile is written where it was asked for', async (t) => {
  const profiles = join(t.testdir(), 'profiles');
  const program = `${passesAll}; process.once('SIGTERM', () => process.exit(0));`;
  const live = await started(t, program, { options: { pin: null, cpuProf: profiles } });
  await harness.stop(live.roots.map(({ child }) => child));
  t.ok(existsSync(profiles) && readdirSync(profiles).some((name) => name.endsWith('.cpuprofile')));
});

async function listening(t: Test, answer: RequestListener): Promise<number> {
  const made = createServer(answer);
  await new Promise<void>((resolve) => made.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    made.closeAllConnections();
    made.close();
  });
  return (made.address() as AddressInfo).port;
}

t.test('a fixed rate counts every wrong answer, and the wait for a connection', async (t) => {
  let n = 0;
  const port = await listening(t, (_, response) => {
    n += 1;
    setTimeout(() => response.writeHead(n % 10 === 0 ? 500 : 200, { 'content-length': 1 }).end('x'), 50);
  });
  const next = (): Buffer => Buffer.from('GET / HTTP/1.1\r\nHost: a\r\n\r\n');
  const load = { rate: 40, seconds: 1, connections: 1, next };
  const { latencies, problems, sent } = await harness.openLoop(new URL(`http://127.0.0.1:${port}`), load);
  t.equal(sent, 40);
  t.equal(problems.get('status 500'), 4);
  t.ok((latencies.at(-1) ?? 0) > 500, 'one connection takes 20 a second: the last has waited for most of a second');
});

t.test('a long body that does not arrive whole is an error', async (t) => {
  const port = await listening(t, (request, response) => {
    if (request.method === 'GET') response.end(Buffer.alloc(request.url === '/short' ? 99 : 100));
    else request.resume().on('end', () => response.end(`{"bytes":${request.url === '/lost' ? 1 : 100_000}}`));
  });
  const common = { port, headers: {}, connections: 1, seconds: 0 };
  const told = async (more: object): Promise<number> => (await harness.transfers({ ...common, ...more })).errors;
  t.equal(await told({ path: '/', downloadBytes: 100 }), 0);
  t.equal(await told({ path: '/short', downloadBytes: 100 }), 1);
  t.equal(await told({ path: '/', uploadBytes: 100_000 }), 0);
  t.equal(await told({ path: '/lost', uploadBytes: 100_000 }), 1);
});

t.test('streams are counted by their events, and a refused one is an error at once', async (t) => {
  const port = await listening(t, (request, response) => {
    if (request.url !== '/events') {
      response.writeHead(403, { connection: 'close' }).end('data: \n\n');
      return;
    }
    response.write('data: 1\n\n');
    setTimeout(() => response.write('data: 2\n\ndata: 3\n\n'), 100);
  });
  const streams = await harness.openStreams({ port, path: '/events', headers: {}, count: 5 });
  const before = streams.events;
  await sleep(400);
  t.equal(before, 5);
  t.equal(streams.events, 15);
  t.equal(streams.closed, 0);
  streams.close();
  await t.rejects(harness.openStreams({ port, path: '/other', headers: {}, count: 2 }), { message: /0 of 2/ });
});

t.test('the disk tells its own times', async (t) => {
  const { syncP50Us, syncP99Us } = harness.syncTimes(t.testdir());
  t.ok(syncP50Us > 0 && syncP99Us >= syncP50Us);
});

t.test('options are checked, each by its name', async (t) => {
  t.match(harness.readOptions([]), { rounds: 10, roundsMax: 20, seconds: 2, pin: '1', only: null });
  t.match(harness.readOptions(['--only', 'a,b', '--rounds', '3', '--pin', 'none']), {
    only: ['a', 'b'],
    roundsMax: 6,
    pin: null,
  });
  for (const [name, value] of [
    ['rounds', '0'],
    ['seconds', '1.5'],
    ['pin', 'first'],
    ['quiet', '-1'],
  ] as const)
    t.throws(() => harness.readOptions([`--${name}=${value}`]), {
      message: new RegExp(`--${name} is "${value}", must be`),
    });
  t.throws(() => harness.readOptions(['--round', '3']));
});

t.test('scenarios that follow each other share processes when they have the same variants', async (t) => {
  const scenario = (name: string, ...names: string[]): object => ({
    name,
    variants: (variant: { name: string }) => names.includes(variant.name),
  });
  const variants = ['a', 'b', 'c'].map((name) => ({ name }));
  const scenarios = [
    scenario('1', 'a', 'b'),
    scenario('2', 'a', 'b'),
    scenario('3', 'c'),
    scenario('4'),
    scenario('5', 'a', 'b'),
  ];
  const groups = harness.groupsOf(scenarios, variants);
  t.strictSame(
    groups.map(({ names, scenarios: { length } }) => [names, length]),
    [
      ['a,b', 2],
      ['c', 1],
      ['a,b', 1],
    ],
  );
});

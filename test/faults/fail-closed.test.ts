import { Agent } from 'node:http';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import t, { type Test } from 'tap';
import { verifyAuditLog } from '../../src/record/record.js';
import { allRecords, AuditWatch, joinRecords, type Joined } from './support/audit.js';
import { alphaSpace, call, openWire, recall, recallPath, reload } from './support/client.js';
import { isInstalled, leaveOut } from './support/environment.js';
import { makePlace, startProgram, type Place, type Program } from './support/program.js';
import { openRecorder, type Behaviour, type Recorder } from './support/recorder.js';

/** A recorder that holds each request against the log at the very moment it comes in. */
async function witness(t: Test, place: () => Place): Promise<{ recorder: Recorder; unrecorded: string[] }> {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const unrecorded: string[] = [];
  let watch: AuditWatch | null = null;
  recorder.onArrival = ({ id }) => {
    watch ??= new AuditWatch(place().auditDir);
    if (!watch.has(id)) unrecorded.push(id);
  };
  return { recorder, unrecorded };
}

interface Case {
  readonly place: Place;
  readonly program: Program;
  readonly recorder: Recorder;
}

const statusOf = ({ program, place }: Case): Promise<number> =>
  recall(program.gateway, place.keys.alpha).then(
    ({ status }) => status,
    () => 0, // the connection broke
  );

async function several(c: Case, count: number): Promise<ReadonlySet<number>> {
  return new Set(await Promise.all(Array.from({ length: count }, () => statusOf(c))));
}

async function withUpstream(c: Case, behaviour: Behaviour, count = 12): Promise<ReadonlySet<number>> {
  c.recorder.behaviour = behaviour;
  try {
    return await several(c, count);
  } finally {
    c.recorder.behaviour = 'answer';
  }
}

/** Sends whole requests and leaves before the answer. */
async function leave({ program, place }: Case, afterMs: number): Promise<void> {
  const lines = [
    `GET ${recallPath} HTTP/1.1`,
    'Host: x',
    `Authorization: Bearer ${place.keys.alpha}`,
    'X-Memory-Space: alpha',
  ];
  const wires = Array.from({ length: 12 }, () => openWire(program.gateway));
  for (const { socket } of wires) socket.write(`${lines.join('\r\n')}\r\n\r\n`);
  await after(afterMs);
  for (const { socket } of wires) socket.resetAndDestroy();
  await Promise.all(wires.map(({ closed }) => closed));
}

const cases: readonly {
  readonly name: string;
  readonly run: (c: Case) => Promise<unknown>;
  readonly want?: unknown;
}[] = [
  { name: 'all is well', run: (c) => several(c, 12), want: new Set([200]) },
  { name: 'the memory server resets each connection', run: (c) => withUpstream(c, 'reset'), want: new Set([502]) },
  {
    name: 'the memory server stops in the middle of an answer',
    run: (c) => withUpstream(c, 'cut'),
    want: new Set([0]),
  },
  { name: 'the memory server answers no HTTP/1', run: (c) => withUpstream(c, 'garbage'), want: new Set([502]) },
  { name: 'the memory server says nothing', run: (c) => withUpstream(c, 'silent', 6), want: new Set([504]) },
  { name: 'clients leave at once', run: (c) => leave(c, 0) },
  { name: 'clients leave a moment later', run: (c) => leave(c, 5) },
  {
    name: 'more requests than the pool and its queue hold',
    run: async (c) => {
      const agent = new Agent({ keepAlive: true, maxSockets: 64 });
      const answers = await Promise.all(
        Array.from({ length: 200 }, () => recall(c.program.gateway, c.place.keys.alpha, agent)),
      );
      agent.destroy();
      return answers.every(({ status }) => status === 200 || status === 503);
    },
    want: true,
  },
  {
    name: 'a body that is no JSON, a space that is not granted, no key, a wrong key, an unknown route',
    run: async ({ program: { gateway }, place: { keys } }) => {
      const remember = new URL('/api/v1/memories/remember', gateway);
      const json = { ...alphaSpace, 'content-type': 'application/json' };
      const answers = await Promise.all([
        call(remember, { method: 'POST', key: keys.alpha, headers: json, body: '{"content":' }),
        call(new URL(recallPath, gateway), { key: keys.alpha, headers: { 'x-memory-space': 'beta' } }),
        call(new URL(recallPath, gateway)),
        call(new URL(recallPath, gateway), { key: `${keys.alpha.slice(0, -1)}!` }),
        call(new URL('/nothing/here', gateway), { key: keys.alpha }),
      ]);
      return answers.map(({ status }) => status);
    },
    want: [400, 403, 401, 401, 404],
  },
  {
    name: 'a reload in between',
    run: async (c) => {
      c.place.configure({ upstream: { url: c.recorder.url, headers_timeout_ms: 400, connections: 2, queue: 2 } });
      const [statuses, { status }] = await Promise.all([several(c, 24), reload(c.program.admin, c.place.keys.admin)]);
      return status === 200 && [...statuses].every((each) => each === 200 || each === 503);
    },
    want: true,
  },
];

async function accounted(t: Test, { place, recorder }: Case, unrecorded: readonly string[]): Promise<Joined> {
  t.strictSame(unrecorded, [], 'each request was in the log when it came in');
  const joined = joinRecords(await allRecords(place.auditDir), recorder.arrivals);
  t.strictSame(joined.problems, [], 'every request has one allow record, every allow record its end');
  t.strictSame((await verifyAuditLog(place.auditDir)).problems, [], 'the chain verifies');
  return joined;
}

t.test('R1: nothing goes upstream without an earlier allow record', async (t) => {
  let place: Place | null = null;
  const { recorder, unrecorded } = await witness(t, () => place!);
  const upstream = { url: recorder.url, headers_timeout_ms: 400, connections: 64, queue: 128 }; // one caller alone has half of them
  place = await makePlace(t, recorder.url, { upstream });
  const program = await startProgram(t, place);
  const c = { place, program, recorder };
  for (const { name, run, want } of cases) {
    await t.test(name, async (t) => {
      const got = await run(c);
      if (want !== undefined) t.strictSame(got, want);
      t.equal(await statusOf(c), 200, 'and the next request is served');
    });
  }
  await t.test('the memory server is gone', async (t) => {
    await recorder.close();
    t.strictSame(await several(c, 2), new Set([502])); // as many as one caller has of connections and queue by now
  });
  t.equal(await program.stop(), 0);
  const { problems, ...joined } = await accounted(t, c, unrecorded);
  t.comment(`R1: ${cases.length + 1} fault cases, ${JSON.stringify(joined)}, ${problems.length} problems`);
});

t.test('R1: a sync that fails', async (t) => {
  if (!isInstalled('strace')) {
    leaveOut(t, 'a sync that fails (strace is not installed)');
    return;
  }
  let place: Place | null = null;
  const { recorder, unrecorded } = await witness(t, () => place!);
  place = await makePlace(t, recorder.url);
  // The log syncs by itself only where records wait: the start is one, and each request is one.
  const inject = ['-e', 'trace=fdatasync', '-e', 'inject=fdatasync:error=EIO:when=4+3'];
  const under = ['strace', '-f', '-o', join(place.dir, 'trace'), ...inject];
  const program = await startProgram(t, place, { under });
  const c = { place, program, recorder };
  const statuses: number[] = [];
  for (let n = 0; n < 20; n += 1) {
    const before = recorder.arrivals.length;
    const status = await statusOf(c);
    statuses.push(status);
    t.equal(
      recorder.arrivals.length - before,
      status === 200 ? 1 : 0,
      `${status}: forwarded when it is on disk, and only then`,
    );
    await after(status === 503 ? 600 : 0); // it tries again twice a second
  }
  t.ok(statuses.includes(503) && statuses.includes(200), `answers: ${statuses.join(' ')}`);
  t.ok(program.isRunning());
  await program.kill('SIGKILL'); // its last sync would fail as well
  recorder.onArrival = null;
  const next = await startProgram(t, place);
  t.equal(await next.stop(), 0);
  const joined = await accounted(t, c, unrecorded);
  t.comment(
    `R1: failing syncs: ${statuses.filter((each) => each === 503).length} of 20 refused, ${joined.arrivals} forwarded`,
  );
});

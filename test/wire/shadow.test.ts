import { copyFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { badBundle, shipped } from './support/bundle.js';
import { H } from './support/cases.js';
import { makeKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import { as } from './support/steps.js';
import { send } from './support/wire.js';

// Allows everybody but an owner called `undefined`, and goes wrong for one called `conflict`.
const other = badBundle('misbehaving');
const data = t.testdir({ 'tiers.yaml': 'unlimited: { limits: [] }\n' });
const program = await startProgram(t);
const { KB } = program.keys;
const rights = { spaces: ['alpha'], permissions: ['MemoryRead'] };
const owned = (owner: string): ReturnType<typeof makeKey> => makeKey(owner, { ...rights, owner });
const [stranger, clash, endless] = await Promise.all(['undefined', 'conflict', 'endless'].map(owned));
if (stranger === undefined || clash === undefined || endless === undefined) throw new Error('no keys');
await program.writeManifest([stranger, clash, endless]);
await program.reload();

interface Told {
  readonly status: number;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- parsed JSON, read as it comes
  readonly body: any;
}

async function operator(line: string): Promise<Told> {
  const head = `${line} HTTP/1.1\r\n${H}Authorization: Bearer ${program.keys.KADM.text}\r\nContent-Length: 0\r\n\r\n`;
  const { answers } = await send(program.adminPort, head, { timeoutMs: 20_000 });
  return { status: answers[0]?.status ?? 0, body: answers[0]?.json() };
}

const candidate = 'GET /api/v1/policy/candidate';
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- parsed JSON, read as it comes
const recallRow = async (): Promise<any> =>
  (await operator(candidate)).body.rows?.find(
    (row: { route: string; space: string }) => row.route === 'memories.recall' && row.space === 'alpha',
  );

async function until(test: () => Promise<boolean>): Promise<boolean> {
  for (let tries = 0; tries < 100; tries += 1) {
    if (await test()) return true;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  return false;
}

/** Asks so often with this key in alpha. @returns statuses, ids and the longest wait */
async function asks(text: string, times: number): Promise<{ statuses: number[]; ids: string[]; worstMs: number }> {
  const [statuses, ids]: [number[], string[]] = [[], []];
  let worstMs = 0;
  for (let n = 0; n < times; n += 1) {
    const fromMs = performance.now();
    const [answer] = (await send(program.port, as(text), { timeoutMs: 10_000 })).answers;
    worstMs = Math.max(worstMs, performance.now() - fromMs);
    statuses.push(answer?.status ?? 0);
    ids.push(answer?.header('x-request-id') ?? '');
  }
  return { statuses, ids, worstMs };
}

const command = (...args: string[]): ReturnType<typeof program.command> => program.command(['policy', ...args]);

await t.test(
  'a candidate is asked what the policy in force was asked, counted exactly, and heard by nobody',
  async (t) => {
    const begun = await command('shadow', other, '--data', data);
    t.equal(begun.code, 0, begun.stdout + begun.stderr);
    t.match(begun.stdout, /revision test-only-misbehaving is asked too/);
    const good = await asks(program.keys.KA.text, 5);
    const beyond = await asks(KB.text, 3);
    const less = await asks(stranger.text, 2);
    const wrong = await asks(clash.text, 4);
    t.strictSame(good.statuses, [200, 200, 200, 200, 200], 'nothing of it is in any answer');
    t.strictSame(beyond.statuses, [403, 403, 403]);
    t.strictSame([...less.statuses, ...wrong.statuses], [200, 200, 200, 200, 200, 200]);
    const want = { agree: 5, would_allow: 3, would_deny: 2, failed: 4 };
    t.ok(await until(async () => (await recallRow())?.failed === 4), 'compared');
    t.match(await recallRow(), want);
    for (const [result, count] of Object.entries(want))
      t.equal(
        await program.metric(`policy_shadow_decisions_total{route="memories.recall",result="${result}"}`),
        count,
        result,
      );
    const { body } = await operator(candidate);
    t.match(body, { candidate: { revision: 'test-only-misbehaving', origin: 'command', share: 1 }, dropped: 0 });
    const samples: { id: string; result: string; live: unknown; candidate: unknown; error: string | null }[] =
      body.samples;
    t.strictSame(
      samples.map(({ id }) => id).sort(),
      [...beyond.ids, ...less.ids, ...wrong.ids].sort(),
      'each difference under the id of its decision',
    );
    t.match(
      samples.find(({ result }) => result === 'would_deny'),
      { live: { allow: true }, candidate: { allow: false, reasons: ['policy.undefined'] } },
    );
    t.match(samples.find(({ result }) => result === 'failed')?.error, /conflict/);
    t.notMatch(JSON.stringify(body), new RegExp([KB, stranger, clash].map(({ secret }) => secret).join('|')));
    const told = await command('shadow-report', '--fail-on-difference', '--format', 'markdown');
    t.equal(told.code, 1, 'a program can ask');
    t.match(told.stdout, /\| memories\.recall \| alpha \| 5 \| \d+ \| 3 \| 2 \| 4 \|/);
    t.equal(await program.metric('policy_errors_total{kind="conflict"}'), 0, 'its faults are its own');
  },
);

await t.test('memory stays what it was', async (t) => {
  await asks(clash.text, 20);
  const before = program.rss();
  for (let round = 0; round < 20; round += 1)
    await send(program.port, as(program.keys.KA.text).repeat(100), { answers: 100, timeoutMs: 20_000 });
  const grown = (program.rss() - before) / 1_048_576;
  t.ok(grown < 32, `${grown.toFixed(1)} MiB after 2,000 requests`);
});

await t.test(
  'promote puts it in force by way of a reload, and it stays while the configuration is what it was',
  async (t) => {
    t.equal(
      (await operator('POST /api/v1/policy/candidate/promote?revision=another')).status,
      422,
      'the one that is meant',
    );
    const promoted = await command('promote', 'test-only-misbehaving');
    t.equal(promoted.code, 0, promoted.stdout + promoted.stderr);
    t.match(
      promoted.stdout,
      /test-only-misbehaving is in force; it lasts until the configuration holds another bundle/,
    );
    const isInForce = async (name: string): Promise<void> => {
      t.strictSame((await asks(KB.text, 1)).statuses, [200], `${name}: what it allows`);
      t.strictSame((await asks(stranger.text, 1)).statuses, [403], `${name}: what it denies`);
    };
    await isInForce('promoted');
    t.match((await operator('GET /health/detailed')).body, {
      candidate: null,
      promoted: { revision: 'test-only-misbehaving', by: /^local:/ },
    });
    t.ok(
      program.audit.records().some(({ type }) => type === 'policy.promoted'),
      'recorded',
    );
    t.equal((await program.reload()).status, 200);
    await isInForce('after a reload');
    await program.restart();
    await isInForce('after a restart');
    const bundle = join(program.dir, 'policy.tar.gz');
    await copyFile(badBundle('endless'), bundle);
    await program.writeConfig({ policy: { bundle, data } });
    t.equal((await program.reload()).status, 200);
    t.strictSame(
      (await asks(stranger.text, 1)).statuses,
      [200],
      'another bundle in the configuration is the last word',
    );
    t.match((await operator('GET /health/detailed')).body, { promoted: null });
    await program.writeConfig({});
    t.equal((await program.reload()).status, 200);
    t.strictSame((await asks(KB.text, 1)).statuses, [403], 'and what was promoted does not come back');
  },
);

await t.test('a candidate that does not come back is asked no more, and nobody is kept waiting', async (t) => {
  t.equal((await command('shadow', badBundle('endless'), '--data', data)).code, 0);
  const { statuses, worstMs } = await asks(endless.text, 6);
  t.ok(
    statuses.every((status) => status === 200),
    `answered, the last within ${Math.round(worstMs)} ms`,
  );
  t.ok(await until(async () => (await operator(candidate)).body.stopped !== null), 'stopped');
  t.match((await operator(candidate)).body, { stopped: /cut short/, failed: 3 });
  t.strictSame((await asks(program.keys.KA.text, 3)).statuses, [200, 200, 200]);
  t.equal(program.exit, null, 'the process lives');
  t.match((await operator('POST /api/v1/policy/candidate/promote')).body, {
    done: false,
    problems: [/asked no more/],
  });
});

await t.test('drop ends it', async (t) => {
  t.equal((await operator('DELETE /api/v1/policy/candidate')).status, 200);
  const before = await program.metric('policy_shadow_decisions_total{route="memories.recall",result="agree"}');
  await asks(program.keys.KA.text, 3);
  t.equal(await program.metric('policy_shadow_decisions_total{route="memories.recall",result="agree"}'), before);
  t.match((await operator(candidate)).body, { candidate: null });
  t.equal((await command('drop')).code, 1, 'there is none any more');
});

await t.test('the configuration may name one; a bad one is refused with everything else', async (t) => {
  const bundle = join(program.dir, 'candidate.tar.gz');
  await copyFile(other, bundle);
  await program.writeConfig({ policy: { candidate: { bundle, data, share: 0.5 } } });
  t.equal((await program.reload()).status, 200);
  await asks(KB.text, 10);
  t.ok(await until(async () => (await recallRow())?.would_allow >= 4), 'asked');
  t.ok((await recallRow())?.would_allow <= 6, 'half of the time');
  await writeFile(bundle, 'torn');
  const { status, body } = await program.reload();
  t.equal(status, 422);
  t.match(JSON.stringify(body.problems), /candidate\.tar\.gz/);
  await copyFile(shipped, bundle);
  await program.writeConfig({ policy: { candidate: { bundle } } });
  t.equal((await program.reload()).status, 200);
  t.match((await operator(candidate)).body, { candidate: { origin: 'configuration' } });
  t.equal((await operator(candidate)).body.compared, undefined, 'the same as the one in force is not asked');
});

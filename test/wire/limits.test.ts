import { readFileSync, writeFileSync } from 'node:fs';
import t from 'tap';
import { H, J, SA } from './support/cases.js';
import { good } from './support/invariants.js';
import { makeKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import { usualAnswer, type Reply } from './support/recorder.js';
import { as } from './support/steps.js';
import { Client, send } from './support/wire.js';

const data = t.testdir({
  'tiers.yaml':
    'unlimited: { limits: [] }\n' +
    'windowed: { limits: [{ id: tier, key: [subject], algorithm: sliding_window, rate: 2, per: 60, cost: 1 }] }\n',
});
const inspectMax = 1_000;
const program = await startProgram(t, {
  config: {
    policy: { data },
    upstream: { connections: 1, queue: 1 },
    gateway: { inspect_max_bytes: inspectMax, inspect_max_bytes_in_progress: inspectMax },
  },
});

const recordOf = (id: string | undefined, from: number) =>
  program.audit.find(from, (record) => record.id === id && record.effect === 'deny');

await t.test('a sliding window refuses what is over its rate, and says when to come back', async (t) => {
  const key = await makeKey('windowed', { spaces: ['alpha'], permissions: ['MemoryRead'], tier: 'windowed' });
  await program.writeManifest([key]);
  t.equal((await program.reload()).status, 200, 'reloaded');
  const [mark, audit] = [program.recorder.mark(), program.audit.mark()];
  for (const remaining of ['1', '0']) {
    const [answer] = (await send(program.port, as(key.text))).answers;
    t.equal(answer?.status, 200, 'within the rate');
    t.equal(answer?.header('x-ratelimit-remaining'), remaining);
  }
  const [answer] = (await send(program.port, as(key.text))).answers;
  t.equal(answer?.status, 429);
  t.equal(answer?.json().type, 'urn:memgate:refusal:limit.exceeded');
  const retryAfterS = Number(answer?.header('retry-after'));
  t.ok(retryAfterS >= 1 && retryAfterS <= 120, `Retry-After: ${retryAfterS}`);
  t.equal(answer?.header('x-ratelimit-limit'), '2');
  t.equal(answer?.header('x-ratelimit-remaining'), '0');
  const resetInS = Number(answer?.header('x-ratelimit-reset')) - Date.now() / 1_000;
  t.ok(resetInS > -1 && resetInS <= 121, `X-RateLimit-Reset in ${resetInS.toFixed(0)} s`);
  t.equal(program.recorder.requestsSince(mark).length, 2, 'the third did not reach the upstream');
  t.match(await recordOf(answer?.header('x-request-id'), audit), {
    type: 'rate_limit.exceeded',
    code: 'limit.exceeded',
    tier: 'windowed',
    subject: { id: key.id },
  });
  t.equal((await send(program.port, good(program))).answers[0]?.status, 200, 'others are not touched');
});

await t.test('a reload tells of tiers that somebody has and the policy does not', async (t) => {
  const before = await program.reload();
  t.match(before.body.difference.warnings, [
    /^the tier of keys that name none, "free", is not one of the policy's tiers/,
  ]);
  t.equal(before.body.difference.warnings.length, 1, 'and of nothing else');
  const wish = ['--name', 'stored', '--spaces', 'alpha', '--permissions', 'MemoryRead', '--tier', 'windowed'];
  const made = await program.command(['auth', 'create-key', ...wish, '--format', 'json']);
  t.equal(made.code, 0, made.stderr);
  const { id, key } = JSON.parse(made.stdout) as { readonly id: string; readonly key: string };
  const ended = await program.command(['auth', 'create-key', ...wish, '--format', 'json']);
  await program.command(['auth', 'revoke-key', JSON.parse(ended.stdout).id, '--yes', '--reason', 'test']);
  const tiers = readFileSync(`${data}/tiers.yaml`, 'utf8');
  writeFileSync(`${data}/tiers.yaml`, tiers.replace('windowed:', 'free:'));
  await program.writeManifest();
  const { status, body } = await program.reload();
  t.equal(status, 200);
  t.match(body.difference.warnings, [new RegExp(`^"windowed", the tier of ${id} in the store, is not`)]);
  t.equal(body.difference.warnings.length, 1, 'a revoked key needs no tier');
  const [answer] = (await send(program.port, as(key))).answers;
  t.equal(answer?.status, 403, 'as it says');
  t.match((await recordOf(answer?.header('x-request-id'), 0)).reasons, ['tier.unknown']);
  writeFileSync(`${data}/tiers.yaml`, tiers);
  t.equal((await program.reload()).status, 200);
});

await t.test('upstream.busy: a full queue is said at once, and what waits gets its turn', async (t) => {
  const held: Reply[] = [];
  program.recorder.script({ request: (_, reply) => held.push(reply) });
  const [atUpstream, waiting] = [
    await Client.open({ port: program.port }),
    await Client.open({ port: program.port }),
  ] as const;
  t.teardown(() => [atUpstream, waiting].forEach((client) => client.close()));
  atUpstream.write(good(program));
  await program.recorder.until(() => held.length === 1);
  const audit = program.audit.mark();
  waiting.write(good(program));
  await program.audit.find(audit, ({ effect }) => effect === 'allow'); // it goes to the queue in the same breath
  const [busy] = (await send(program.port, good(program))).answers;
  t.equal(busy?.status, 503);
  t.equal(busy?.json().type, 'urn:memgate:refusal:upstream.busy');
  t.ok(Number(busy?.header('retry-after')) >= 1, 'Retry-After');
  const id = busy?.header('x-request-id');
  t.match(await program.audit.find(audit, (record) => record.id === id && record.type.startsWith('memory.')), {
    type: 'memory.not-forwarded',
    status: 503,
    code: 'upstream.busy',
    not_forwarded: 'upstream.busy',
  });
  t.equal(await program.metric('upstream_errors_total{code="upstream.busy"}'), 1, 'and counted');
  program.recorder.script({});
  held[0]?.write(usualAnswer);
  for (const client of [atUpstream, waiting]) {
    await client.until(() => client.answers.length === 1);
    t.equal(client.answers[0]?.status, 200, 'the others are answered');
  }
});

await t.test('gate.overloaded: bodies that are held for decisions have a bound in sum', async (t) => {
  const remember = (bytes: number): { readonly head: string; readonly body: string } => {
    const body = JSON.stringify({ content: '' }).replace('""', `"${'x'.repeat(bytes - 14)}"`);
    const auth = `Authorization: Bearer ${program.keys.KA.text}\r\n`;
    return {
      head: `POST /api/v1/memories/remember HTTP/1.1\r\n${H}${SA}${J}${auth}Content-Length: ${body.length}\r\n`,
      body,
    };
  };
  const [large, small] = [remember(900), remember(400)];
  const holding = await Client.open({ port: program.port });
  t.teardown(() => holding.close());
  holding.write(`${large.head}Expect: 100-continue\r\n\r\n`);
  t.ok(await holding.until(() => holding.interim.length === 1), 'the large one is being read');
  holding.write(large.body.slice(0, 800));
  const [mark, audit] = [program.recorder.mark(), program.audit.mark()];
  const [answer] = (await send(program.port, `${small.head}\r\n${small.body}`)).answers;
  t.equal(answer?.status, 503);
  t.equal(answer?.json().type, 'urn:memgate:refusal:gate.overloaded');
  t.ok(Number(answer?.header('retry-after')) >= 1, 'Retry-After');
  t.match(await recordOf(answer?.header('x-request-id'), audit), {
    type: 'system.overloaded',
    code: 'gate.overloaded',
  });
  t.equal(program.recorder.requestsSince(mark).length, 0, 'nothing reached the upstream');
  holding.write(large.body.slice(800));
  await holding.until(() => holding.answers.length === 1);
  t.equal(holding.answers[0]?.status, 200, 'the large one is not hurt');
  t.equal(
    (await send(program.port, `${small.head}\r\n${small.body}`)).answers[0]?.status,
    200,
    'and then there is room again',
  );
});

await t.test('bytes that never became a request are counted among the refusals', async (t) => {
  const count = (): Promise<number> => program.metric('http_refusals_total{code="gate.malformed"}');
  const before = await count();
  t.equal((await send(program.port, 'no request\r\n\r\n')).answers[0]?.status, 400);
  t.equal((await count()) - before, 1);
});

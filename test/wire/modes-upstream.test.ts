import t from 'tap';
import { H, J, SA, wireCase } from './support/cases.js';
import { good } from './support/invariants.js';
import { startProgram } from './support/program.js';
import { answers } from './support/recorder.js';
import { as, recall, reload } from './support/steps.js';
import { send } from './support/wire.js';

const secret = 'Zq4v9TnR2wXk7LmB5cYd8JhF3gPs6Ua1';
const credential = { header: 'authorization', value: `Bearer ${secret}` };
const config = { upstream: { credential: { from_env: 'UPSTREAM_SECRET' } } };
const program = await startProgram(t, { config, env: { UPSTREAM_SECRET: secret } });
const allow = { hashes: true, credential };

await wireCase(t, program, { name: 'the upstream sees our credential alone', allow }, async (one) => {
  const requests = [
    await one.passes('a key', one.good),
    await one.passes('a key in X-API-Key', recall(`X-API-Key: ${program.keys.KA.text}`)),
    await one.passes('a static token', as(program.keys.ST)),
  ];
  for (const request of requests) {
    one.t.strictSame(request.values('authorization'), [credential.value], 'ours');
    one.t.strictSame(request.values('x-api-key'), [], 'and no other');
  }
  await one.refused('ours is nothing to a client', as(secret), { status: 401 });
});

await wireCase(t, program, { name: 'a 401 of the upstream is the operator’s concern', allow }, async (one) => {
  one.recorder.script({
    request: answers.raw(
      `HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer realm="theirs"\r\nContent-Length: ${secret.length}\r\n\r\n${secret}`,
    ),
  });
  const [answer] = (await one.send(one.good)).answers;
  one.t.equal(answer?.status, 502, '502');
  one.t.match(answer?.json().type, /upstream\.credential$/, 'with its own code');
  one.t.equal(answer?.header('www-authenticate'), undefined, 'the client is asked for nothing');
  one.t.notOk(answer?.body.includes(secret), 'nothing of the answer is passed on');
  one.recorder.script({ request: answers.raw('HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno') });
  one.t.equal((await one.send(one.good)).answers[0]?.status, 403, 'a 403 of the upstream is passed on');
});

await wireCase(
  t,
  program,
  {
    name: 'a credential in another header',
    allow: { hashes: true, credential: { header: 'x-api-key', value: secret } },
  },
  async (one) => {
    await program.writeConfig({
      upstream: { credential: { ...config.upstream.credential, header: 'X-API-Key', scheme: '' } },
    });
    await reload(one);
    const request = await one.passes('a key', one.good);
    one.t.strictSame(request.values('x-api-key'), [secret], 'ours');
    one.t.strictSame(request.values('authorization'), [], 'and not the one of the client');
  },
);

await wireCase(
  t,
  program,
  { name: 'without a credential of ours a 401 is passed on', allow: { hashes: true } },
  async (one) => {
    await program.writeConfig({ upstream: { credential: undefined } });
    await reload(one);
    one.recorder.script({ request: answers.raw('HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno') });
    one.t.equal((await one.send(one.good)).answers[0]?.status, 401, '401');
  },
);

await t.test('audit.durability: buffered reads', async (t) => {
  await program.writeConfig({ audit: { durability: { content: 'buffered' } } });
  t.equal((await program.reload()).status, 200, 'reloaded');
  const [mark, audit] = [program.recorder.mark(), program.audit.mark()];
  const write = `POST /api/v1/memories/remember HTTP/1.1\r\n${H}Authorization: Bearer ${program.keys.KA.text}\r\n${SA}${J}Content-Length: 2\r\n\r\n{}`;
  const early = (method: string): number =>
    program.recorder.requestsSince(mark).filter((each) => each.method === method && each.wasRecorded === false).length;
  // All at once: while one batch is written the others queue, and a read that does not wait for them is upstream first.
  const ids: (string | undefined)[] = [];
  for (let round = 0; round < 10 && early('GET') === 0; round += 1) {
    const some = Array.from({ length: 60 }, async (_, n) => {
      const [answer] = (await send(program.port, n % 2 === 0 ? good(program) : write)).answers;
      return answer?.status === 200 ? answer.header('x-request-id') : undefined;
    });
    ids.push(...(await Promise.all(some)));
  }
  t.notOk(ids.includes(undefined), 'everything passes');
  for (const id of ids) await program.audit.find(audit, (record) => record.id === id && record.effect === 'allow');
  t.equal(early('POST'), 0, 'a write is on disk before it is forwarded');
  t.ok(early('GET') > 0, `a read does not wait for the disk (${early('GET')} of ${ids.length / 2} were earlier)`);
});

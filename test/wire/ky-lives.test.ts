import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { controlClient, controlPath } from '../../src/control/control.js';
import { H, J, SA, wireCase, type Case } from './support/cases.js';
import { makeKey, type FixtureKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import type { Reply } from './support/recorder.js';
import { as, hashes, reload } from './support/steps.js';
import { Client } from './support/wire.js';

const program = await startProgram(t);
const hashing = { hashes: true } as const;
const readWrite = { spaces: ['alpha'], permissions: ['MemoryRead', 'MemoryWrite'] };

await wireCase(t, program, { name: 'KY-13', allow: hashing }, async (one) => {
  const from = await hashes(program);
  const statuses = await Promise.all(
    Array.from({ length: 50 }, async () => (await one.send(as(program.keys.KR.text))).answers[0]?.status),
  );
  one.t.strictSame(statuses, Array<number>(50).fill(200), 'all pass');
  one.t.equal((await hashes(program)) - from, 1, 'with one hash');
  one.t.equal(one.forwarded.length, 50, 'and each was forwarded');
});

interface Seen {
  readonly sentMs: number;
  readonly status: number;
}

/** One request after the other on one connection, each 40 ms, until told to stop. */
async function use(key: FixtureKey, until: { isOver: boolean }): Promise<readonly Seen[]> {
  const client = await Client.open({ port: program.port });
  const seen: Seen[] = [];
  while (!until.isOver && !client.isClosed) {
    const sentMs = performance.now();
    client.write(as(key.text));
    await client.until(() => client.isClosed || client.answers.length > seen.length);
    const answer = client.answers[seen.length];
    if (answer !== undefined) seen.push({ sentMs, status: answer.status });
    await sleep(40);
  }
  client.close();
  return seen;
}

const revoke = async (one: Case, id: string): Promise<void> => {
  const { code, stderr } = await program.command(['auth', 'revoke-key', id, '--yes', '--reason', 'test']);
  one.t.equal(code, 0, `revoked ${stderr}`);
};

async function withMore(one: Case, name: string): Promise<FixtureKey> {
  const key = await makeKey(name, readWrite);
  await program.writeManifest([key]);
  await reload(one);
  return key;
}

await wireCase(t, program, { name: 'KY-08', allow: { hashes: true, untracked: true } }, async (one) => {
  const key = await withMore(one, 'to be revoked');
  await one.passes('it is remembered', as(key.text));
  const until = { isOver: false };
  const users = Promise.all(Array.from({ length: 8 }, () => use(key, until)));
  await sleep(500);
  await revoke(one, key.id);
  const revokedMs = performance.now();
  const forwarded = one.forwarded.length;
  await sleep(1_000);
  until.isOver = true;
  const seen = (await users).flat();
  const after = seen.filter(({ sentMs }) => sentMs > revokedMs);
  one.t.ok(seen.filter(({ status }) => status === 200).length > 50, 'it was in use');
  one.t.ok(after.length > 8, 'and went on being used');
  one.t.strictSame(
    [...new Set(after.map(({ status }) => status))],
    [401],
    'nothing passes after the answer to the command',
  );
  one.t.ok(one.forwarded.length - forwarded <= 8, 'nothing more than what was under way reaches the upstream');
  await reload(one);
  await one.refused('a reload does not bring it back', as(key.text), { status: 401 });
});

/** An exchange that lasts for a second holds a lease, and then the revocation ends it: leases.test.ts has that half. */
const shortMs = 800;
/** Within this time leases are looked at. */
const sweptMs = 300;

/** Revokes a key while a request of it is upstream. @returns what the client gets, or null where it took so long that a lease may have ended it */
async function revokedUpstream(one: Case): Promise<string | undefined | null> {
  const key = await withMore(one, 'revoked in flight');
  await one.passes('it is remembered', as(key.text));
  const held: Reply[] = [];
  one.recorder.script({ request: (_, reply) => held.push(reply) });
  const desk = await controlClient(controlPath(program.dataDir)); // a command of its own needs most of the second
  const fromMs = performance.now();
  const running = one.send(as(key.text));
  await one.recorder.until(() => held.length === 1);
  const revoked = await desk?.keys.revokeKey(key.id, 'test');
  one.t.equal(revoked?.ok, true, 'revoked');
  await sleep(sweptMs);
  const tookMs = performance.now() - fromMs;
  held[0]?.write('HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate');
  const [answer] = (await running).answers;
  one.recorder.script({});
  await one.refused('the next one does not pass', as(key.text), { status: 401 });
  return tookMs > shortMs ? null : answer?.body.toString();
}

await wireCase(t, program, { name: 'KY-08 (in flight)', allow: hashing }, async (one) => {
  let got = await revokedUpstream(one);
  for (let tries = 1; tries < 3 && got === null; tries += 1) got = await revokedUpstream(one); // the machine was busy
  one.t.equal(got, 'late', 'a request that is upstream already is answered');
});

await wireCase(t, program, { name: 'KY-08 (slow body)', allow: hashing }, async (one) => {
  const key = await withMore(one, 'revoked while the body comes');
  await one.passes('it is remembered', as(key.text));
  const reached = one.recorder.received;
  const head = `POST /api/v1/memories/remember HTTP/1.1\r\n${H}Authorization: Bearer ${key.text}\r\n${SA}${J}Content-Length: 12\r\n\r\n{"text":"x"`;
  const client = await Client.open({ port: program.port });
  client.write(head);
  await program.audit.until(() => undefined, 100);
  await revoke(one, key.id);
  client.write('}');
  await client.until(() => client.answers.length === 1);
  one.exchanges.push(client.exchange());
  client.close();
  one.t.equal(client.answers[0]?.status, 401, '401');
  one.t.equal(one.recorder.received - reached, 0, 'the recorder has 0 bytes');
});

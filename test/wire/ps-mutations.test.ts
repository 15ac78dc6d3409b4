import { randomInt } from 'node:crypto';
import t from 'tap';
import { chunked } from './support/bytes.js';
import { wireCase, type Case } from './support/cases.js';
import { isAsSent } from './support/meant.js';
import { Dice, mutant } from './support/mutations.js';
import { startProgram } from './support/program.js';
import { secondReading } from './support/second-reader.js';
import { readAll } from './support/strict-reader.js';
import { Client, type Exchange } from './support/wire.js';

const seed = Number(process.env['MEMGATE_TEST_SEED'] ?? randomInt(2 ** 31));
t.comment(`MEMGATE_TEST_SEED=${seed}`);
const mutants = 2_000;
const lanes = 8;
/** Bytes that wait for more get this long; then the client leaves. */
const idleMs = 60;
const memory = '{"content":"x"}';

const program = await startProgram(t);

/** Sends a mutant and takes what comes: answers, or silence because the bytes want more. */
async function sent(bytes: Buffer): Promise<Exchange> {
  const heads = (await secondReading(bytes)).methods.map((method) => method === 'HEAD');
  const client = await Client.open({ port: program.port, head: (at) => heads[at] === true });
  client.write(bytes);
  const wanted = Math.max(1, readAll(bytes).requests.length);
  const isDone = (): boolean => client.isClosed || client.answers.filter(({ isWhole }) => isWhole).length >= wanted;
  if (!(await client.until(isDone, idleMs))) {
    client.socket.end();
    await client.until(() => client.isClosed, 1_500);
  }
  const exchange = client.exchange();
  client.close();
  return exchange;
}

async function bothReadersAgree(c: Case): Promise<void> {
  for (const [connection, bytes] of c.recorder.streamsSince(c.from.recorder)) {
    const strict = c.forwarded.filter((request) => request.connection === connection);
    const second = await secondReading(bytes);
    c.t.notOk(second.isBroken, `connection ${connection}: the second reader reads it to its end`);
    const both = (one: { method: string; target: string; body: Buffer }): string =>
      JSON.stringify([one.method, one.target, one.body.toString('latin1')]);
    c.t.strictSame(
      second.requests.map(both),
      strict.map(both),
      `connection ${connection}: and reads the same requests`,
    );
    c.t.strictSame(
      second.requests.map(({ rawHeaders }) => rawHeaders),
      strict.map(({ headers }) => headers.flat()),
      `connection ${connection}: and headers`,
    );
  }
}

// The client's own bytes may say anything anywhere, its own key under another name included.
await wireCase(
  t,
  program,
  { name: `PS-34 ${mutants} mutants`, allow: { untracked: true, tellsItsOwnKey: true } },
  async (c) => {
    const rawChunks = `${c.rememberHead('Transfer-Encoding: chunked\r\n')}${chunked(memory)}`;
    const seeds = [
      c.good,
      c.get('/api/v1/memories/recall?q=x&space=alpha&a=%41'),
      c.get('http://localhost:8080/api/v1/memories/recall?q=y'),
      c.good + c.good,
      c.remember(memory),
      c.remember('{"content":"x","memory_space_id":"alpha"}'),
      rawChunks,
      c.remember(memory) + c.good,
      rawChunks + c.good,
      c.remember(memory, 'Expect: 100-continue\r\n'),
      c.goodWith('Connection: close, x-note\r\nX-Note: y\r\nTE: trailers\r\n'),
      `${c.rememberHead('Transfer-Encoding: chunked\r\n')}7;a=b\r\n{"conte\r\n8\r\nnt":"x"}\r\n0\r\nX-T: y\r\n\r\n`,
      c.get('/api/v1/memories/abc').replace('GET', 'DELETE'),
      c.get('/health').replace('GET', 'HEAD'),
    ];
    const dice = new Dice(seed);
    const all = Array.from({ length: mutants }, () => Buffer.from(mutant(seeds, dice), 'latin1'));
    const differing: string[] = [];
    let passed = 0;
    const one = async (bytes: Buffer): Promise<void> => {
      const exchange = await sent(bytes);
      c.exchanges.push(exchange);
      for (const [at, answer] of exchange.answers.entries()) {
        const got = c.forwarded.find(({ id }) => id === answer.header('x-request-id'));
        if (got === undefined) continue;
        passed += 1;
        if (await isAsSent(bytes, at, got)) continue;
        differing.push(
          JSON.stringify({
            sent: bytes.toString('latin1'),
            got: [got.method, got.target, got.body.toString('latin1')],
          }),
        );
      }
    };
    const lane = async (first: number): Promise<void> => {
      for (let at = first; at < all.length; at += lanes) await one(all[at]!);
    };
    await Promise.all(Array.from({ length: lanes }, (_, first) => lane(first)));
    c.t.comment(`${passed} of them were forwarded`);
    c.t.ok(passed > mutants / 20, 'enough of them are still requests');
    c.t.strictSame(differing, [], 'method, target and body are those that were sent');
    const ids = c.forwarded.map(({ id }) => id);
    c.t.equal(new Set(ids).size, ids.length, 'nothing was forwarded twice');
    for (const { id, method, target: at } of c.forwarded) {
      const record = c.records.find((each) => each.id === id && each.effect === 'allow');
      if (record?.['method'] !== method || record['path'] !== at.split('?')[0])
        c.t.fail(`recorded otherwise than forwarded: ${id}`);
    }
    await bothReadersAgree(c);
  },
);

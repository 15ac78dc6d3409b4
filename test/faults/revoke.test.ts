import { Agent } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { allRecords, joinRecords } from './support/audit.js';
import { memgate, openWire, recall } from './support/client.js';
import { howMany } from './support/environment.js';
import { makePlace, startProgram, type Place } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const rounds = howMany(10, 1);
const connections = 8;
const afterwards = 10;

interface Made {
  readonly id: string;
  readonly key: string;
}

async function makeKey({ dataDir }: Place): Promise<Made> {
  const rights = ['--spaces', 'alpha', '--permissions', 'MemoryRead,MemoryWrite', '--tier', 'unlimited'];
  const made = await memgate(
    'auth',
    'create-key',
    '--data-dir',
    dataDir,
    '--name',
    'short-lived',
    ...rights,
    '--format',
    'json',
  );
  if (made.code !== 0) throw new Error(made.stderr);
  return JSON.parse(made.stdout) as Made;
}

const revoke = async ({ dataDir }: Place, { id }: Made): Promise<number> =>
  (await memgate('auth', 'revoke-key', id, '--data-dir', dataDir, '--reason', 'fault test', '--yes')).code;

t.test('a revoke by the command line', async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const place = await makePlace(t, recorder.url, {
    keys: { manifests: './keys', failures_per_minute: 1_000_000, failures_per_minute_per_key: 1_000_000 },
  });
  const program = await startProgram(t, place);

  await t.test(`is in force when the command returns, ${rounds} × ${connections} kept connections`, async (t) => {
    for (let round = 0; round < rounds; round += 1) {
      const made = await makeKey(place);
      const answers: { readonly sentMs: number; readonly status: number }[] = [];
      let returnedMs = Infinity;
      const hammer = async (): Promise<void> => {
        const agent = new Agent({ keepAlive: true, maxSockets: 1 });
        for (let late = 0; late < afterwards && program.isRunning();) {
          const sentMs = performance.now();
          const { status } = await recall(program.gateway, made.key, agent);
          answers.push({ sentMs, status });
          if (sentMs > returnedMs) late += 1;
        }
        agent.destroy();
      };
      const all = Promise.all(Array.from({ length: connections }, hammer));
      while (answers.length < 10 * connections) await after(1);
      t.equal(await revoke(place, made), 0);
      returnedMs = performance.now();
      await all;
      const late = answers.filter(({ sentMs }) => sentMs > returnedMs);
      t.strictSame(
        [...new Set(late.map(({ status }) => status))],
        [401],
        `round ${round}: ${late.length} requests behind it`,
      );
      t.ok(answers.length - late.length >= connections, `round ${round}: each connection was in use before it`);
    }
  });

  await t.test('ends an upload whose last byte is still to come: 401, and nothing went upstream', async (t) => {
    const made = await makeKey(place);
    t.equal((await recall(program.gateway, made.key)).status, 200, 'the key works');
    const before = { bytes: recorder.bytes, arrivals: recorder.arrivals.length };
    const body = JSON.stringify({ content: 'written while the key still worked' });
    const wire = openWire(program.gateway);
    const head = [
      'POST /api/v1/memories/remember HTTP/1.1',
      'Host: localhost',
      `Authorization: Bearer ${made.key}`,
      'X-Memory-Space: alpha',
    ];
    const framing = ['Content-Type: application/json', `Content-Length: ${body.length}`, '', ''];
    wire.socket.write([...head, ...framing].join('\r\n') + body.slice(0, -1));
    await after(200);
    t.equal(await revoke(place, made), 0);
    t.equal(wire.text(), '', 'no answer before the last byte');
    wire.socket.write(body.slice(-1));
    while (!wire.text().includes('\r\n\r\n')) await after(5);
    t.match(wire.text(), /^HTTP\/1\.1 401 /);
    wire.socket.destroy();
    t.strictSame(
      { bytes: recorder.bytes, arrivals: recorder.arrivals.length },
      before,
      'the recorder has no byte of it',
    );
  });

  t.equal(await program.stop(), 0);
  const records = await allRecords(place.auditDir);
  const { problems, ...joined } = joinRecords(records, recorder.arrivals);
  t.strictSame(problems, []);
  t.ok(joined.notForwarded >= 1, 'the upload was allowed, and its outcome tells that it was not forwarded');
  t.comment(`revoke: ${JSON.stringify(joined)}`);
});

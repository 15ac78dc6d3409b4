import { Agent, request } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
import t from 'tap';
import { allRecords } from './support/audit.js';
import { alphaSpace, metric, recall } from './support/client.js';
import { makePlace, startProgram, type Program } from './support/program.js';
import { bigBytes, bigServer, bigTarget, headOf, openSlow, stalledMs } from './support/slow-clients.js';

const stallMs = 2_500;
const clients = 8;

const openOf = async ({ probes }: Program): Promise<number> =>
  (await metric(probes, 'open_connections')).get('{}') ?? NaN;

t.test('a client that takes nothing of its answer is cut, a slow one is not', async (t) => {
  const place = await makePlace(t, await bigServer(t), {
    gateway: { listen: '127.0.0.1:0', answer_stall_timeout_ms: stallMs },
  });
  const program = await startProgram(t, place);
  const { gateway } = program;

  await t.test('nothing is read: cut', async (t) => {
    const bytes = `${headOf(`GET ${bigTarget}`, place.keys.other)}\r\n`;
    const slow = await openSlow({ gateway, count: clients, bytes, reads: false });
    while (slow.some(({ beganMs }) => beganMs === null)) await after(20);
    const fromMs = performance.now();
    while ((await openOf(program)) >= clients && performance.now() - fromMs < 30_000) await after(50);
    while ((await openOf(program)) > 0 && performance.now() - fromMs < 30_000) await after(50);
    t.equal(await openOf(program), 0);
    for (const { socket } of slow) socket.destroy();
    t.equal((await recall(gateway, place.keys.alpha)).status, 200);
  });

  await t.test('a little is read all the time: all of it arrives', async (t) => {
    const agent = new Agent({ maxSockets: 1 });
    const got = await new Promise<number>((resolve, reject) => {
      const headers = { ...alphaSpace, authorization: `Bearer ${place.keys.alpha}` };
      const sent = request(new URL(bigTarget, gateway), { agent, headers }, (response) => {
        let bytes = 0;
        let pieces = 0;
        response.on('data', (chunk: Buffer) => {
          bytes += chunk.length;
          pieces += 1;
          // For longer than the timeout in sum, but never so long at a time.
          if (pieces % 4 !== 0) return;
          response.pause();
          setTimeout(() => response.resume(), stallMs / 10);
        });
        response.on('end', () => {
          resolve(bytes);
        });
        response.on('error', reject);
      });
      sent.on('error', reject).end();
    });
    agent.destroy();
    t.equal(got, bigBytes);
  });

  t.equal(await program.stop(), 0);
  const ended = (await allRecords(place.auditDir)).filter(({ type }) => type === 'memory.interrupted');
  t.equal(ended.length, clients);
  t.ok(ended.every(({ ended_by: by }) => by === 'client'));
  const longest = Math.max(...ended.map(stalledMs));
  t.ok(longest >= stallMs && longest <= stallMs + 10_000, `none before its time, none long after: ${longest} ms`);
});

import t from 'tap';
import { H, wireCase } from './support/cases.js';
import { makeKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import { usualAnswer } from './support/recorder.js';
import { Client } from './support/wire.js';

const key = await makeKey('to be removed', { spaces: ['alpha'], permissions: ['MemoryRead', 'MemoryWrite'] });
const program = await startProgram(t, { config: { upstream: { deadline_ms: 60_000 } } });
await program.writeManifest([key]);
await program.reload();

const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
const streamHead = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const get = (path: string): string => `GET ${path} HTTP/1.1\r\n${H}Authorization: Bearer ${key.text}\r\n\r\n`;
const recall = get('/api/v1/memories/recall?q=x&space=alpha');

await wireCase(
  t,
  program,
  { name: 'RL-12 keys apply takes a key from a connection and a stream', allow: { untracked: true, hashes: true } },
  async (one) => {
    one.recorder.script({
      request: ({ target }, reply) => {
        reply.write(target.includes('/events') ? streamHead + chunk('data: 001\n\n') : usualAnswer);
      },
    });
    const [kept, stream] = await Promise.all([
      Client.open({ port: program.port }),
      Client.open({ port: program.port }),
    ]);
    one.t.teardown(() => {
      kept.close();
      stream.close();
    });
    kept.write(recall);
    await kept.until(() => kept.answers[0]?.isWhole === true);
    one.t.equal(kept.answers[0]?.status, 200);
    stream.write(get('/api/v1/monitoring/events?space=alpha'));
    one.t.ok(await stream.until(() => stream.bytes.includes('data: 001')), 'the stream is open');

    await program.writeManifest();
    const { code, stdout, stderr } = await program.command(['keys', 'apply', '--format', 'json']);
    const fromMs = performance.now();
    one.t.equal(code, 0, stderr);
    one.t.match(JSON.parse(stdout), { applied: true, changes: [{ change: 'removed', id: key.id }] });
    const arrived = one.recorder.requests.length;
    kept.write(recall);
    one.t.ok(await kept.until(() => kept.answers[1]?.isWhole === true), 'the same connection answers');
    one.t.equal(kept.answers[1]?.status, 401);
    one.t.equal(one.recorder.requests.length, arrived, 'and nothing went upstream');
    one.t.ok(await stream.until(() => stream.answers[0]?.isWhole === true), 'the stream has ended');
    one.t.ok(performance.now() - fromMs < 3_000, 'within a sweep, on a busy machine too');
    one.t.match(stream.answers[0]?.body.toString(), /event: memgate-closed\ndata: \{.*"code":"lease\.revoked"/);
  },
);

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { call, alphaSpace, recallPath } from './support/client.js';
import { howMany, isInstalled, leaveOut } from './support/environment.js';
import { makePlace, startProgram } from './support/program.js';
import { openRecorder } from './support/recorder.js';
import { callsOf, type SystemCall } from './support/strace.js';

const requests = howMany(500, 100);
const atATime = 8;

const allowRecord = /\\"type\\":\\"authorization\.allowed\\",.{0,400}?\\"id\\":\\"([A-Za-z0-9_-]+)\\"/g;
const requestHead = /\\nx-request-id: ([A-Za-z0-9_-]+)/gi;
const isRequest = ({ place, text }: SystemCall): boolean =>
  place.startsWith('TCP:') && text.includes(' HTTP/1.1\\r\\n');
const isAudit = ({ place }: SystemCall): boolean => /\/audit\/\d+\.jsonl$/.test(place);

interface Order {
  readonly forwarded: number;
  readonly wrong: readonly string[];
}

/** Follows each id from the write of its record, over the sync behind that, to its first byte upstream. */
function follow(calls: readonly SystemCall[]): Order {
  const written = new Map<string, number>(); // id → line at which its record was written
  const syncs: SystemCall[] = calls.filter((each) => each.name === 'fdatasync' && isAudit(each) && each.result === 0);
  const wrong: string[] = [];
  const sent = new Set<string>();
  for (const each of calls) {
    if (each.name === 'fdatasync') continue;
    if (isAudit(each)) for (const [, id = ''] of each.text.matchAll(allowRecord)) written.set(id, each.ended);
    else if (isRequest(each)) {
      for (const [, id = ''] of each.text.matchAll(requestHead)) {
        if (sent.has(id)) continue;
        sent.add(id);
        const from = written.get(id);
        const synced = from !== undefined && syncs.some(({ began, ended }) => began >= from && ended <= each.began);
        if (!synced) wrong.push(id);
      }
    }
  }
  return { forwarded: sent.size, wrong };
}

t.test(`R3: fdatasync of the record returns before the first byte upstream, ${requests} requests`, async (t) => {
  if (!isInstalled('strace')) {
    leaveOut(t, 'the order of sync and send (strace is not installed)');
    return;
  }
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const place = await makePlace(t, recorder.url);
  const trace = join(place.dir, 'trace');
  const under = [
    'strace',
    '-f',
    '-ttt',
    '-yy',
    '-s',
    '1200000',
    '-e',
    'trace=fdatasync,write,writev,sendto',
    '-o',
    trace,
  ];
  const program = await startProgram(t, place, { under });
  let left = requests;
  const caller = async (): Promise<void> => {
    while ((left -= 1) >= 0) {
      const { status } = await call(new URL(recallPath, program.gateway), {
        key: place.keys.alpha,
        headers: alphaSpace,
      });
      if (status !== 200) t.fail(`a request got ${status}`);
    }
  };
  await Promise.all(Array.from({ length: atATime }, caller));
  t.equal(await program.stop(), 0);

  const { forwarded, wrong } = follow(callsOf(readFileSync(trace, 'latin1')));
  t.equal(recorder.arrivals.length, requests, 'every request went upstream');
  t.equal(forwarded, requests, 'strace saw each of them');
  t.strictSame(wrong, [], 'none of them before its record was on disk');
  t.comment(`R3: ${forwarded} requests, ${forwarded - wrong.length} behind the sync of their record`);
});

t.test('follow() tells a wrong order', async (t) => {
  const record = '\\"type\\":\\"authorization.allowed\\",\\"severity\\":\\"info\\",\\"id\\":\\"A1\\"';
  const file = '9</d/audit/000001.jsonl>';
  const lines = {
    write: `1 1.0 write(${file}, "${record}", 60) = 60`,
    sync: `2 1.1 fdatasync(${file}) = 0`,
    failed: `2 1.1 fdatasync(${file}) = -1 EIO (Input/output error)`,
    send: '1 1.2 write(20<TCP:[1->2]>, "GET / HTTP/1.1\\r\\nX-Request-Id: A1\\r\\n", 40) = 40',
    begun: `2 1.1 fdatasync(${file} <unfinished ...>`,
    ended: '2 1.3 <... fdatasync resumed>) = 0',
  };
  const of = (...names: readonly (keyof typeof lines)[]): Order =>
    follow(callsOf(names.map((name) => lines[name]).join('\n')));
  t.strictSame(of('write', 'sync', 'send'), { forwarded: 1, wrong: [] });
  t.strictSame(of('write', 'begun', 'ended', 'send'), { forwarded: 1, wrong: [] });
  t.strictSame(of('write', 'begun', 'send', 'ended').wrong, ['A1'], 'sent while the sync was under way');
  t.strictSame(of('sync', 'write', 'send').wrong, ['A1'], 'synced before it was written');
  t.strictSame(of('write', 'send', 'sync').wrong, ['A1']);
  t.strictSame(of('write', 'failed', 'send').wrong, ['A1']);
  t.strictSame(of('send').wrong, ['A1']);
});

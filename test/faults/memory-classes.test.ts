import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { join } from 'node:path';
import t from 'tap';
import { alphaSpace, call, recallPath } from './support/client.js';
import { programFile } from './support/environment.js';
import { makePlace, startProgram } from './support/program.js';
import { openRecorder } from './support/recorder.js';

const rounds = 600;
const atOnce = 20;
// Node's own, in the options of a socket: once for each connection, and some refusals close theirs.
const ofSockets = /emitClose|autoDestroy|decodeStrings|allowHalfOpen/;
// What happens once for each connection, socket or key stays far below; what happens at each request is at least `rounds`.
const suspicious = rounds / 2;
const unset = ['env', '--unset=NODE_OPTIONS', process.execPath] as const;
const logged = (file: string): readonly string[] => ['--log-maps', '--no-logfile-per-isolate', `--logfile=${file}`];

/** Transitions to a new hidden class that V8 wrote down, by place in the source and name of the property. */
function transitionsOf(file: string): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [event, kind, , , , , row = '', column = '', , ...name] = line.split(',');
    if (event !== 'map' || kind !== 'Transition') continue;
    const place = `${row}:${column} ${name.join(',')}`.replaceAll(/0x[0-9a-f]+/g, '');
    counts.set(place, (counts.get(place) ?? 0) + 1);
  }
  return counts;
}

const repeated = (file: string): readonly string[] =>
  [...transitionsOf(file)]
    .filter(([place, count]) => count >= suspicious && !ofSockets.test(place))
    .map(([place, count]) => `${place} ×${count}`);

t.test(
  'the control: a literal that begins with a spread and adds a property has a class of its own each time',
  async (t) => {
    const file = join(t.testdir(), 'maps.log');
    const source = `for (let n = 0; n < ${String(rounds)}; n += 1) (({ a }) => ({ ...{ a }, late: n }))({ a: n })`;
    const [program, ...args] = [...unset, ...logged(file), '-e', source];
    execFileSync(program, args);
    t.match(repeated(file).join(), /late/);
  },
);

t.test('no request leaves hidden classes behind, whatever becomes of it', async (t) => {
  const recorder = await openRecorder();
  t.teardown(() => recorder.close());
  const place = await makePlace(t, recorder.url, {
    audit: { dir: './data/audit', durability: { content: 'strict', metadata: 'buffered', metrics: 'buffered' } },
  });
  const file = join(t.testdir(), 'maps.log');
  const program = await startProgram(t, place, { command: [...unset, ...logged(file), programFile] });
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce });
  const { alpha } = place.keys;
  const kinds = [
    { status: 200, path: recallPath, key: alpha, headers: alphaSpace },
    { status: 200, path: '/api/v1/memories/remember', key: alpha, headers: alphaSpace, body: { content: 'tea' } },
    { status: 401, path: recallPath, headers: alphaSpace },
    { status: 401, path: recallPath, key: 'engram_key_none', headers: alphaSpace },
    { status: 403, path: recallPath, key: alpha, headers: { 'x-memory-space': 'beta' } },
    { status: 404, path: '/no/such/route', key: alpha, headers: {} },
  ] as const;
  for (const { status, path, body, ...rest } of kinds.map((kind) => ({ body: undefined, key: undefined, ...kind }))) {
    const { key, headers } = rest;
    const isPost = body !== undefined;
    const wish = {
      ...(isPost && { method: 'POST', body: JSON.stringify(body) }),
      ...(key !== undefined && { key }),
      headers: { ...headers, ...(isPost && { 'content-type': 'application/json' }) },
      agent,
    };
    const seen = new Set<number>();
    for (let n = 0; n < rounds; n += atOnce) {
      const answers = await Promise.all(
        Array.from({ length: atOnce }, () => call(new URL(path, program.gateway), wish)),
      );
      for (const answer of answers) seen.add(answer.status);
    }
    t.strictSame([...seen], [status], `${String(status)} ${path}`);
  }
  agent.destroy();
  t.equal(await program.stop(), 0);
  t.strictSame(repeated(file), []);
});

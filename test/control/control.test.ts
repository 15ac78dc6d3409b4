import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t from 'tap';
import type { Logger } from '../../src/base/log.js';
import type { JsonValue } from '../../src/model/audit.js';
import { Fault } from '../../src/model/codes.js';
import {
  controlClient,
  controlPath,
  startControl,
  type Control,
  type ControlContext,
} from '../../src/control/control.js';
import { createFailureBuckets, createIdentify, createKeyRing, createVerifier } from '../../src/identify/identify.js';
import { createKeyAdmin, localOperator, type KeyDesk } from '../../src/manage/manage.js';
import { openStore } from '../../src/store/store.js';
import { FakeClock, bearer, countingMeter, memoryAudit } from '../identify/fixtures/support.js';

const log: Logger = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
const noKeys = new Proxy(
  {},
  {
    get: () => () => {
      throw new Fault('store.unavailable', 'the store is away');
    },
  },
) as KeyDesk;

const noCandidate: ControlContext['candidate'] = {
  begin: (wish) => Promise.resolve({ done: false, problems: [wish.bundle] }),
  report: () => ({ candidate: null }),
  promote: (revision) => Promise.resolve({ done: false, problems: [revision ?? 'any'] }),
  drop: () => Promise.resolve({ done: true }),
};

async function started(
  t: { teardown(work: () => Promise<void>): void },
  path: string,
  more: Partial<ControlContext> = {},
): Promise<Control> {
  const control = await startControl({
    path,
    keys: noKeys,
    reload: () => Promise.resolve({ reloaded: true }),
    status: () => ({ version: '1' }),
    explain: () => Promise.resolve(null),
    candidate: noCandidate,
    log,
    ...more,
  });
  if (!control.ok) throw new Error(control.why);
  t.teardown(() => control.value.close());
  return control.value;
}

/** A directory with a short path: that of a socket is limited. */
function shortDir(t: { teardown(work: () => void): void }): string {
  const dir = mkdtempSync(join(tmpdir(), 'mg-'));
  t.teardown(() => {
    rmSync(dir, { recursive: true });
  });
  return dir;
}

/** The status and answer of one raw call. */
function call(path: string, body: string | Buffer, target = 'POST /v1'): Promise<[number, JsonValue]> {
  const [method = '', url = ''] = target.split(' ');
  return new Promise((resolve, reject) => {
    const sent = request(
      { socketPath: path, method, path: url, headers: { 'content-length': Buffer.byteLength(body) } },
      (response) => {
        let text = '';
        response.on('data', (part: Buffer) => (text += part.toString()));
        response.on('end', () => {
          resolve([response.statusCode ?? 0, JSON.parse(text) as JsonValue]);
        });
      },
    );
    sent.on('error', reject);
    sent.end(body);
  });
}

t.test('a revoke through the socket is in force when it returns, for a key that is cached', async (t) => {
  const dir = shortDir(t);
  const clock = new FakeClock();
  const { meter } = countingMeter();
  const opened = openStore({ dataDir: dir, clock });
  if (!opened.ok) throw new Error(opened.why);
  t.teardown(() => {
    opened.value.close();
  });
  const ring = createKeyRing(clock);
  const admin = createKeyAdmin({
    ring,
    store: opened.value,
    audit: memoryAudit(),
    clock,
    meter,
    prefixes: ['kor'],
    isPersistent: true,
    reach: 'process',
    known: () => null,
  });
  const verifier = createVerifier({ concurrency: 1, queue: 10, cacheEntries: 10 }, { meter });
  const tokens = {
    find: () => undefined,
    current: () => undefined,
    latest: () => undefined,
    refresh: () => Promise.resolve(),
    close: () => undefined,
  };
  const identify = createIdentify({
    modes: new Set(['api_key']),
    prefixes: ['kor'],
    keys: ring,
    verifier,
    failures: createFailureBuckets({ perMinute: 10, perMinutePerKey: 10, waitingPerAddress: 256 }, clock),
    tokens,
    clock,
    meter,
    used: () => undefined,
  });
  const path = controlPath(dir);
  await started(t, path, { keys: admin.as(localOperator) });
  t.equal((statSync(path).mode & 0o777).toString(8), '600');

  const client = await controlClient(path);
  const made = await client?.keys.createKey({ name: 'ci', spaces: ['alpha'], permissions: ['MemoryRead'] });
  if (made?.ok !== true) throw new Error('no key');
  const identity = await identify(bearer(made.value.key));
  t.ok(identity.ok);
  t.match(await client?.keys.checkKey(made.value.id), { ok: true, value: { id: made.value.id, state: 'active' } });
  t.match(await client?.keys.listKeys({}), { ok: true, value: [{ id: made.value.id }] });
  const next = await client?.keys.rotateKey(made.value.id, { graceMs: 1_000 });
  t.match(next, { ok: true, value: { replaces: made.value.id } });

  t.match(await client?.keys.revokeKey(made.value.id, 'stolen'), {
    ok: true,
    value: { id: made.value.id, already: false, reach: /in force in this process/ },
  });
  const after = identify(bearer(made.value.key));
  t.match(await after, { ok: false, why: { code: 'identify.unauthenticated' } });
  t.match(identity.ok && identity.value.live(), { code: 'identify.unauthenticated' });
  t.match(await client?.keys.revokeKey('nobody0000000000', ''), { ok: false, why: { kind: 'not-found' } });
});

t.test('reload and status pass through; what is broken is told as an error', async (t) => {
  const path = join(shortDir(t), 'c.sock');
  await started(t, path, { status: () => Promise.resolve({ ready: true }) });
  const client = await controlClient(path);
  t.strictSame(await client?.reload(), { reloaded: true });
  t.strictSame(await client?.status(), { ready: true });
  await t.rejects(async () => client?.keys.listKeys({}), { message: 'the store is away' });
});

t.test('nothing there, or nobody behind it: null; a stale socket is replaced, anything else is not', async (t) => {
  const dir = shortDir(t);
  writeFileSync(join(dir, 'file'), 'x');
  t.equal(await controlClient(join(dir, 'none.sock')), null);
  const stale = join(dir, 'stale.sock');
  await new Promise<void>((resolve) => {
    const server = createServer().listen(stale, () => {
      server.unref();
      resolve();
    });
    t.teardown(() => {
      server.close();
    });
  });
  // A crash leaves the file behind: rename keeps it from being removed with its server.
  renameSync(stale, join(dir, 'left.sock'));
  await started(t, join(dir, 'left.sock'));
  t.ok(await controlClient(join(dir, 'left.sock')));
  t.match(
    await startControl({
      path: join(dir, 'file'),
      keys: noKeys,
      reload: () => Promise.resolve(null),
      status: () => null,
      explain: () => Promise.resolve(null),
      candidate: noCandidate,
      log,
    }),
    { ok: false, why: /is not a socket: remove it/ },
  );
  await t.rejects(controlClient(join(dir, 'file', 'c.sock')), { message: /cannot be reached/ });
});

t.test('a path over 107 bytes is refused, not cut', async (t) => {
  const dir = shortDir(t);
  const folder = join(dir, 'ü'.repeat(40));
  mkdirSync(folder);
  const fits = join(dir, 'x'.repeat(107 - Buffer.byteLength(dir) - 1));
  await started(t, fits);
  t.ok(existsSync(fits), '107 bytes are accepted');
  const long = join(folder, 'x'.repeat(60));
  t.match(
    await startControl({
      path: long,
      keys: noKeys,
      reload: () => Promise.resolve(null),
      status: () => null,
      explain: () => Promise.resolve(null),
      candidate: noCandidate,
      log,
    }),
    { ok: false, why: /at most 107: use a shorter data_dir/ },
  );
  t.equal(await controlClient(long), null, 'nobody can listen there');
});

const calls: readonly [
  name: string,
  body: string | Buffer,
  target: string | undefined,
  status: number,
  want: RegExp,
][] = [
  ['another path', '{}', 'POST /v2', 404, /only POST/],
  ['another method', '', 'GET /v1', 404, /only POST/],
  ['no JSON', 'x', undefined, 400, /not one JSON text/],
  ['two JSON texts', '{}{}', undefined, 400, /not one JSON text/],
  ['not UTF-8', Buffer.from([0x22, 0xff, 0x22]), undefined, 400, /not one JSON text/],
  ['an unknown call', '{"do":"exec"}', undefined, 400, /do/],
  ['a surplus field', '{"do":"status","x":1}', undefined, 400, /x/],
  ['a wrong type', '{"do":"revoke-key","id":1,"reason":""}', undefined, 400, /id/],
  ['a body that is too long', `"${'x'.repeat(70_000)}"`, undefined, 413, /at most 65536/],
  ['grace and force', '{"do":"rotate-key","id":"a","wish":{"graceMs":1,"force":true}}', undefined, 400, /wish/],
];
for (const [name, body, target, status, want] of calls) {
  t.test(`the socket refuses ${name}`, async (t) => {
    const path = join(shortDir(t), 'c.sock');
    await started(t, path);
    const [got, answer] = await call(path, body, target);
    t.equal(got, status);
    t.match(JSON.stringify(answer), want);
    t.ok(await controlClient(path), 'and lives on');
  });
}

t.test('a client that hangs up halfway does no harm', async (t) => {
  const path = join(shortDir(t), 'c.sock');
  await started(t, path);
  for (let i = 0; i < 40; i += 1) {
    await new Promise<void>((resolve) => {
      const socket = connect(path, () => {
        socket.end('POST /v1 HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{');
      });
      socket.on('close', () => {
        resolve();
      });
      socket.on('error', () => {
        resolve();
      });
      socket.resume();
    });
  }
  t.strictSame(await (await controlClient(path))?.status(), { version: '1' });
});

t.test('the client has a candidate begun, told, promoted and dropped', async (t) => {
  const path = join(mkdtempSync(join(tmpdir(), 'memgate-')), 'c.sock');
  await started(t, path);
  const client = await controlClient(path);
  if (client === null) throw new Error('nobody listens');
  const wish = { bundle: '/srv/next.tar.gz', data: null, share: 0.5 };
  t.strictSame(await client.beginCandidate(wish), { done: false, problems: ['/srv/next.tar.gz'] });
  t.strictSame(await client.candidateReport(), { candidate: null });
  t.strictSame(await client.promoteCandidate('r1'), { done: false, problems: ['r1'] });
  t.strictSame(await client.dropCandidate(), { done: true });
  await t.rejects(client.beginCandidate({ ...wish, bundle: 'next.tar.gz' }), /bundle/, 'an absolute path');
  await t.rejects(client.beginCandidate({ ...wish, share: 0 }), /share/);
});

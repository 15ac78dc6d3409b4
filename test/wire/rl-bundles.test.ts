import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import t from 'tap';
import { signBundle, type Claims } from '../../src/bundle/bundle.js';
import {
  byKey,
  bySecret,
  es256,
  jws,
  listed,
  membersOf,
  pairs,
  pem,
  rawTar,
  shipped,
  signedBy,
  signingKey,
  type Members,
  type RawEntry,
} from '../bundle/support/forge.js';
import { wireCase, type Case } from './support/cases.js';
import { startProgram } from './support/program.js';
import { send } from './support/wire.js';

const place = t.testdir({ 'pub.pem': pem(pairs.p256.publicKey) });
const bundle = join(place, 'policy.tar.gz');
const put = (bytes: Uint8Array): void => writeFileSync(bundle, bytes);

async function sealed(claims: Partial<Claims>, key = signingKey(), from = shipped): Promise<Buffer> {
  const signed = await signBundle(readFileSync(from), key, { serial: 7, notAfterMs: null, ...claims });
  if (!signed.ok) throw new Error(signed.why.map(({ message }) => message).join());
  return signed.value;
}

const seven = await sealed({});
put(seven);
const verification = { keys: { ci: { algorithm: 'ES256', public_key_file: join(place, 'pub.pem') } } };
const config = { policy: { bundle, verification } };
const program = await startProgram(t, { config });
const members = await membersOf(seven);
const files = listed(members);
const good = jws(es256, { files });

const first = (await program.command(['status', '--format', 'json'])).stdout;
const generation = (
  JSON.parse(first) as { generation: { hash: string; policy_serial: number; policy_signed_by: string } }
).generation;
t.match(generation, { policy_serial: 7, policy_signed_by: 'ci' });

interface Reloaded {
  readonly status: number | undefined;
  readonly body: unknown;
}

/** As KADM. A refused one is answered with 422, which is neither a refusal of a request nor the upstream's. */
async function reload(query = ''): Promise<Reloaded> {
  const head = `POST /-/reload${query} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${program.keys.KADM.text}\r\nContent-Length: 0\r\n\r\n`;
  const { answers } = await send(program.adminPort, head, { timeoutMs: 20_000 });
  return { status: answers[0]?.status, body: answers[0]?.json() };
}

/** The reload is refused with this reason alone, and everything stays as it is. */
async function refusedWith(one: Case, name: string, bytes: Uint8Array, wants: RegExp): Promise<void> {
  put(bytes);
  const { status, body } = await reload();
  one.t.equal(status, 422, `${name}: 422`);
  one.t.match(body, { reloaded: false, generation: generation.hash }, `${name}: the old generation is in force`);
  const told = (body as { problems: readonly string[] }).problems;
  one.t.equal(told.length, 1, `${name}: one reason`);
  one.t.ok(told[0]?.startsWith(`${bundle}: `), `${name}: it names the file`);
  one.t.match(told[0], wants, `${name}: its own message`);
  one.t.equal(await program.metric('config_last_reload_successful'), 0, `${name}: the metric says so`);
  await one.passes(`${name}: requests go on`, one.good);
}

async function restored(one: Case): Promise<void> {
  put(seven);
  one.t.equal((await reload()).status, 200);
  one.t.equal(await program.metric('config_last_reload_successful'), 1);
}

const changed = (over: Members): Members => new Map([...members, ...over]);
const bytesOf = (text: string): Buffer => Buffer.from(text);

// Each reload compiles a policy and unpacks up to 16 MiB, which is given back when the collector gets to it.
const reloading = { memoryMib: 64, untracked: true } as const;

await wireCase(t, program, { name: 'RL-07', allow: reloading }, async (one) => {
  const fewer = files.filter(({ name }) => name !== 'policy.wasm');
  const wasm = Buffer.from(members.get('policy.wasm') ?? []);
  wasm[wasm.length >> 1] = (wasm[wasm.length >> 1] ?? 0) ^ 1;
  const refused = [
    ['unsigned', readFileSync(shipped), /is not signed, and policy\.verification\.keys names who has to/],
    [
      'another key',
      await signedBy(members, jws(es256, { files }, byKey(pairs.other.privateKey))),
      /signature is not by key "ci"/,
    ],
    [
      'fewer files',
      await signedBy(members, jws(es256, { files: fewer })),
      /holds "policy\.wasm", which its signature does not/,
    ],
    [
      'an extra file',
      await signedBy(changed(new Map([['x.rego', bytesOf('package x')]])), good),
      /holds "x\.rego", which its/,
    ],
    [
      'a changed file',
      await signedBy(changed(new Map([['policy.wasm', wasm]])), good),
      /"policy\.wasm" is not what was signed/,
    ],
    [
      'alg none',
      await signedBy(members, jws({ alg: 'none', kid: 'ci' }, { files })),
      /is made with "none", and key "ci" is for ES256/,
    ],
    [
      'a shared secret',
      await signedBy(members, jws({ alg: 'HS256', kid: 'ci' }, { files }, bySecret(pem(pairs.p256.publicKey)))),
      /is made with "HS256"/,
    ],
    [
      'keyid unknown',
      await signedBy(members, jws({ alg: 'ES256' }, { files, keyid: 'you' })),
      /by key "you", which is not known here/,
    ],
    ['foreign', await sealed({ serial: 8 }, signingKey('ES256', 'elsewhere')), /is signed for the scope "elsewhere"/],
    ['older', await sealed({ serial: 6 }), /is older than what was taken before it: serial 6 after 7/],
    ['same serial', await sealed({ notAfterMs: Date.now() + 3_600_000 }), /has serial 7 like the one before it/],
    ['out of date', await sealed({ serial: 8, notAfterMs: Date.now() - 60_000 }), /is not to be taken into use from/],
    ['truncated', seven.subarray(0, -100), /cannot be unpacked: it is truncated/],
  ] as const;
  for (const [name, bytes, wants] of refused) await refusedWith(one, name, bytes, wants);
  const told = refused.map(([, , wants]) => String(wants));
  one.t.equal(new Set(told).size, refused.length, 'no two have one message');
  await restored(one);
});

await wireCase(t, program, { name: 'RL-07 going back', allow: { ...reloading, killed: true } }, async (one) => {
  put(await sealed({ serial: 9 }));
  one.t.match(await reload(), {
    status: 200,
    body: { difference: { policy: { serial_before: 7, serial_after: 9 } } },
  });
  one.t.equal(await program.metric('policy_serial'), 9);
  put(seven);
  one.t.equal((await reload()).status, 422, 'not without being told');
  await program.restart('SIGKILL').then(
    () => one.t.fail('a start with an older policy'),
    (fault: unknown) =>
      one.t.match(
        (fault as Error).message,
        /is older than what was taken before it: serial 7 after 9/,
        'nor by a restart',
      ),
  );
  put(await sealed({ serial: 9 }));
  await program.start();
  put(seven);
  const from = program.audit.mark();
  const back = await program.command(['reload', '--allow-rollback', '--format', 'json']);
  one.t.match(JSON.parse(back.stdout), { reloaded: true });
  const record = await program.audit.find(from, ({ type }) => type === 'policy.rolled-back');
  one.t.match(record, { serial: 7, serial_before: 9, actor: 'local' }, 'it is recorded');
  put(await sealed({ serial: 6 }));
  one.t.equal((await reload()).status, 422, 'once only');
  one.t.match(await reload('?allow_rollback=true'), { status: 200, body: { reloaded: true } }, 'operators may as well');
  put(await sealed({ serial: 10 }));
  one.t.equal(
    (await reload()).status,
    200,
    'the content of 6 and 7 under a higher serial, as a revert in Git makes it',
  );
  await program.restart();
  put(seven);
  one.t.equal((await program.command(['reload', '--allow-rollback'])).code, 0);
});

await wireCase(t, program, { name: 'RL-07 a torn book of serials', allow: reloading }, async (one) => {
  const book = join(program.dataDir, 'policy-serial.json');
  one.t.match(JSON.parse(readFileSync(book, 'utf8')), { serial: 7 });
  const whole = readFileSync(book);
  writeFileSync(book, whole.subarray(0, 20));
  one.t.match((await reload()).body, {
    problems: [/policy-serial\.json is damaged, and without it an older policy/],
  });
  writeFileSync(book, whole);
  await restored(one);
});

const plain: RawEntry[] = [...members].map(([name, data]) => ({ name: `/${name}`, data }));
const withOne = (entry: RawEntry): Buffer => gzipSync(rawTar([...plain, entry]));

await wireCase(t, program, { name: 'RL-09', allow: reloading }, async (one) => {
  const link = '/etc/passwd';
  const hostile = [
    ['../../x', withOne({ name: '../../x' }), /not a plain relative path/],
    ['/abs', withOne({ name: '/abs' }), /holds member "abs", which this version does not read/],
    ['symlink', withOne({ name: 'x.rego', type: '2', link }), /not a regular file but a symbolic link/],
    ['hard link', withOne({ name: 'x.rego', type: '1', link }), /not a regular file but a hard link/],
    ['device', withOne({ name: 'x.rego', type: '3' }), /not a regular file but a device/],
    ['duplicate names', withOne({ name: 'data.json', data: bytesOf('{}') }), /holds member "data\.json" twice/],
    [
      'PAX path with NUL',
      withOne({ name: 'x.rego', type: 'x', data: bytesOf('17 path=a\0b.rego\n') }),
      /extended header/,
    ],
    [
      'negative size',
      withOne({ name: 'x.rego', size: Buffer.from('ff'.repeat(12), 'hex') }),
      /size is not a plain octal number/,
    ],
    [
      '100,000 entries',
      gzipSync(rawTar(Array.from({ length: 100_000 }, (_, n) => ({ name: `r${String(n)}.rego` })))),
      /holds over 16777216/,
    ],
  ] as const;
  for (const [name, bytes, wants] of hostile) await refusedWith(one, name, bytes, wants);
  one.t.notOk(existsSync(join(program.dir, 'x')) || existsSync('/abs'), 'nothing on disk');
  one.t.strictSame(readdirSync(place).sort(), ['policy.tar.gz', 'pub.pem']);
  await restored(one);
});

await wireCase(t, program, { name: 'RL-10', allow: reloading }, async (one) => {
  const zeros = Buffer.alloc(64 * 1_048_576);
  const part = gzipSync(zeros);
  // As many members as fit: 4 MB that would be 4 GB.
  const bomb = Buffer.concat(Array.from({ length: Math.floor((4 * 1_048_576) / part.length) }, () => part));
  await refusedWith(one, 'gzip bomb', bomb, /holds over 16777216 bytes/);
  await refusedWith(one, 'a bomb of 10 MB', Buffer.alloc(10 * 1_048_576, part), /holds more than 4194304 bytes/);
  await refusedWith(one, 'concatenated members', Buffer.concat([seven, seven]), /something follows the gzip data/);
  await refusedWith(
    one,
    'trailing garbage',
    Buffer.concat([seven, bytesOf('garbage')]),
    /something follows the gzip data/,
  );
  await restored(one);
});

await wireCase(t, program, { name: 'not_after, enforced', allow: reloading }, async (one) => {
  const notAfterMs = (Math.floor(Date.now() / 1_000) + 6) * 1_000;
  put(await sealed({ serial: 20, notAfterMs }));
  await program.writeConfig({ policy: { bundle, verification: { ...verification, enforce_not_after: true } } });
  one.t.equal((await program.command(['reload'])).code, 0);
  one.t.equal(await program.metric('policy_not_after_timestamp_seconds'), notAfterMs / 1_000);
  await one.passes('before', one.good);
  await new Promise((done) => setTimeout(done, notAfterMs + 500 - Date.now()));
  await one.refused('after', one.good, { status: 503, code: 'policy.expired' });
  await program.writeConfig(config);
  one.t.equal((await program.command(['reload'])).code, 0, 'what is in use stays in use where that is not enforced');
  await one.passes('again', one.good);
  put(seven);
  one.t.equal((await program.command(['reload', '--allow-rollback'])).code, 0);
});

t.test('require_serial: false takes a signed bundle without a serial, where none had one', async (t) => {
  const unnumbered = join(place, 'unnumbered.tar.gz');
  const bare = await membersOf(readFileSync(shipped));
  writeFileSync(unnumbered, await signedBy(bare, jws(es256, { files: listed(bare) })));
  const strict = { policy: { bundle: unnumbered, verification } };
  const mild = { policy: { bundle: unnumbered, verification: { ...verification, require_serial: false } } };
  const loose = await startProgram(t, { config: mild });
  const status = JSON.parse((await loose.command(['status', '--format', 'json'])).stdout) as { generation: object };
  t.match(status.generation, { policy_serial: null, policy_signed_by: 'ci' });
  await loose.writeConfig(strict);
  const refused = await loose.command(['reload']);
  t.not(refused.code, 0);
  t.match(refused.stdout + refused.stderr, /has no serial in its signed metadata/);
});

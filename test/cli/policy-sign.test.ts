import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { pairs, pem, shipped } from '../bundle/support/forge.js';
import { entry, freshBuild } from '../wire/support/build.js';

await freshBuild();

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

const policy = (...args: readonly string[]): Promise<Ended> =>
  new Promise((done) => {
    execFile(process.execPath, [entry, 'policy', ...args], { timeout: 30_000 }, (error, stdout, stderr) => {
      done({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });

interface Place {
  readonly dir: string;
  readonly bundle: string;
  readonly key: string;
  readonly pub: string;
  file(name: string, text: string, mode?: number): string;
}

function place(t: Test): Place {
  const dir = t.testdir();
  const file = (name: string, text: string, mode = 0o600): string => {
    writeFileSync(join(dir, name), text, { mode });
    return join(dir, name);
  };
  copyFileSync(shipped, join(dir, 'b.tar.gz'));
  const [key, pub] = [file('key.pem', pem(pairs.p256.privateKey)), file('pub.pem', pem(pairs.p256.publicKey))];
  return { dir, bundle: join(dir, 'b.tar.gz'), key, pub, file };
}

const digest = (file: string): string => createHash('sha256').update(readFileSync(file)).digest('hex');

t.test('policy sign signs in place, and policy verify agrees', async (t) => {
  const { dir, bundle, key, pub } = place(t);
  const mine = ['--key', key, '--key-id', 'ci', '--serial', '42', '--not-after', '2027-03-31', '--format', 'json'];
  const signed = await policy('sign', bundle, ...mine);
  t.equal(signed.code, 0, signed.stderr);
  t.strictSame(JSON.parse(signed.stdout), {
    file: bundle,
    serial: 42,
    not_after: '2027-03-31T00:00:00Z',
    key_id: 'ci',
    algorithm: 'ES256',
    scope: null,
  });
  t.notMatch(signed.stdout + signed.stderr, /PRIVATE|MIG/, 'nothing of the key');
  t.strictSame(readdirSync(dir).sort(), ['b.tar.gz', 'key.pem', 'pub.pem'], 'nothing is left behind');
  const verified = await policy('verify', bundle, '--key', pub, '--key-id', 'ci', '--format', 'json');
  t.match(JSON.parse(verified.stdout), { signed_by: 'ci', serial: 42, not_after: '2027-03-31T00:00:00Z', files: 11 });
  t.match((await policy('verify', bundle, '--key', pub, '--key-id', 'ci')).stdout, /^serial +42$/m);
  const other = await policy('verify', bundle, '--key', pub, '--key-id', 'you');
  t.match(other, { code: 1, stderr: /is signed by key "ci", which is not known here; known: you/ });
});

t.test('policy sign writes elsewhere where told, for a scope', async (t) => {
  const { dir, bundle, key, pub } = place(t);
  const before = digest(bundle);
  const output = join(dir, 'signed.tar.gz');
  const signed = await policy(
    'sign',
    bundle,
    '--key',
    key,
    '--key-id',
    'ci',
    '--serial',
    '1',
    '--scope',
    'prod',
    '-o',
    output,
  );
  t.match(signed, { code: 0, stdout: /^scope +prod$/m });
  t.equal(digest(bundle), before);
  t.equal((await policy('verify', output, '--key', pub, '--key-id', 'ci', '--scope', 'prod')).code, 0);
  const unscoped = await policy('verify', output, '--key', pub, '--key-id', 'ci');
  t.match(unscoped, { code: 1, stderr: /is signed for the scope "prod"/ });
});

t.test('policy verify says that the time of a bundle is over', async (t) => {
  const { bundle, key, pub } = place(t);
  await policy('sign', bundle, '--key', key, '--key-id', 'ci', '--serial', '1', '--not-after', '2020-01-01T12:00:00Z');
  const verified = await policy('verify', bundle, '--key', pub, '--key-id', 'ci');
  t.match(verified, { code: 1, stderr: /its signature holds, but its not_after has passed/ });
});

t.test('policy sign refuses what it must not use, and leaves the bundle alone', async (t) => {
  const { bundle, key, file } = place(t);
  const before = digest(bundle);
  const bad: readonly (readonly [name: string, args: readonly string[], code: number, says: RegExp])[] = [
    [
      'a key that others can read',
      ['--key', file('open.pem', readFileSync(key, 'utf8'))],
      1,
      /open to others \(mode 644\); make it 0600/,
    ],
    ['a key with a pass phrase', ['--key', file('e.pem', encrypted)], 1, /wants a pass phrase/],
    ['a key of another kind', ['--key', key, '--algorithm', 'RS256'], 1, /is no key for RS256, which wants an RSA key/],
    ['a shared secret', ['--key', key, '--algorithm', 'HS256'], 2, /Allowed choices are ES256/],
    ['a day that is none', ['--key', key, '--not-after', '2027-02-30'], 2, /Write a day or a time in UTC/],
  ];
  chmodSync(join(bundle, '..', 'open.pem'), 0o644);
  for (const [name, args, code, says] of bad) {
    const ended = await policy('sign', bundle, '--key-id', 'ci', '--serial', '1', ...args);
    t.match(ended, { code, stderr: says }, name);
    t.notMatch(ended.stderr, /BEGIN/, 'nothing of the key');
  }
  t.equal(digest(bundle), before);
  t.equal(statSync(key).mode & 0o777, 0o600);
  const noBundle = await policy('sign', key, '--key', key, '--key-id', 'ci', '--serial', '1');
  t.match(noBundle, { code: 1, stderr: /key\.pem: is not a gzip file/ });
});

const encrypted = pairs.p256.privateKey
  .export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase: 'test only' })
  .toString();

import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import {
  admit,
  fileSerials,
  instantOf,
  loadVerification,
  memorySerials,
  noVerification,
  readBundle,
  readPrivateKey,
  signBundle,
  usualAlgorithm,
  type KeySource,
} from '../../src/bundle/bundle.js';
import type { SignatureAlgorithm } from '../../src/model/signature.js';
import { packed, pairs, pem, signingKey, shipped, trusting, withManifest } from './support/forge.js';

const a = 'a'.repeat(64);
const b = 'b'.repeat(64);
const nowMs = Date.parse('2026-11-21T00:00:00Z');
const last = { serial: 7, content: a, revision: 'r7' };
const bundle = { revision: 'r', serial: 8, notAfterMs: null, signedBy: 'ci', content: b };
const rules = { minSerial: null, requiresSerial: true, enforcesNotAfter: false };
const context = { rules, last, allowsRollback: false, nowMs };
const older = { serial: 5, content: b };
const past = { notAfterMs: nowMs };
const loose = { ...rules, requiresSerial: false };

interface Row {
  readonly of?: object;
  readonly under?: object;
  readonly wants: object | RegExp;
}

const rows: Readonly<Record<string, Row>> = {
  'takes a higher serial': { wants: { backFrom: null, isExpired: false, accept: { serial: 8, content: b } } },
  'takes the first one': { under: { last: null }, wants: { accept: { serial: 8 }, backFrom: null } },
  'takes the same bundle again': { of: { serial: 7, content: a }, wants: { backFrom: null } },
  'takes an old content under a higher serial, as a revert in Git makes it': {
    of: { content: a },
    wants: { backFrom: null },
  },
  'refuses a lower serial': {
    of: older,
    wants: /is older than what was taken before it: serial 5 after 7 \(revision r7\).*--allow-rollback/,
  },
  'goes back where that is allowed': {
    of: older,
    under: { allowsRollback: true },
    wants: { backFrom: last, accept: { serial: 5 } },
  },
  'refuses two bundles with one serial': {
    of: { serial: 7 },
    wants: /has serial 7 like the one before it \(revision r7\), and other content/,
  },
  'refuses one without a serial': { of: { serial: null }, wants: /has no serial in its signed metadata/ },
  'refuses one without a serial behind one with': {
    of: { serial: null },
    under: { rules: loose },
    wants: /has no serial, and one with serial 7 was taken/,
  },
  'takes one without a serial where none has one': {
    of: { serial: null },
    under: { rules: loose, last: null },
    wants: { accept: null, backFrom: null },
  },
  'refuses a serial under the lowest': {
    under: { rules: { ...rules, minSerial: 9 } },
    wants: /has serial 8, under policy\.verification\.min_serial 9/,
  },
  'goes never under the lowest': {
    of: older,
    under: { allowsRollback: true, rules: { ...rules, minSerial: 6 } },
    wants: /min_serial 6/,
  },
  'takes the lowest': { under: { rules: { ...rules, minSerial: 8 } }, wants: { accept: { serial: 8 } } },
  'refuses one whose time is over': {
    of: past,
    wants: /not to be taken into use from 2026-11-21T00:00:00Z on, and now it is 2026-11-21T00:00:00Z/,
  },
  'takes one whose time is not over': { of: { notAfterMs: nowMs + 1 }, wants: { isExpired: false } },
  'keeps one whose time has passed in use': {
    of: { ...past, serial: 7, content: a },
    wants: { isExpired: true, backFrom: null },
  },
  'gives it up where that is enforced': {
    of: { ...past, serial: 7, content: a },
    under: { rules: { ...rules, enforcesNotAfter: true } },
    wants: /not to be taken into use/,
  },
  'goes not back to one whose time is over': {
    of: { ...older, ...past },
    under: { allowsRollback: true },
    wants: /not to be taken/,
  },
  'believes nothing of an unverified one': {
    of: { ...older, ...past, signedBy: null },
    wants: { accept: null, backFrom: null, isExpired: false },
  },
};

for (const [name, { of = {}, under = {}, wants }] of Object.entries(rows)) {
  t.test(`admit() ${name}`, async (t) => {
    const admitted = admit({ ...bundle, ...of }, { ...context, ...under });
    if (wants instanceof RegExp) t.match(admitted, { ok: false, why: wants });
    else t.match(admitted, { ok: true, value: wants });
  });
}

t.test('fileSerials() remembers on the disk, and mistakes no damage for a fresh start', async (t) => {
  const file = join(t.testdir(), 'policy-serial.json');
  t.strictSame(await fileSerials(file).last(), { ok: true, value: null }, 'none yet');
  await fileSerials(file).keep(last);
  t.strictSame(await fileSerials(file).last(), { ok: true, value: last }, 'another process reads it');
  t.equal(statSync(file).mode & 0o777, 0o600);
  const whole = readFileSync(file, 'utf8');
  for (let length = 0; length < whole.trimEnd().length; length += 1) {
    writeFileSync(file, whole.slice(0, length));
    t.match(
      await fileSerials(file).last(),
      { ok: false, why: /policy-serial\.json is damaged/ },
      `torn at ${String(length)}`,
    );
  }
  writeFileSync(file, JSON.stringify({ ...last, serial: 0 }));
  t.match(await fileSerials(file).last(), { ok: false, why: /is damaged/ });
  t.match(await fileSerials(t.testdirName).last(), { ok: false, why: /not a regular file/ });
});

t.test('memorySerials() remembers for one process', async (t) => {
  const serials = memorySerials();
  t.strictSame(await serials.last(), { ok: true, value: null });
  await serials.keep(last);
  t.strictSame(await serials.last(), { ok: true, value: last });
  t.strictSame(await memorySerials().last(), { ok: true, value: null });
});

t.test('readBundle() reads serial and not_after strictly', async (t) => {
  const bad: readonly (readonly [object | string, RegExp])[] = [
    [{ serial: 0 }, /serial must be a whole number from 1 to/],
    [{ serial: '7' }, /serial must be/],
    [{ serial: 1.5 }, /serial must be/],
    [{ serial: 2 ** 53 }, /serial must be/],
    [{ not_after: '2027-02-31T00:00:00Z' }, /not_after must be a time such as/],
    [{ not_after: '2027-03-31' }, /not_after must be/],
    [{ not_after: '2027-03-31T00:00:00+01:00' }, /not_after must be/],
    [{ not_after: 1 }, /not_after must be/],
    [{ expires: 1 }, /may hold serial and not_after, and nothing else/],
    ['7', /metadata\.memgate is not an object/],
  ];
  for (const [memgate, wants] of bad) {
    const read = await readBundle(await packed(await withManifest({ metadata: { memgate } })), noVerification);
    t.match(read, { ok: false, why: [{ message: wants }] }, JSON.stringify(memgate));
  }
  const good = await packed(await withManifest({ metadata: { other: 1, memgate: { serial: 3 } } }));
  t.match(await readBundle(good, noVerification), { ok: true, value: { serial: 3, notAfterMs: null } });
  t.equal(instantOf('2028-02-29T23:59:59Z'), Date.UTC(2028, 1, 29, 23, 59, 59));
});

t.test('a bundle that is signed again is the same content', async (t) => {
  const claims = { serial: 7, notAfterMs: null };
  const contents = await Promise.all(
    (['ES256', 'ES256', 'EdDSA'] as const).map(async (algorithm) => {
      const signed = await signBundle(readFileSync(shipped), signingKey(algorithm), claims);
      const read = await readBundle(signed.ok ? signed.value : Buffer.alloc(0), trusting(algorithm));
      return read.ok ? read.value.content : '';
    }),
  );
  t.match(contents[0], /^[0-9a-f]{64}$/);
  t.equal(new Set(contents).size, 1);
});

t.test('readPrivateKey() says what is wrong with a file, and nothing of what it holds', async (t) => {
  const short = pem(pairs.short.privateKey);
  const dir = t.testdir({ 'pub.pem': pem(pairs.p256.publicKey), 'short.pem': short, text: 'hello' });
  for (const name of ['pub.pem', 'short.pem', 'text']) chmodSync(join(dir, name), 0o600);
  t.match(await readPrivateKey(join(dir, 'pub.pem')), { ok: false, why: /is not a private key in PEM form$/ });
  t.match(await readPrivateKey(join(dir, 'text')), { ok: false, why: /is not a private key in PEM form$/ });
  t.match(await readPrivateKey(join(dir, 'none')), { ok: false, why: /none does not exist$/ });
  t.match(await readPrivateKey(dir), { ok: false, why: /is not a regular file$/ });
  const weak = await readPrivateKey(join(dir, 'short.pem'));
  t.ok(weak.ok && usualAlgorithm(weak.value) === null, 'an RSA key of 1024 bits signs nothing');
});

t.test('loadVerification() tells every key that cannot be used', async (t) => {
  const files = { 'ec.pem': pem(pairs.p256.publicKey), 'private.pem': pem(pairs.p256.privateKey), 'text.pem': 'hello' };
  const dir = t.testdir(files);
  const source = (name: string, algorithm: SignatureAlgorithm): KeySource => ({ algorithm, public_key_file: name });
  const read = await loadVerification(
    {
      good: source('ec.pem', 'ES256'),
      wrong: source('ec.pem', 'RS256'),
      curve: source('ec.pem', 'ES384'),
      secret: source('private.pem', 'ES256'),
      text: source('text.pem', 'ES256'),
      none: source('none.pem', 'ES256'),
    },
    (name) => join(dir, name),
  );
  t.match(read.ok ? [] : read.why, [
    /^wrong: .*ec\.pem is no key for RS256, which wants an RSA key of at least 2048 bits$/,
    /^curve: .*ec\.pem is no key for ES384, which wants an EC key on P-384$/,
    /^secret: .*private\.pem holds a private key; give the public key alone$/,
    /^text: .*text\.pem is not a public key in PEM form$/,
    /^none: .*none\.pem does not exist$/,
  ]);
});

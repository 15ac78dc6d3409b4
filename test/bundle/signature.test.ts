import { readFileSync } from 'node:fs';
import t from 'tap';
import { signatureAlgorithms } from '../../src/model/signature.js';
import { noVerification, readBundle, signBundle, type Verification } from '../../src/bundle/bundle.js';
import {
  byKey,
  bySecret,
  es256,
  jws,
  listed,
  membersOf,
  packed,
  pairs,
  pem,
  shipped,
  shippedMembers,
  signedBy,
  signingKey,
  trusting,
  type Members,
} from './support/forge.js';

const members = await shippedMembers();
const files = listed(members);
const good = jws(es256, { files });

async function complaint(bytes: Uint8Array, verification: Verification = trusting()): Promise<string> {
  const read = await readBundle(bytes, verification, 'b');
  return read.ok ? 'read' : read.why.map(({ message }) => message).join('\n');
}

const without = (name: string): Members => new Map([...members].filter(([each]) => each !== name));
const and = (name: string, text: string): Members => new Map(members).set(name, Buffer.from(text));
const changed = (name: string): Members => {
  const bytes = Buffer.from(members.get(name) ?? []);
  bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1;
  return new Map(members).set(name, bytes);
};

t.test('readBundle() takes what a configured key has signed', async (t) => {
  const read = await readBundle(await signedBy(members, good), trusting());
  t.match(read, { ok: true, value: { signedBy: 'ci', isSigned: true } });
  for (const [hash, algorithm] of [
    ['sha384', 'SHA-384'],
    ['sha512', 'SHA-512'],
  ] as const) {
    const token = jws(es256, { files: listed(members, hash, algorithm) });
    t.equal(await complaint(await signedBy(members, token)), 'read', algorithm);
  }
  const foreign = jws(es256, { files: files.map((file) => ({ ...file, hash: 'ä'.repeat(file.hash.length) })) });
  t.match(
    await complaint(await signedBy(members, foreign)),
    /is not what was signed|hash/,
    'letters of any kind are a no',
  );
  const upper = files.map((file) => ({ ...file, hash: file.hash.toUpperCase() }));
  t.equal(await complaint(await signedBy(members, jws(es256, { files: upper }))), 'read', 'digests in upper case');
  const older = jws({ alg: 'ES256', typ: 'JWT' }, { files, keyid: 'ci' });
  t.equal(await complaint(await signedBy(members, older)), 'read', 'the id of the key in the payload');
  const nameless = jws({ alg: 'ES256' }, { files });
  t.equal(await complaint(await signedBy(members, nameless)), 'read', 'no id, where there is only one key');
});

t.test('readBundle() trusts no signature where no key is configured', async (t) => {
  const read = await readBundle(await signedBy(members, good), noVerification);
  t.match(read, { ok: true, value: { signedBy: null, isSigned: true } });
  t.match(await readBundle(readFileSync(shipped), noVerification), {
    ok: true,
    value: { signedBy: null, isSigned: false },
  });
});

const token = (header: object, payload: object = { files }): Promise<Buffer> => signedBy(members, jws(header, payload));
const bad: Readonly<Record<string, { readonly bytes: () => Promise<Buffer>; readonly wants: RegExp }>> = {
  'an unsigned bundle': { bytes: () => packed(members), wants: /^is not signed, and policy\.verification\.keys/ },
  'a signature by another key': {
    bytes: () => signedBy(members, jws(es256, { files }, byKey(pairs.other.privateKey))),
    wants: /its signature is not by key "ci"/,
  },
  'a signature that lists fewer files': {
    bytes: () => token(es256, { files: files.filter(({ name }) => name !== 'policy.wasm') }),
    wants: /holds "policy\.wasm", which its signature does not name/,
  },
  'an extra file that is not listed': {
    bytes: () => signedBy(and('extra.rego', 'package extra'), good),
    wants: /holds "extra\.rego", which its signature does not name/,
  },
  'a listed file that is missing': {
    bytes: () => signedBy(without('memgate/authz/authz.rego'), good),
    wants: /its signature names "memgate\/authz\/authz\.rego", which it does not hold/,
  },
  'a changed module': {
    bytes: () => signedBy(changed('policy.wasm'), good),
    wants: /"policy\.wasm" is not what was signed/,
  },
  'changed data': { bytes: () => signedBy(and('data.json', '{}'), good), wants: /"data\.json" is not what was signed/ },
  'alg none': {
    bytes: () =>
      signedBy(
        members,
        jws({ alg: 'none', kid: 'ci' }, { files }, () => Buffer.from('x')),
      ),
    wants: /says it is made with "none", and key "ci" is for ES256/,
  },
  'no alg': { bytes: () => token({ kid: 'ci' }), wants: /says it is made with no algorithm/ },
  'the public key as a shared secret': {
    bytes: () => signedBy(members, jws({ alg: 'HS256', kid: 'ci' }, { files }, bySecret(pem(pairs.p256.publicKey)))),
    wants: /says it is made with "HS256", and key "ci" is for ES256/,
  },
  'the public key as a shared secret under the right name': {
    bytes: () => signedBy(members, jws(es256, { files }, bySecret(pem(pairs.p256.publicKey)))),
    wants: /its signature is not by key "ci"/,
  },
  'an unknown key id': {
    bytes: () => token({ alg: 'ES256', kid: 'somebody' }),
    wants: /is signed by key "somebody", which is not known here; known: ci/,
  },
  'a key id that steers the terminal': {
    bytes: () => token({ alg: 'ES256', kid: '\u001b[2J' }),
    wants: /is signed by key "\\u001b\[2J"/,
  },
  'two different key ids': { bytes: () => token(es256, { files, keyid: 'other' }), wants: /names two different keys/ },
  'a key of its own': {
    bytes: () =>
      signedBy(
        members,
        jws(
          { ...es256, jwk: pairs.other.publicKey.export({ format: 'jwk' }) },
          { files },
          byKey(pairs.other.privateKey),
        ),
      ),
    wants: /its signature is not by key "ci"/,
  },
  'a critical extension': {
    bytes: () => token({ ...es256, crit: ['b64'], b64: false }),
    wants: /an extension that is not known/,
  },
  'two signatures': { bytes: () => signedBy(members, good, good), wants: /holds 2 signatures; wanted exactly one/ },
  'no signature': { bytes: () => signedBy(members), wants: /holds 0 signatures; wanted exactly one/ },
  'another scope': {
    bytes: () => token(es256, { files, scope: 'write' }),
    wants: /is signed for the scope "write", and key "ci" is for/,
  },
  'a file twice in the list': {
    bytes: () => token(es256, { files: [...files, ...files.slice(0, 1)] }),
    wants: /names "data\.json" twice/,
  },
  'a digest by MD5': {
    bytes: () => token(es256, { files: listed(members, 'md5', 'MD5') }),
    wants: /has a digest of "data\.json" by MD5; wanted SHA-256/,
  },
  'a digest by SHA-1': {
    bytes: () => token(es256, { files: listed(members, 'sha1', 'SHA-1') }),
    wants: /by SHA-1; wanted/,
  },
  'an empty digest': {
    bytes: () => token(es256, { files: files.map((file) => ({ ...file, hash: '' })) }),
    wants: /is not what was signed/,
  },
  'no list of files': { bytes: () => token(es256, {}), wants: /has no list of files/ },
  'a file without a digest': {
    bytes: () => token(es256, { files: [{ name: 'data.json' }] }),
    wants: /lacks its name, hash or/,
  },
  'a name that is no string': {
    bytes: () => token(es256, { files: [{ ...files[0], name: 1 }] }),
    wants: /"name" of the signature is not/,
  },
  'another plugin': {
    bytes: () => packed(and('.signatures.json', JSON.stringify({ signatures: [good], plugin: 'x' }))),
    wants: /plugin must be _default/,
  },
  'something unknown beside the signature': {
    bytes: () => packed(and('.signatures.json', JSON.stringify({ signatures: [good], more: 1 }))),
    wants: /"more" is not known/,
  },
  'signatures that are no JSON': { bytes: () => packed(and('.signatures.json', '{')), wants: /strict JSON/ },
  'a token of two parts': {
    bytes: () => signedBy(members, good.split('.').slice(0, 2).join('.')),
    wants: /not a compact JWS/,
  },
  'a token with padding': { bytes: () => signedBy(members, `${good}=`), wants: /not a compact JWS/ },
  'a token in another spelling': {
    // The last character of 64 bytes in base64url carries four spare bits.
    bytes: () => signedBy(members, good.slice(0, -1) + String.fromCharCode(good.charCodeAt(good.length - 1) + 1)),
    wants: /not plain base64url|not by key/,
  },
};

for (const [name, { bytes, wants }] of Object.entries(bad)) {
  t.test(`RL-07 readBundle() refuses ${name}`, async (t) => {
    t.match(await complaint(await bytes()), wants);
  });
}

t.test('readBundle() wants the id of the key where there are several', async (t) => {
  const keys = new Map([
    ...trusting().keys,
    ...[...trusting().keys].map(([, key]) => ['b', { ...key, id: 'b' }] as const),
  ]);
  t.match(
    await complaint(await token({ alg: 'ES256' }), { keys }),
    /names no key, and policy\.verification\.keys has several/,
  );
});

t.test('signBundle() makes what readBundle() takes, by every algorithm', async (t) => {
  for (const algorithm of signatureAlgorithms) {
    const claims = { serial: 7, notAfterMs: Date.parse('2027-03-31T00:00:00Z') };
    const signed = await signBundle(readFileSync(shipped), signingKey(algorithm), claims);
    if (!signed.ok) throw new Error(signed.why.map(({ message }) => message).join());
    const read = await readBundle(signed.value, trusting(algorithm));
    t.match(read, { ok: true, value: { signedBy: 'ci', ...claims } }, algorithm);
    const named = { header: JSON.parse(headOf(await membersOf(signed.value))) as unknown };
    t.strictSame(named.header, { alg: algorithm, kid: 'ci', typ: 'JWT' });
  }
});

function headOf(all: Members): string {
  const { signatures } = JSON.parse(Buffer.from(all.get('.signatures.json') ?? []).toString()) as {
    signatures: string[];
  };
  return Buffer.from(signatures[0]?.split('.')[0] ?? '', 'base64url').toString();
}

t.test('signBundle() replaces an older signature and keeps every file', async (t) => {
  const first = await signBundle(readFileSync(shipped), signingKey('RS256'), { serial: 1, notAfterMs: null });
  t.ok(first.ok);
  const second = await signBundle(first.ok ? first.value : Buffer.alloc(0), signingKey('ES256', 'prod'), {
    serial: 2,
    notAfterMs: null,
  });
  t.ok(second.ok);
  const bytes = second.ok ? second.value : Buffer.alloc(0);
  t.match(await readBundle(bytes, trusting('ES256', 'prod')), { ok: true, value: { serial: 2, notAfterMs: null } });
  t.match(await complaint(bytes, trusting()), /is signed for the scope "prod", and key "ci" is for without a name/);
  const now = await membersOf(bytes);
  for (const [name, data] of members) if (name !== '.manifest') t.same(now.get(name), data, name);
});

t.test('signBundle() signs nothing that would not be loaded', async (t) => {
  const claims = { serial: 1, notAfterMs: null };
  const twisted = await signBundle(await packed(without('policy.wasm')), signingKey(), claims);
  t.match(twisted, { ok: false, why: [{ message: /no member "policy\.wasm"/ }] });
  const list = await signBundle(await packed(and('.manifest', '[]')), signingKey(), claims);
  t.match(list, { ok: false, why: [{ message: /must be objects/ }] });
});

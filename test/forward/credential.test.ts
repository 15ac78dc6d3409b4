import { createHmac } from 'node:crypto';
import t from 'tap';
import type { Clock } from '../../src/base/clock.js';
import type { LiveSecret } from '../../src/base/live-secret.js';
import { Secret } from '../../src/base/secret.js';
import { credentialPerSpace, oneCredential } from '../../src/forward/credential.js';
import { mintedCredential, type MintRules } from '../../src/forward/mint.js';
import type { SpaceSet } from '../../src/model/target.js';

const spaces = (...ids: readonly string[]): SpaceSet => ({ all: false, ids, unknown: [], explicit: true });
const all: SpaceSet = { ...spaces(), all: true };
const bearer = { header: 'Authorization', scheme: 'Bearer' };

/** A secret that a test may replace. */
function secretOf(text: string): LiveSecret & { set(next: string): void } {
  let secret = new Secret(text);
  return {
    current: () => secret,
    set: (next) => {
      secret = new Secret(next);
    },
  };
}

t.test('oneCredential() is the same for every request, until its secret is another', async (t) => {
  const secret = secretOf('one');
  const credential = oneCredential(bearer, secret);
  for (const set of [spaces('alpha'), spaces('alpha', 'beta'), spaces(), all])
    t.equal(credential.valueFor(set), 'Bearer one');
  secret.set('two');
  t.equal(credential.valueFor(all), 'Bearer two');
  t.equal(oneCredential({ header: 'X-API-Key', scheme: '' }, secret).valueFor(all), 'two');
});

const bySpace = new Map([
  ['alpha', secretOf('for-alpha')],
  ['beta', secretOf('for-beta')],
]);

const perSpace = [
  { name: 'a space its own', set: spaces('alpha'), own: 'Bearer for-alpha', usual: 'Bearer for-alpha' },
  { name: 'another space its own', set: spaces('beta'), own: 'Bearer for-beta', usual: 'Bearer for-beta' },
  { name: 'a space without one the default', set: spaces('gamma'), own: 'fault', usual: 'Bearer rest' },
  { name: 'two spaces the default', set: spaces('alpha', 'beta'), own: 'fault', usual: 'Bearer rest' },
  { name: 'all spaces the default', set: all, own: 'fault', usual: 'Bearer rest' },
  {
    name: 'all spaces with a name beside them the default',
    set: { ...all, ids: ['alpha'] },
    own: 'fault',
    usual: 'Bearer rest',
  },
  { name: 'no space none', set: spaces(), own: null, usual: 'Bearer rest' },
];
for (const { name, set, own, usual } of perSpace) {
  t.test(`credentialPerSpace() gives ${name}`, async (t) => {
    const strict = credentialPerSpace(bearer, { bySpace, fallback: null });
    if (own === 'fault') t.throws(() => strict.valueFor(set), { code: 'upstream.no-credential' });
    else t.equal(strict.valueFor(set), own);
    t.equal(credentialPerSpace(bearer, { bySpace, fallback: secretOf('rest') }).valueFor(set), usual);
  });
}

const key = '8f1d0c6b2a947e53f0d1c2b3a4958677';
const startMs = 1_790_000_000_000;

function minting(change: Partial<MintRules> = {}): {
  readonly token: (set: SpaceSet) => string | null;
  readonly secret: ReturnType<typeof secretOf>;
  at(ms: number): void;
} {
  let nowMs = startMs;
  const clock: Clock = { nowMs: () => nowMs, monotonicMs: () => 0 };
  const secret = secretOf(key);
  const rules: MintRules = { secret, ttlMs: 60_000, claims: {}, hasId: false, adminSubject: null, ...change };
  const credential = mintedCredential(bearer, rules, clock);
  return {
    token: (set) => credential.valueFor(set),
    secret,
    at: (ms) => {
      nowMs = startMs + ms;
    },
  };
}

/** Reads a token as the server does. */
function read(value: string | null, secret = key): { head: unknown; claims: Record<string, unknown> } {
  const [word, token = ''] = (value ?? '').split(' ');
  if (word !== 'Bearer') throw new Error('not a bearer token');
  const [head = '', claims = '', signature] = token.split('.');
  const wanted = createHmac('sha256', secret).update(`${head}.${claims}`).digest('base64url');
  if (signature !== wanted) throw new Error('the signature is wrong');
  const parse = (part: string): unknown => JSON.parse(Buffer.from(part, 'base64url').toString());
  return { head: parse(head), claims: parse(claims) as Record<string, unknown> };
}

t.test('mintedCredential() says who, since when and until when, and nothing else', async (t) => {
  const { token } = minting();
  t.strictSame(read(token(spaces('alpha'))), {
    head: { alg: 'HS256', typ: 'JWT' },
    claims: { sub: 'alpha', iat: startMs / 1_000, exp: startMs / 1_000 + 60 },
  });
});

t.test('mintedCredential() adds the fixed claims and an id where they are wanted; none replaces its own', async (t) => {
  const { token } = minting({ claims: { iss: 'memgate', sub: 'root', exp: 9e9 }, hasId: true });
  const { claims } = read(token(spaces('alpha')));
  t.match(claims, { iss: 'memgate', sub: 'alpha', exp: startMs / 1_000 + 60, jti: /^[0-9a-f-]{36}$/ });
  t.not(read(token(spaces('alpha'))).claims['jti'], claims['jti'], 'no two are the same');
});

const nobody = [
  { name: 'all spaces', set: all },
  { name: 'all spaces with a name beside them', set: { ...all, ids: ['alpha'] } },
  { name: 'two spaces', set: spaces('alpha', 'beta') },
  { name: 'an empty name', set: spaces('') },
  { name: 'a blank name', set: spaces(' ') },
  { name: 'a no-break space', set: spaces('\u00a0') },
  { name: 'a name with a blank', set: spaces('al pha') },
  { name: 'a line break', set: spaces('alpha\n') },
  { name: 'the star', set: spaces('*') },
];
for (const { name, set } of nobody) {
  t.test(`mintedCredential() makes no token for ${name}`, async (t) => {
    t.throws(() => minting().token(set), { code: 'upstream.no-credential' });
  });
}

t.test('mintedCredential() sends none where no space is touched, whoever else has one', async (t) => {
  t.equal(minting().token(spaces()), null);
  t.equal(minting({ adminSubject: 'ADMIN' }).token(spaces()), null);
});

t.test('mintedCredential() takes a named subject for several spaces and all, and for no single one', async (t) => {
  const { token } = minting({ adminSubject: 'ADMIN' });
  t.equal(read(token(all)).claims['sub'], 'ADMIN');
  t.equal(read(token(spaces('alpha', 'beta'))).claims['sub'], 'ADMIN');
  t.equal(read(token(spaces('alpha'))).claims['sub'], 'alpha');
  t.throws(
    () => token(spaces('ADMIN')),
    { code: 'upstream.no-credential' },
    'a space of that name is not the administrator',
  );
});

t.test('mintedCredential() uses a token for half of its life, for its own space alone', async (t) => {
  const { token, at, secret } = minting();
  const first = token(spaces('alpha'));
  at(29_999);
  t.equal(token(spaces('alpha')), first);
  t.not(token(spaces('beta')), first);
  at(30_000);
  const next = token(spaces('alpha'));
  t.not(next, first);
  t.equal(read(next).claims['exp'], startMs / 1_000 + 90);
  at(29_999);
  t.not(token(spaces('alpha')), next, 'one from the future, as a clock that was set back sees it, is not used');
  secret.set(`${key}${key}`);
  t.equal(read(token(spaces('alpha')), `${key}${key}`).claims['sub'], 'alpha', 'another secret: another token');
});

t.test('mintedCredential() keeps a bounded number of tokens', async (t) => {
  const { token, at } = minting();
  const first = token(spaces('s0'));
  for (let i = 1; i <= 1_024; i += 1) token(spaces(`s${i}`));
  at(1_000);
  t.not(token(spaces('s0')), first, 'the oldest one made room');
  t.equal(read(token(spaces('s1024'))).claims['iat'], startMs / 1_000, 'the others stay');
});

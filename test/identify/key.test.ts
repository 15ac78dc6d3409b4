import { crc32 as referenceCrc } from './fixtures/crc.js';
import fc from 'fast-check';
import t from 'tap';
import { isKeyLike, keyIdForm, newKey, parseKey, phcProblem } from '../../src/identify/identify.js';

const seed = Number(process.env['FAST_CHECK_SEED'] ?? 20_261_121);
t.comment(`fast-check seed ${String(seed)}`);
const property = { seed, numRuns: 300 };
const base62 = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const prefixes = ['engram_key', 'kor', 'kor_x'];
const characters = (alphabet: string, length: number): fc.Arbitrary<string> =>
  fc
    .array(fc.constantFrom(...Array.from(alphabet)), { minLength: length, maxLength: length })
    .map((all) => all.join(''));
const body = fc.tuple(
  fc.constantFrom(...prefixes),
  characters('0123456789abcdefghijklmnopqrstuvwxyz', 16),
  characters(base62, 43),
);

/** The checksum as the contract words it, computed another way. */
const checksum = (text: string): string => {
  let rest = BigInt(referenceCrc(text));
  let digits = '';
  for (let i = 0; i < 6; i += 1) {
    digits = (base62[Number(rest % 62n)] ?? '') + digits;
    rest /= 62n;
  }
  return digits;
};

t.test('crc of the reference is the known one', async (t) => {
  t.equal(referenceCrc('123456789'), 0xcbf43926);
});

t.test('parseKey() takes every text of the form, and finds prefix and id', async (t) => {
  fc.assert(
    fc.property(body, ([prefix, id, secret]) => {
      const text = `${prefix}_${id}_${secret}`;
      const parsed = parseKey(text + checksum(text), prefixes);
      return parsed?.prefix === prefix && parsed.id === id;
    }),
    property,
  );
  t.pass('held');
});

t.test('parseKey() refuses every single change', async (t) => {
  const change = fc.oneof(
    fc.record({
      kind: fc.constant('replace' as const),
      at: fc.nat(200),
      with: fc.string({ minLength: 1, maxLength: 1 }),
    }),
    fc.record({
      kind: fc.constant('insert' as const),
      at: fc.nat(200),
      with: fc.string({ minLength: 1, maxLength: 2 }),
    }),
    fc.record({ kind: fc.constant('delete' as const), at: fc.nat(200), with: fc.constant('') }),
  );
  fc.assert(
    fc.property(fc.constantFrom('engram_key', 'kor'), change, (prefix, { kind, at, with: text }) => {
      const key = newKey(prefix).text;
      const place = at % key.length;
      const changed = key.slice(0, place) + text + key.slice(kind === 'insert' ? place : place + 1);
      return changed === key || parseKey(changed, ['engram_key', 'kor']) === null;
    }),
    property,
  );
  t.pass('held');
});

t.test('parseKey() never throws, and takes no other text', async (t) => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string({ maxLength: 120 }), fc.string({ unit: 'binary', maxLength: 120 })),
      (text) => parseKey(text, prefixes) === null,
    ),
    property,
  );
  t.pass('held');
});

t.test('newKey() makes parseable keys with different ids and secrets', async (t) => {
  const keys = Array.from({ length: 200 }, () => newKey('kor'));
  t.equal(new Set(keys.map(({ id }) => id)).size, 200);
  t.equal(new Set(keys.map(({ text }) => text)).size, 200);
  for (const { id, text } of keys) {
    t.match(id, keyIdForm);
    t.strictSame(parseKey(text, prefixes), { prefix: 'kor', id });
  }
  const used = new Set(keys.flatMap(({ text }) => Array.from(text.slice('kor_'.length + 17, -6))));
  t.equal(used.size, 62, 'every character of the alphabet comes up');
});

t.test('isKeyLike() takes the whole family, well-formed or not', async (t) => {
  for (const text of ['kor_', 'kor_x', 'engram_key__x', 'engram_key_a']) t.ok(isKeyLike(text, prefixes), text);
  for (const text of ['kor', 'korx_a', 'engram_keyx', 'Kor_a', '']) t.notOk(isKeyLike(text, prefixes), text);
});

const salt = 'c2FsdHNhbHRzYWx0c2FsdA';
const hash = 'aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g';
const phc = (parameters: string, kind = 'argon2id', version = 'v=19'): string =>
  `$${kind}$${version}$${parameters}$${salt}$${hash}`;
const hashes: readonly [string, RegExp | null][] = [
  [phc('m=19456,t=2,p=1'), null],
  [phc('m=8192,t=1,p=1'), null],
  [phc('m=262144,t=10,p=4'), null],
  [phc('m=4194304,t=2,p=1'), /parameter m/],
  [phc('m=8,t=2,p=1'), /parameter m/],
  [phc('m=19456,t=1000,p=1'), /parameter t/],
  [phc('m=19456,t=2,p=255'), /parameter p/],
  [phc('m=19456,t=2,p=1', 'argon2i'), /Argon2id/],
  [phc('m=19456,t=2,p=1', 'argon2d'), /Argon2id/],
  [phc('m=19456,t=2,p=1', 'argon2id', 'v=16'), /Argon2id/],
  ['$2b$12$abcdefghijklmnopqrstuv', /Argon2id/],
  [phc('m=19456,t=2,p=1').slice(0, -4), /Argon2id/],
  [`$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$${hash}`, /Argon2id/],
  [phc('m=19456,t=2,p=1,keyid=a'), /Argon2id/],
  [phc('t=2,m=19456,p=1'), /Argon2id/],
  [`${phc('m=19456,t=2,p=1')}\n`, /Argon2id/],
  ['', /Argon2id/],
];
for (const [text, want] of hashes) {
  t.test(`phcProblem() of ${JSON.stringify(text.slice(0, 40))}`, async (t) => {
    const problem = phcProblem(text);
    if (want === null) t.equal(problem, null);
    else t.match(problem, want);
    t.notMatch(problem ?? '', hash.slice(0, 8), 'never shows the hash');
  });
}

import fc from 'fast-check';
import t from 'tap';
import { readStrictObject } from '../../src/base/strict-json.js';

const seed = Number(process.env['MEMGATE_TEST_SEED'] ?? 20_261_123);
t.comment(`fast-check seed ${String(seed)}`);

/** Top-level strings, as the reader and as JSON.parse see them; undefined where it does not accept. */
function strict(bytes: Buffer): [string, string | null][] | undefined {
  const read = readStrictObject(bytes);
  if (!read.ok) return undefined;
  return [...read.value].map(([key, field]) => [key, typeof field === 'string' ? field : null]);
}

function lenient(text: string): [string, string | null][] | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return Object.entries(value).map(([key, inner]) => [key, typeof inner === 'string' ? inner : null]);
}

const byKey = (fields: readonly [string, string | null][]): unknown[] =>
  [...fields].sort(([one], [other]) => (one < other ? -1 : 1));

function agree(bytes: Buffer): 'accepted' | 'refused' {
  const read = strict(bytes);
  if (read === undefined) return 'refused';
  const parsed = lenient(bytes.toString('utf8'));
  if (parsed === undefined) throw new Error('accepted what JSON.parse refuses');
  // JSON.parse moves keys that are numbers to the front: the order is not compared, the number of fields is.
  const [ours, theirs] = [JSON.stringify(byKey(read)), JSON.stringify(byKey(parsed))];
  if (ours !== theirs) throw new Error(`read ${ours}, JSON.parse reads ${theirs}`);
  return 'accepted';
}

const name = fc.oneof(
  fc.constantFrom('space', 'Space', 'memory_space_id', '', 'a', '0', '1', '__proto__'),
  fc.string({ unit: 'grapheme', maxLength: 4 }),
);
const leaf = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 6 }),
  fc.double(),
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
);
const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    leaf,
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(name, tie('value'), { maxKeys: 4 }),
  ),
}));
/** Any character of a string may be written as an escape. */
const escaped = (text: string, every: number): string =>
  text.replaceAll(/[A-Za-z_]/g, (letter) =>
    letter.charCodeAt(0) % every === 0 ? `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}` : letter,
  );
const quoted = fc
  .tuple(name, fc.integer({ min: 1, max: 9 }))
  .map(([text, every]) => `"${escaped(JSON.stringify(text).slice(1, -1).replaceAll(/\\./g, ''), every)}"`);
const space = fc.oneof(
  { weight: 40, arbitrary: fc.constantFrom('', '', ' ', '\n', '\t\r') },
  { weight: 1, arbitrary: fc.constantFrom('\u00a0', '\f', '\ufeff') },
);
const tail = fc.oneof(
  { weight: 9, arbitrary: fc.constant('') },
  { weight: 1, arbitrary: fc.constantFrom(',', '{}', '\0', 'x') },
);
/** Pieces of JSON in an order that is often wrong by little. */
const document = fc
  .array(
    fc.tuple(
      space,
      quoted,
      space,
      fc.oneof(
        { weight: 15, arbitrary: value.map((inner) => JSON.stringify(inner)) },
        {
          weight: 1,
          arbitrary: fc.constantFrom(
            '01',
            '1.',
            'NaN',
            '"\\ud800"',
            '"\\u0062eta"',
            '"\t"',
            '-',
            '[1,]',
            '1e5',
            '"\\x"',
          ),
        },
      ),
    ),
    { maxLength: 4 },
  )
  .chain((fields) =>
    fc
      .tuple(space, space, tail)
      .map(
        ([before, after, tail]) =>
          `${before}{${fields.map(([one, key, two, inner]) => `${one}${key}${two}:${inner}`).join(',')}}${after}${tail}`,
      ),
  );

t.test('whatever is accepted JSON.parse accepts, with the same top-level strings', async (t) => {
  const seen = { accepted: 0, refused: 0 };
  const property = fc.property(document, (text) => {
    seen[agree(Buffer.from(text, 'utf8'))] += 1;
  });
  fc.assert(property, { seed, numRuns: 10_000 });
  t.comment(JSON.stringify(seen));
  t.ok(seen.accepted > 2_000, `${String(seen.accepted)} were accepted`);
  t.ok(seen.refused > 2_000, `${String(seen.refused)} were refused`);
});

t.test('no change of a byte makes an accepted document that JSON.parse reads otherwise', async (t) => {
  const seen = { accepted: 0, refused: 0 };
  const change = fc.tuple(
    fc.nat(),
    fc.oneof(fc.constantFrom(...Buffer.from('{}[]",:\\u0 ')), fc.integer({ min: 0, max: 255 })),
    fc.constantFrom('put', 'insert', 'cut'),
  );
  const property = fc.property(
    fc.dictionary(name, value, { maxKeys: 4 }),
    fc.array(change, { minLength: 1, maxLength: 3 }),
    (fields, changes) => {
      const bytes = [...Buffer.from(JSON.stringify(fields), 'utf8')];
      for (const [at, byte, how] of changes)
        bytes.splice(at % (bytes.length + 1), how === 'insert' ? 0 : 1, ...(how === 'cut' ? [] : [byte]));
      seen[agree(Buffer.from(bytes))] += 1;
    },
  );
  fc.assert(property, { seed, numRuns: 10_000 });
  t.comment(JSON.stringify(seen));
  t.ok(seen.accepted > 500, `${String(seen.accepted)} were accepted`);
});

t.test('every JSON object that is strict is accepted', async (t) => {
  const isStrict = (inner: unknown): boolean =>
    typeof inner !== 'object' ||
    inner === null ||
    Object.entries(inner).every(
      ([key, each]) => !['__proto__', 'constructor', 'prototype'].includes(key) && isStrict(each),
    );
  const property = fc.property(fc.dictionary(name, value, { maxKeys: 4 }), (fields) => {
    fc.pre(isStrict(fields));
    if (agree(Buffer.from(JSON.stringify(fields), 'utf8')) !== 'accepted') throw new Error('refused');
  });
  fc.assert(property, { seed, numRuns: 3_000 });
  t.pass('3000 documents');
});

import t from 'tap';
import { isJsonArray, isJsonObject, type JsonTree } from '../../src/base/json-tree.js';
import { readStrictFields, readStrictJson, readStrictObject } from '../../src/base/strict-json.js';

const utf8 = (text: string): Buffer => Buffer.from(text, 'utf8');
/** A document of that many nested arrays or objects, the outermost object among them. */
const nested = (depth: number, open: string, close: string): string =>
  `{"a":${open.repeat(depth - 1)}1${close.repeat(depth - 1)}}`;
const keys = (count: number): string =>
  `{${Array.from({ length: count }, (_, index) => `"k${String(index)}":0`).join(',')}}`;

const accepted: readonly { name: string; text: string; want: Record<string, string | null> }[] = [
  { name: 'an empty object', text: '{}', want: {} },
  {
    name: 'white space of JSON around everything',
    text: ' \t\r\n{ \n"a" \t: "b"\r , "c" : 1 } ',
    want: { a: 'b', c: null },
  },
  {
    name: 'strings, and what is none',
    text: '{"a":"b","c":null,"d":[],"e":{},"f":true,"g":-0.5e+3}',
    want: { a: 'b', c: null, d: null, e: null, f: null, g: null },
  },
  { name: 'an escaped key as what it says', text: '{"sp\\u0061ce":"beta"}', want: { space: 'beta' } },
  { name: 'an escaped value as what it says', text: '{"space":"\\u0062\\u0065t\\u0061"}', want: { space: 'beta' } },
  { name: 'every short escape', text: '{"a":"\\"\\\\\\/\\b\\f\\n\\r\\t"}', want: { a: '"\\/\b\f\n\r\t' } },
  { name: 'a pair of surrogates, escaped', text: '{"a":"\\ud83d\\uDE00"}', want: { a: '😀' } },
  { name: 'a pair of surrogates, raw', text: '{"a":"😀"}', want: { a: '😀' } },
  { name: 'U+2028 and U+007F, raw', text: '{"a":"\u2028\u007f"}', want: { a: '\u2028\u007f' } },
  { name: 'an empty key', text: '{"":"b"}', want: { '': 'b' } },
  {
    name: 'the same key in two objects',
    text: '{"a":{"x":1},"b":{"x":1},"x":"1"}',
    want: { a: null, b: null, x: '1' },
  },
  { name: 'keys that differ by case', text: '{"a":"1","A":"2"}', want: { a: '1', A: '2' } },
  { name: 'names of inner objects that only look odd', text: '{"a":{"constructor":1}}', want: { a: null } },
  { name: '32 arrays deep', text: nested(32, '[', ']'), want: { a: null } },
  { name: '32 objects deep', text: nested(32, '{"b":', '}'), want: { a: null } },
];

for (const { name, text, want } of accepted) {
  t.test(`readStrictObject() accepts ${name}`, async (t) => {
    const read = readStrictObject(utf8(text));
    const found = read.ok
      ? [...read.value].map(([key, field]) => [key, typeof field === 'string' ? field : null])
      : read.why;
    t.strictSame(found, Object.entries(want));
  });
}

const refused: readonly { name: string; bytes: string | Buffer; why: RegExp }[] = [
  { name: 'nothing', bytes: '', why: /not one JSON object/ },
  { name: 'a key twice', bytes: '{"space":"alpha","space":"beta"}', why: /twice/ },
  { name: 'a key twice with the same value', bytes: '{"a":1,"a":1}', why: /twice/ },
  { name: 'a key twice, once escaped', bytes: '{"space":"alpha","sp\\u0061ce":"beta"}', why: /twice/ },
  { name: 'a key twice in an inner object', bytes: '{"a":{"b":1,"b":2}}', why: /twice/ },
  { name: 'a key twice in an object in an array', bytes: '{"a":[[{"b":1,"c":2,"b":3}]]}', why: /twice/ },
  { name: 'a key twice behind many', bytes: `${keys(300).slice(0, -1)},"k7":1}`, why: /twice/ },
  { name: 'an empty key twice', bytes: '{"":1,"":2}', why: /twice/ },
  { name: 'a lone high surrogate', bytes: '{"a":"\\ud83d"}', why: /surrogate/ },
  { name: 'a lone low surrogate', bytes: '{"a":"\\ude00"}', why: /surrogate/ },
  { name: 'surrogates in the wrong order', bytes: '{"a":"\\ude00\\ud83d"}', why: /surrogate/ },
  { name: 'a lone surrogate in a key', bytes: '{"\\ud83d":1}', why: /surrogate/ },
  { name: 'a lone surrogate in an inner string', bytes: '{"a":[{"b":"x\\udbff"}]}', why: /surrogate/ },
  { name: '33 arrays deep', bytes: nested(33, '[', ']'), why: /deeper than 32/ },
  { name: '33 objects deep', bytes: nested(33, '{"b":', '}'), why: /deeper than 32/ },
  { name: '100,000 deep', bytes: `{"a":${'['.repeat(100_000)}`, why: /deeper than 32/ },
  { name: '10,001 keys', bytes: keys(10_001), why: /over 10000 keys/ },
  {
    name: '10,001 keys in many objects',
    bytes: `{"a":[${Array.from({ length: 10_000 }, () => '{"x":0}').join(',')}]}`,
    why: /over 10000 keys/,
  },
  { name: 'a byte order mark', bytes: '\ufeff{}', why: /not one JSON object/ },
  { name: 'two documents', bytes: '{}{}', why: /follows/ },
  { name: 'two documents in lines', bytes: '{}\n{}', why: /follows/ },
  { name: 'trailing garbage', bytes: '{"a":1}x', why: /follows/ },
  { name: 'a trailing NUL', bytes: '{"a":1}\0', why: /follows/ },
  { name: 'an array', bytes: '[{"space":"beta"}]', why: /not one JSON object/ },
  { name: 'a string', bytes: '"x"', why: /not one JSON object/ },
  { name: 'null', bytes: 'null', why: /not one JSON object/ },
  { name: 'NaN', bytes: '{"a":NaN}', why: /not JSON/ },
  { name: 'Infinity', bytes: '{"a":-Infinity}', why: /not JSON/ },
  { name: 'a leading zero', bytes: '{"a":01}', why: /does not close/ },
  { name: 'a leading plus', bytes: '{"a":+1}', why: /not JSON/ },
  { name: 'a number that ends in a point', bytes: '{"a":1.}', why: /does not close/ },
  { name: 'a number that begins with a point', bytes: '{"a":.5}', why: /not JSON/ },
  { name: 'a hexadecimal number', bytes: '{"a":0x1}', why: /does not close/ },
  { name: 'a word that is none of three', bytes: '{"a":True}', why: /not JSON/ },
  { name: 'a word with a tail', bytes: '{"a":nullx}', why: /does not close/ },
  { name: 'a missing value', bytes: '{"a":}', why: /not JSON/ },
  { name: 'a missing colon', bytes: '{"a" 1}', why: /colon/ },
  { name: 'a comma at the end of an object', bytes: '{"a":1,}', why: /key that is not a string/ },
  { name: 'a comma at the end of an array', bytes: '{"a":[1,]}', why: /not JSON/ },
  { name: 'a comma at the start', bytes: '{,"a":1}', why: /key that is not a string/ },
  { name: 'a key without quotes', bytes: '{a:1}', why: /key that is not a string/ },
  { name: 'single quotes', bytes: "{'a':1}", why: /key that is not a string/ },
  { name: 'a comment', bytes: '{/**/"a":1}', why: /key that is not a string/ },
  { name: 'a raw tab in a string', bytes: '{"a":"\t"}', why: /does not close/ },
  { name: 'a raw NUL in a key', bytes: '{"a\0":1}', why: /does not close/ },
  { name: 'an unknown escape', bytes: '{"a":"\\x41"}', why: /escape/ },
  { name: 'a short escape of four', bytes: '{"a":"\\u004"}', why: /escape/ },
  { name: 'an escape that only looks like a number', bytes: '{"a":"\\u+041"}', why: /escape/ },
  { name: 'an end within a string', bytes: '{"a":"b', why: /does not close/ },
  { name: 'an end behind a backslash', bytes: '{"a":"\\', why: /escape/ },
  { name: 'an end within an object', bytes: '{"a":1', why: /does not close/ },
  { name: 'an end within an array', bytes: '{"a":[1', why: /does not close/ },
  { name: 'white space that JSON has not', bytes: '\u00a0{}', why: /not one JSON object/ },
  { name: 'a form feed', bytes: '{\f"a":1}', why: /key that is not a string/ },
  { name: '__proto__', bytes: '{"__proto__":{"space":"beta"}}', why: /not accepted/ },
  { name: '__proto__, escaped', bytes: '{"__pr\\u006fto__":1}', why: /not accepted/ },
  { name: '__proto__ in an inner object', bytes: '{"a":{"__proto__":1}}', why: /not accepted/ },
  { name: 'constructor', bytes: '{"constructor":1}', why: /not accepted/ },
  { name: 'prototype', bytes: '{"prototype":1}', why: /not accepted/ },
  { name: 'UTF-16 without a mark', bytes: Buffer.from('{"a":1}', 'utf16le'), why: /key that is not a string/ },
  { name: 'UTF-16 with a mark', bytes: Buffer.from('\ufeff{}', 'utf16le'), why: /not UTF-8/ },
  { name: 'a byte that is no UTF-8', bytes: Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), why: /not UTF-8/ },
  { name: 'an overlong quote', bytes: Buffer.from([0x7b, 0xc0, 0xa2, 0x7d]), why: /not UTF-8/ },
  {
    name: 'a surrogate in UTF-8',
    bytes: Buffer.from([0x7b, 0x22, 0xed, 0xa0, 0x80, 0x22, 0x3a, 0x31, 0x7d]),
    why: /not UTF-8/,
  },
];

for (const { name, bytes, why } of refused) {
  t.test(`readStrictObject() refuses ${name}`, async (t) => {
    const read = readStrictObject(typeof bytes === 'string' ? utf8(bytes) : bytes);
    t.match(read, { ok: false, why });
  });
}

t.test('readStrictObject() accepts 10,000 keys, counted over all objects', async (t) => {
  t.equal(readStrictObject(utf8(keys(10_000))).ok, true);
  const inner = Array.from({ length: 9_999 }, () => '{"x":0}').join(',');
  t.equal(readStrictObject(utf8(`{"a":[${inner}]}`)).ok, true);
});

t.test('readStrictObject() takes time in proportion to the text', async (t) => {
  // Each of these once cost some parser the square of its length.
  const million = 1_000_000;
  const long: Record<string, string> = {
    'a string of escapes': `{"a":"${'\\\\'.repeat(million / 2)}"}`,
    'a string of surrogate pairs': `{"a":"${'\\ud83d\\ude00'.repeat(million / 12)}"}`,
    'white space': `{"a":1${' '.repeat(million)}`,
    digits: `{"a":${'1'.repeat(million)}}`,
    'quotes that do not close': `{"a":"${'x'.repeat(million)}`,
    'a wide array': `{"a":[${'0,'.repeat(million / 2)}0]}`,
  };
  for (const [name, text] of Object.entries(long)) {
    const bytes = utf8(text);
    const startedMs = performance.now();
    readStrictObject(bytes);
    const tookMs = performance.now() - startedMs;
    t.ok(tookMs < 2_000, `${name}: ${tookMs.toFixed(0)} ms for a megabyte`);
  }
});

/** The tree as JSON.parse gives it, with numbers as their text. */
const plain = (tree: JsonTree): unknown => {
  if (isJsonObject(tree)) return Object.fromEntries([...tree].map(([key, inner]) => [key, plain(inner)]));
  return isJsonArray(tree) ? tree.map(plain) : tree;
};

t.test('readStrictJson() keeps every value where it stands, and the text of numbers', async (t) => {
  const read = readStrictJson(
    utf8('[{"a":[1.50,-0,1e400,"1"],"b":{"c":null,"d":[true,false,[]]}},12345678901234567890]'),
  );
  t.strictSame(read.ok && plain(read.value), [
    {
      a: [{ number: '1.50' }, { number: '-0' }, { number: '1e400' }, '1'],
      b: { c: null, d: [true, false, []] },
    },
    { number: '12345678901234567890' },
  ]);
});

t.test('readStrictJson() takes a value of any kind, and one only', async (t) => {
  for (const text of ['"a"', ' 1 ', 'null', '[]', '[[1]]']) t.ok(readStrictJson(utf8(text)).ok, text);
  for (const text of ['', ' ', '1 2', '[1', '[] []', '01', 'nul']) t.notOk(readStrictJson(utf8(text)).ok, text);
  t.ok(readStrictJson(utf8('['.repeat(32) + ']'.repeat(32))).ok, '32 deep');
  t.notOk(readStrictJson(utf8('['.repeat(33) + ']'.repeat(33))).ok, '33 deep');
});

t.test('readStrictFields() checks arrays as strictly, and does not keep them', async (t) => {
  const read = readStrictFields(utf8('{"a":[1,{"b":2}],"c":{"d":"e"}}'));
  t.strictSame(read.ok && plain(read.value), { a: [], c: { d: 'e' } });
  t.notOk(readStrictFields(utf8('{"a":[1,{"b":2,"b":3}]}')).ok);
});

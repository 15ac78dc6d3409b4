import fc from 'fast-check';
import t from 'tap';
import { fieldTree, readStrings } from '../../src/base/protobuf.js';

const varint = (value: number): number[] =>
  value < 0x80 ? [value] : [(value % 0x80) | 0x80, ...varint(Math.floor(value / 0x80))];
const tag = (field: number, wire: number): number[] => varint(field * 8 + wire);
const text = (field: number, content: string | readonly number[]): number[] => {
  const bytes = [...Buffer.from(content as string)];
  return [...tag(field, 2), ...varint(bytes.length), ...bytes];
};
const tree = fieldTree(['1', '2.1'], ['3']);
const read = (bytes: readonly number[]): ReturnType<typeof readStrings> => readStrings(Buffer.from(bytes), tree);

t.test('readStrings() finds what is looked for among all else', async () => {
  const other = fc.oneof(
    fc
      .tuple(fc.integer({ min: 4, max: 2 ** 29 - 1 }), fc.integer({ min: 0, max: 2 ** 40 }))
      .map(([f, v]) => [...tag(f, 0), ...varint(v)]),
    fc.tuple(fc.integer({ min: 4, max: 2_000 }), fc.uint8Array({ maxLength: 300 })).map(([f, b]) => text(f, [...b])),
    fc.integer({ min: 4, max: 2_000 }).map((f) => [...tag(f, 1), 1, 2, 3, 4, 5, 6, 7, 8]),
    fc.integer({ min: 4, max: 2_000 }).map((f) => [...tag(f, 5), 1, 2, 3, 4]),
  );
  fc.assert(
    fc.property(fc.string(), fc.array(other), fc.array(other), (space, before, behind) => {
      const bytes = [...before.flat(), ...text(1, space), ...behind.flat()];
      const found = read(bytes);
      return found.ok && found.value.get('1') === Buffer.from(space).toString() && found.value.size === 1;
    }),
  );
});

t.test('readStrings() never throws, and what it takes has one reading', async () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => typeof read([...bytes]).ok === 'boolean'));
});

t.test('readStrings() looks into messages, and tells that they are there', async (t) => {
  const inner = text(1, 'beta');
  const found = read([...text(1, 'alpha'), ...text(2, inner), ...text(3, [])]);
  t.strictSame(found.ok && Object.fromEntries(found.value), { 1: 'alpha', 2: '', '2.1': 'beta', 3: '' });
  t.strictSame(read([]), { ok: true, value: new Map() });
});

const wrong: Readonly<Record<string, readonly number[]>> = {
  'a string twice': [...text(1, 'a'), ...text(1, 'a')],
  'a message twice, which would be merged': [...text(2, text(1, 'a')), ...text(2, [])],
  'a wanted field of another wire type': [...tag(1, 0), 1],
  'field 0': [...tag(0, 2), 0],
  'a group': [...tag(7, 3), ...tag(7, 4)],
  'wire type 6': [...tag(7, 6), 0],
  'wire type 7': [...tag(7, 7), 0],
  'a tag in more bytes than it needs': [0x8a, 0, 0],
  'a length in more bytes than it needs': [...tag(1, 2), 0x81, 0, 65],
  'a number in more bytes than it needs': [...tag(7, 0), 0x81, 0],
  'a number of eleven bytes': [...tag(7, 0), ...Array.from({ length: 10 }, () => 0xff), 1],
  'a number over 64 bits': [...tag(7, 0), ...Array.from({ length: 9 }, () => 0xff), 2],
  'a tag over 32 bits': [0xff, 0xff, 0xff, 0xff, 0x1f, 0],
  'a tag that is cut off': [0x8a],
  'a length beyond the end': [...tag(7, 2), 4, 1],
  'four bytes that are three': [...tag(7, 5), 1, 2, 3],
  'a message that ends within a field': [...tag(2, 2), 2, ...tag(1, 2), 1, 65],
  'a string that is not UTF-8': text(1, [0xc0, 0x80]),
};
for (const [name, bytes] of Object.entries(wrong))
  t.test(`readStrings() refuses ${name}`, async (t) => t.equal(read(bytes).ok, false));

t.test('fieldTree() refuses a field that is a string and a message', async (t) => {
  t.throws(() => fieldTree(['1', '1.2']));
  t.throws(() => fieldTree(['1.2', '1']));
  t.throws(() => fieldTree(['3'], ['3']));
});

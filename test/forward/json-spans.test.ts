import fc from 'fast-check';
import t from 'tap';
import { judge, spansOf } from '../../src/forward/json-answer.js';
import { JsonSpans } from '../../src/forward/json-spans.js';

const seed = Number(process.env['MEMGATE_TEST_SEED'] ?? 20_261_121);
t.comment(`fast-check seed ${String(seed)}`);

type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

const isObject = (value: Json | undefined): value is { [key: string]: Json } =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** What a reader of trees finds behind these keys. */
function inTree(value: Json, keys: readonly string[]): Json | undefined {
  let at: Json | undefined = value;
  for (const key of keys) at = isObject(at) && Object.hasOwn(at, key) ? at[key] : undefined;
  return at;
}

/** JSON text with blanks where they may stand, and escapes where nobody needs them. */
function spelled(value: Json, blank: string): string {
  const text = (words: string): string =>
    JSON.stringify(words).replaceAll(/[a-z]/g, (letter) =>
      letter === 'u' || letter === 'n' || letter === 't' || letter === 'r' || letter === 'f' || letter === 'b'
        ? letter
        : `\\u00${letter.charCodeAt(0).toString(16)}`,
    );
  if (typeof value === 'string') return /\\/.test(JSON.stringify(value)) ? JSON.stringify(value) : text(value);
  if (Array.isArray(value))
    return `[${blank}${value.map((item) => spelled(item, blank)).join(`${blank},${blank}`)}${blank}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const members = Object.entries(value).map(
    ([key, one]) => `${JSON.stringify(key)}${blank}:${blank}${spelled(one, blank)}`,
  );
  return `{${blank}${members.join(`${blank},${blank}`)}${blank}}`;
}

const json = fc.jsonValue({ maxDepth: 6 }) as fc.Arbitrary<Json>;
const blanks = fc.constantFrom('', ' ', '\n\t', '\r\n  ');

t.test('JsonSpans finds what a reader of trees finds', async (t) => {
  const property = fc.property(json, blanks, fc.infiniteStream(fc.nat()), (value, blank, choices) => {
    const spans = new JsonSpans(`${blank}${spelled(value, blank)}${blank}`);
    const keys: string[] = [];
    let at: Json | undefined = value;
    while (isObject(at) && Object.keys(at).length > 0 && keys.length < 6) {
      const names: string[] = Object.keys(at);
      const key: string = names[(choices.next().value ?? 0) % names.length] ?? '';
      keys.push(key);
      at = at[key];
    }
    const found = spans.at(spans.root, keys);
    if (found === null) return false;
    const items = spans.items(found);
    const sliced = JSON.parse(spans.slice(found)) as Json;
    return (
      JSON.stringify(sliced) === JSON.stringify(at) &&
      spans.at(spans.root, [...keys, 'no such key', 'x']) === null &&
      (Array.isArray(at)
        ? JSON.stringify(items?.map((item) => JSON.parse(spans.slice(item)) as Json)) === JSON.stringify(at)
        : items === null) &&
      spans.string(found) === (typeof at === 'string' ? at : null)
    );
  });
  t.doesNotThrow(() => fc.assert(property, { seed, numRuns: 3_000 }));
});

t.test('a filter leaves what a filter of trees leaves, byte for byte', async (t) => {
  const item = fc.oneof(
    json,
    fc.record({ user: fc.constantFrom('alpha', 'beta', null, 7), rest: json }) as fc.Arbitrary<Json>,
  );
  const property = fc.property(fc.array(item, { maxLength: 8 }), json, blanks, (items, beside, blank) => {
    const text = spelled({ data: { list: items, next: beside }, total: items.length, next: 'page' }, blank);
    const rule = { kind: 'filter', items: ['data', 'list'], field: ['user'], keep: ['next'] } as const;
    const judged = judge(spansOf(Buffer.from(text)), rule, (space) => space === 'alpha');
    const left = items.filter((one) => inTree(one, ['user']) === 'alpha');
    const wanted = { data: { list: left, next: beside }, next: 'page' };
    return (
      JSON.stringify(JSON.parse(judged.text ?? 'null')) === JSON.stringify(wanted) &&
      judged.removed === items.length - left.length
    );
  });
  t.doesNotThrow(() => fc.assert(property, { seed, numRuns: 2_000 }));
});

const unreadable = ['', '{', '{"a":1,}', '[1,]', 'NaN', '{"a":1} {', "{'a':1}", '\ufeff{}'];
t.test('what is not one document is unreadable', async (t) => {
  for (const text of unreadable) t.throws(() => new JsonSpans(text), { name: 'Unreadable' }, JSON.stringify(text));
  t.throws(() => spansOf(Buffer.from([0x22, 0xff, 0x22])), { name: 'Unreadable' }, 'not UTF-8');
});

t.test('a key that stands twice', async (t) => {
  const twice = new JsonSpans('{"a":{"user":"alpha","us\\u0065r":"beta"},"b":{"x":1,"x":2,"user":"alpha"}}');
  t.throws(() => twice.at(twice.root, ['a', 'user']), { name: 'Unreadable' }, 'on the way, in any spelling');
  const found = twice.at(twice.root, ['b', 'user']);
  t.equal(found === null ? null : twice.string(found), 'alpha', "beside the way it is nobody's business");
});

t.test('a deep document', async (t) => {
  const deep = `${'['.repeat(50_000)}${']'.repeat(50_000)}`;
  const spans = new JsonSpans(`{"deep":${deep},"user":"alpha"}`);
  const found = spans.at(spans.root, ['user']);
  t.equal(found === null ? null : spans.string(found), 'alpha');
});

import t from 'tap';
import { isPlainJson, jsonString } from '../../src/base/encoding.js';
import { kept } from '../../src/base/kept.js';

t.test('kept() makes once for each object, null and undefined included', async (t) => {
  let made = 0;
  const count = kept((key: { readonly name: string | null }) => ((made += 1), key.name));
  const one = { name: 'a' };
  const none = { name: null };
  t.strictSame([count(one), count(one), count({ name: 'a' }), count(none), count(none)], ['a', 'a', 'a', null, null]);
  t.equal(made, 3, 'equal objects are not one object');
});

t.test('jsonString() is JSON.stringify, whatever the text', async (t) => {
  const characters = Array.from({ length: 0x3000 }, (_, code) => String.fromCharCode(code));
  for (const text of ['', 'plain', 'a"b', 'a\\b', 'tab\t', 'é', '\u2028', '\ud800', '\udc00x', '😀', ...characters]) {
    if (jsonString(text) !== JSON.stringify(text)) t.fail(JSON.stringify(text));
    if (isPlainJson(text) && JSON.stringify(text) !== `"${text}"`) t.fail(`not plain: ${JSON.stringify(text)}`);
  }
});

import { execFileSync } from 'node:child_process';
import t from 'tap';
import { join } from 'node:path';
import fc from 'fast-check';
import { readSecret, type SecretReading } from '../../src/base/secret-source.js';

const good = 'q7Zk2mVw9Xr4Tb8Ln3Ps6Hd1';

const reading = (env: Record<string, string>, directory = '/nowhere'): SecretReading => ({
  env: (name) => env[name],
  resolvePath: (relative) => join(directory, relative),
});

t.test('readSecret() takes a secret from the environment', async (t) => {
  const read = await readSecret({ from_env: 'TOKEN' }, reading({ TOKEN: good }));
  t.ok(read.ok && read.value.equals(good));
});

t.test('readSecret() takes a secret from a file and cuts one trailing newline', async (t) => {
  const directory = t.testdir({ unix: `${good}\n`, dos: `${good}\r\n`, bare: good, two: `${good}\n\n` });
  for (const name of ['unix', 'dos', 'bare']) {
    const read = await readSecret({ from_file: name }, reading({}, directory));
    t.ok(read.ok && read.value.equals(good), name);
  }
  const two = await readSecret({ from_file: 'two' }, reading({}, directory));
  t.match(two, { ok: false, why: /file "two" must hold printable ASCII/ });
});

const refused = [
  { name: 'a variable that is not set', value: undefined, why: /environment variable "TOKEN" is not set/ },
  { name: 'an empty one', value: '', why: /is empty/ },
  { name: 'a newline alone', value: '\n', why: /is empty/ },
  { name: 'a short one', value: 'q7Zk2mVw9Xr4Tb8', why: /holds 15 characters; at least 16/ },
  { name: 'a space inside', value: 'q7Zk2mVw 9Xr4Tb8Ln3', why: /printable ASCII/ },
  { name: 'a long one', value: good.repeat(400), why: /is over 8192/ },
  ...[
    'changemechangeme',
    'change-me-change-me-please',
    'CHANGE_ME_IN_PRODUCTION',
    'replace-this-with-a-token',
    'your-secret-token-here',
    'this-is-an-example-token',
    'passwordpassword',
    'password12345678',
    'secretsecretsecret',
    'super-secret-token',
    'my-very-long-secret-key',
    'memgate-admin-token',
    'aaaaaaaaaaaaaaaaaaaa',
    'abcabcabcabcabcabcabc',
    'abcdefghabcdefgh',
    '0123456789012345',
    'abcdefghijklmnopqrst',
    'qwertyuiopasdfgh',
    'admin-test-token-1234',
    '<your-token-here>',
    'xxxxxxxxxxxxxxxx-xxxx',
    'correct-horse-battery-staple',
    'default-insecure-key',
  ].map((value) => ({ name: `the placeholder ${value}`, value, why: /holds a placeholder/ })),
];
for (const { name, value, why } of refused) {
  t.test(`readSecret() refuses ${name}, without showing it`, async (t) => {
    const read = await readSecret({ from_env: 'TOKEN' }, reading(value === undefined ? {} : { TOKEN: value }));
    t.match(read, { ok: false, why });
    if (value !== undefined && value.trim() !== '') t.notMatch(JSON.stringify(read), value.slice(0, 40));
  });
}

const accepted = [
  good,
  '9f86d081884c7d65',
  'engram_key_a1b2c3d4e5f6g7h8_Jk29xLq',
  'sk-test-51Hx92LkQpZr8',
  '3f0c1d52-7d1e-4b7c-9a51-0e6f0d9c2b11',
  'ZGVtbzpwQHNzdzByZA8xYw==',
  'memgate_test_7f3kq9x2v5',
];
for (const value of accepted) {
  t.test(`readSecret() accepts ${value}`, async (t) => {
    t.match(await readSecret({ from_env: 'TOKEN' }, reading({ TOKEN: value })), { ok: true });
  });
}

t.test('readSecret() names what is wrong with a file', async (t) => {
  const directory = t.testdir({ folder: {}, empty: '' });
  t.match(await readSecret({ from_file: 'absent' }, reading({}, directory)), {
    why: /file "absent" cannot be read: ENOENT/,
  });
  execFileSync('mkfifo', [join(directory, 'pipe')]); // nobody writes to it: waiting for that would hang the reload
  for (const name of ['folder', 'pipe']) {
    const { ok, why } = { why: '', ...(await readSecret({ from_file: name }, reading({}, directory))) };
    t.notOk(ok, name);
    t.equal(why, `file "${name}" is not a regular file`);
  }
  t.match(await readSecret({ from_file: 'empty' }, reading({}, directory)), { why: /file "empty" is empty/ });
});

t.test('readSecret() wants exactly one source', async (t) => {
  t.match(await readSecret({}, reading({})), { why: /exactly one of/ });
  t.match(await readSecret({ from_env: 'A', from_file: 'b' }, reading({})), { why: /exactly one of/ });
});

t.test('readSecret() accepts what a generator of secrets makes', async () => {
  const bytes = fc.uint8Array({ minLength: 16, maxLength: 48 }).map((array) => Buffer.from(array));
  const form = fc.constantFrom('hex' as const, 'base64' as const, 'base64url' as const);
  // Bytes that are all alike or nearly so are what no generator gives.
  const random = bytes.filter((array) => new Set(array).size > array.length * 0.7);
  await fc.assert(
    fc.asyncProperty(random, form, async (array, encoding) => {
      return (await readSecret({ from_env: 'TOKEN' }, reading({ TOKEN: array.toString(encoding) }))).ok;
    }),
    { numRuns: 500 },
  );
});

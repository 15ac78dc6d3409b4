import t from 'tap';
import { readFileSync, symlinkSync, writeFileSync, mkdirSync, renameSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { opaVersion, readSourceDirectory, sourceRevision } from '../../src/rego/rego.js';

const capabilities = readFileSync('policies/capabilities.json', 'utf8');

const names = async (directory: string): Promise<readonly string[] | string> => {
  const read = await readSourceDirectory(directory);
  return read.ok ? [...read.value.keys()] : read.why.map(({ file, message }) => `${file}: ${message}`).join();
};

t.test('reads what belongs to a policy and nothing else', async (t) => {
  const directory = t.testdir({
    '.manifest': '{}',
    '.signatures.json': '{}',
    '.git': { 'hidden.rego': 'package hidden' },
    '.hidden.rego': 'package hidden',
    'README.md': 'text',
    'policy.wasm': 'bytes',
    a: {
      'a.rego': 'package a',
      'a_test.rego': 'package a_test',
      'data.yaml': 'x: 1',
      '.manifest': '{}',
      'other.json': '{}',
    },
    'data.json': '{}',
  });
  t.strictSame(await names(directory), [
    '.manifest',
    '.signatures.json',
    'a/a.rego',
    'a/a_test.rego',
    'a/data.yaml',
    'data.json',
  ]);
});

t.test('reads a volume of Kubernetes as the one state that it names', async (t) => {
  const volume = t.testdir({
    '..2026_1': { 'authz.rego': 'package one' },
    '..2026_2': { 'authz.rego': 'package two', 'more.rego': 'package more' },
  });
  symlinkSync('..2026_1', join(volume, '..data'));
  symlinkSync('..data/authz.rego', join(volume, 'authz.rego'));
  t.strictSame(await names(volume), ['authz.rego']);
  symlinkSync('..2026_2', join(volume, '..data_tmp'));
  renameSync(join(volume, '..data_tmp'), join(volume, '..data'));
  t.strictSame(await names(volume), ['authz.rego', 'more.rego']);
});

t.test('refuses what leads elsewhere, is too much, or is not there', async (t) => {
  const directory = t.testdir({ link: {}, empty: {}, big: {}, many: {}, volume: {} });
  symlinkSync('/etc/hostname', join(directory, 'link', 'a.rego'));
  t.match(await names(join(directory, 'link')), /link\/a\.rego: is a link; wanted a file/);
  t.match(await names(join(directory, 'empty')), /holds no policy/);
  t.match(await names(join(directory, 'absent')), /does not exist/);
  writeFileSync(join(directory, 'big', 'data.json'), Buffer.alloc(9 * 1_048_576));
  t.match(await names(join(directory, 'big')), /holds more than 8388608 bytes/);
  for (let index = 0; index <= 1_000; index += 1) writeFileSync(join(directory, 'many', `${String(index)}.rego`), '');
  t.match(await names(join(directory, 'many')), /holds more than 1000 files/);
  symlinkSync('/etc', join(directory, 'volume', '..data'));
  t.match(await names(join(directory, 'volume')), /\.\.data: leads out of its directory/);
  mkdirSync(join(directory, 'plain'));
});

t.test('the revision is that of the committed bundle, and changes with policy and capabilities alone', async (t) => {
  const read = await readSourceDirectory(resolve('policies/bundle'));
  if (!read.ok) return t.fail('the shipped policy cannot be read');
  const of = (change: Record<string, string>, own = capabilities): string =>
    sourceRevision({
      files: new Map([
        ...read.value,
        ...Object.entries(change).map(([path, text]) => [path, Buffer.from(text)] as const),
      ]),
      capabilities: own,
    });
  const revision = of({});
  t.equal(of({ 'x_test.rego': 'package x_test' }), revision, 'tests are not in a bundle');
  t.equal(of({ '.signatures.json': '{}' }), revision, 'nor is their signature');
  t.not(of({ 'x.rego': 'package x' }), revision);
  t.not(of({}, '{}'), revision);
});

t.test('every place that names the version of the compiler names the same', (t) => {
  for (const file of ['tools/go.mod', 'tools/rego-wasm/go.mod'])
    t.equal(/open-policy-agent\/opa v(\S+)/.exec(readFileSync(file, 'utf8'))?.[1], opaVersion, file);
  t.match(
    readFileSync('scripts/policies.mjs', 'utf8'),
    new RegExp(`opaVersion = '${opaVersion.replaceAll('.', '[.]')}'|opaVersion.*from`),
  );
  t.end();
});

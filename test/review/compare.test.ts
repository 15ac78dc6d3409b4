import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import { comparePolicies, readNamedCases } from '../../src/review/review.js';
import { loaded, shipped } from '../authorize/fixtures/stage.js';

const before = await loaded(shipped);
const cases = await readNamedCases(fileURLToPath(new URL('../../policies/cases', import.meta.url)));
if (!cases.ok) throw new Error('the cases cannot be read');

t.test('a policy is no different from itself', async (t) => {
  t.match(comparePolicies(before, before, cases.value), { data: [], cases: [], matrix: [] });
});

t.test('one right more shows in the data, in the cases and in the cells of its role, and nowhere else', async (t) => {
  const dir = join(t.testdir(), 'data');
  mkdirSync(dir);
  const roles = {
    ...before.data.roles,
    reader: { permissions: { MemoryRead: true, MemoryWrite: true } },
    guest: { permissions: {} },
  };
  writeFileSync(join(dir, 'roles.yaml'), JSON.stringify(roles));
  const difference = comparePolicies(before, await loaded(shipped, {}, dir), cases.value);
  t.strictSame(difference.data, ['roles']);
  t.match(difference.cases, [
    {
      name: /roles\.yaml: reader and MemoryWrite$/,
      kind: 'would_allow',
      before: ['deny', 'permission.missing'],
      after: ['allow'],
    },
  ]);
  t.equal(difference.cases.length, 1);
  t.ok(difference.matrix.every(({ name }) => name.startsWith('reader, MemoryWrite, ')));
  t.match(
    difference.matrix.filter(({ kind }) => kind === 'would_allow').map(({ name }) => name),
    ['reader, MemoryWrite, its own space', 'reader, MemoryWrite, all spaces with *'],
  );
  t.equal(difference.matrix.length, 6, 'the others are denied for one reason less');
});

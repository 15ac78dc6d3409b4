import { mkdirSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { replaceFile } from '../../src/base/replace-file.js';

t.test('replaceFile() makes a file, replaces one, and leaves nothing beside it', async (t) => {
  const directory = t.testdir({ old: 'old' });
  await replaceFile(join(directory, 'old'), Buffer.from('new'));
  await replaceFile(join(directory, 'fresh'), Buffer.from('fresh'), 0o600);
  t.equal(readFileSync(join(directory, 'old'), 'utf8'), 'new');
  t.equal(statSync(join(directory, 'fresh')).mode & 0o777, 0o600);
  t.strictSame(readdirSync(directory).sort(), ['fresh', 'old']);
});

t.test('replaceFile() leaves all as it was when it cannot', async (t) => {
  const directory = t.testdir();
  mkdirSync(join(directory, 'taken', 'inner'), { recursive: true });
  await t.rejects(replaceFile(join(directory, 'taken'), Buffer.from('x')));
  await t.rejects(replaceFile(join(directory, 'nosuch', 'file'), Buffer.from('x')));
  t.strictSame(readdirSync(directory), ['taken']);
});

import { spawn, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, rmdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import t from 'tap';
import ts from 'typescript';
import { lockDataDir, openStore, type Store } from '../../src/store/store.js';
import { plainEntry } from '../identify/fixtures/support.js';

const opened = (dataDir: string): Store => {
  const store = openStore({ dataDir });
  if (!store.ok) throw new Error(store.why);
  return store.value;
};
const root = fileURLToPath(new URL('../..', import.meta.url));

/** Strips the types of the files that the child needs, once: a loader in each child would take longer than the test. */
function compiled(target: string): string {
  for (const folder of [
    'src/base',
    'src/model',
    'src/identify',
    'src/store',
    'test/store/fixtures',
    'test/identify/fixtures',
  ]) {
    for (const name of readdirSync(join(root, folder)).filter((each) => each.endsWith('.ts'))) {
      const options = { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext, verbatimModuleSyntax: true };
      const { outputText } = ts.transpileModule(readFileSync(join(root, folder, name), 'utf8'), {
        compilerOptions: options,
      });
      const file = join(target, folder, name.replace(/ts$/, 'js'));
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, outputText);
    }
  }
  return join(target, 'test/store/fixtures/cycles.js');
}

/** Starts a child, kills it with SIGKILL as soon as it has told so many changes, and gives what it told. */
function killed([child, dataDir, turn]: readonly [string, string, number], after: number): Promise<readonly string[]> {
  return new Promise((resolve, reject) => {
    const run = spawn(process.execPath, [child, dataDir, String(turn)], { stdio: ['ignore', 'pipe', 'pipe'], env: {} });
    let out = '';
    let err = '';
    run.stderr.on('data', (part: Buffer) => (err += part.toString()));
    run.stdout.on('data', (part: Buffer) => {
      out += part.toString();
      if (out.split('\n').length > after) run.kill('SIGKILL');
    });
    run.on('close', (_code, signal) => {
      if (signal === 'SIGKILL') resolve(out.split('\n').slice(0, -1));
      else reject(new Error(err));
    });
  });
}

t.test('ST-05 what was acknowledged before SIGKILL is there after it', async (t) => {
  const dir = join(t.testdir(), 'data');
  const child = compiled(join(dir, '../compiled'));
  const told: string[] = [];
  for (let turn = 0; turn < 10; turn += 1) {
    told.push(...(await killed([child, dir, turn], 3 + ((turn * 7) % 13))));
    const lock = lockDataDir(dir);
    t.ok(lock.ok, 'the lock died with the process');
    const store = opened(dir);
    for (const line of told) {
      const [what, id = ''] = line.split(' ');
      const entry = store.findKey(id);
      if (entry === undefined || (what === 'revoked' && entry.revoked === null))
        t.fail(`${line} was lost in turn ${String(turn)}`);
    }
    store.close();
    if (lock.ok) lock.value.release();
  }
  t.ok(told.length >= 60, `${String(told.length)} changes were acknowledged`);
});

t.test('ST-01 a full disk refuses new keys and loses none', async (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'memgate-test-'));
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=256k,mode=0700', 'tmpfs', dir]);
  if (mounted.status !== 0) {
    rmdirSync(dir);
    t.pass('a full disk', { skip: 'a tmpfs could not be mounted, which needs root' });
    return;
  }
  t.teardown(() => {
    spawnSync('umount', [dir]);
    rmdirSync(dir);
  });
  const filler = join(dir, 'filler');
  writeFileSync(filler, Buffer.alloc(20_000));
  const store = opened(dir);
  const kept: string[] = [];
  for (let i = 0; i < 2_000; i += 1) {
    const id = String(i).padStart(16, 'k');
    try {
      store.insertKey(plainEntry(id));
      kept.push(id);
    } catch (thrown) {
      t.match(thrown, { code: 'store.unavailable' });
      break;
    }
  }
  t.ok(kept.length > 10 && kept.length < 2_000, `${String(kept.length)} keys fitted`);
  t.strictSame(
    store
      .keys()
      .entries.map(({ id }) => id)
      .sort(),
    [...kept].sort(),
    'no half key, and none is gone',
  );
  rmSync(filler);
  store.insertKey(plainEntry('afterwards000000'));
  store.revokeKey(kept[0] ?? '', { atMs: 1, reason: 'works again' });
  store.close();
  const again = opened(dir);
  t.equal(again.keys().entries.length, kept.length + 1);
  t.equal(again.findKey(kept[0] ?? '')?.revoked?.reason, 'works again');
  again.close();
});

import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  openSync,
  writeSync,
  closeSync,
} from 'node:fs';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import { lockDataDir, openStore, type Store } from '../../src/store/store.js';
import { migrate, steps } from '../../src/store/migrate.js';
import { FakeClock, plainEntry } from '../identify/fixtures/support.js';

const opened = (dataDir: string, clock = new FakeClock()): Store => {
  const store = openStore({ dataDir, clock });
  if (!store.ok) throw new Error(store.why);
  return store.value;
};
const id = (letter: string): string => letter.repeat(16);
const mode = (file: string): string => (statSync(file).mode & 0o777).toString(8);

t.test('what was told is there after opening again', async (t) => {
  const dir = join(t.testdir(), 'data');
  const store = opened(dir);
  t.strictSame(store.warnings, []);
  t.equal(mode(dir), '700');
  for (const file of readdirSync(dir)) t.equal(mode(join(dir, file)), '600', file);
  const entry = plainEntry(id('a'), {
    spaces: ['alpha', 'beta'],
    roles: ['writer'],
    expiresAtMs: 5_000,
    notBeforeMs: 4_000,
  });
  store.insertKey(entry);
  store.insertKey(plainEntry(id('c'), { owner: null, tier: null }));
  t.throws(
    () => {
      store.insertKey(entry);
    },
    { code: 'store.unavailable' },
    'one id, one key',
  );
  store.rotateKey(plainEntry(id('b')), id('a'), { replacedBy: id('b'), graceUntilMs: 9_000 });
  t.throws(
    () => {
      store.rotateKey(plainEntry(id('d')), id('z'), { replacedBy: id('d'), graceUntilMs: 1 });
    },
    { code: 'store.unavailable' },
  );
  t.equal(store.findKey(id('d')), undefined, 'both or none');
  store.revokeKey(id('c'), { atMs: 7, reason: 'stolen' });
  store.revokeKey(id('m'), { atMs: 8, reason: 'a key of a manifest' });
  store.revokeKey(id('m'), { atMs: 9, reason: 'again' });
  store.addSpace('beta');
  store.addSpace('alpha');
  store.addSpace('beta');
  store.close();

  const again = opened(dir);
  t.teardown(() => {
    again.close();
  });
  t.strictSame(again.findKey(id('a')), { ...entry, rotation: { replacedBy: id('b'), graceUntilMs: 9_000 } });
  t.strictSame(
    again.keys().entries.map((key) => [key.id, key.revoked?.reason]),
    [
      [id('a'), undefined],
      [id('b'), undefined],
      [id('c'), 'stolen'],
    ],
  );
  t.strictSame([...again.manifestRevocations()], [[id('m'), { atMs: 8, reason: 'a key of a manifest' }]]);
  t.strictSame(again.spaces(), ['alpha', 'beta']);
  t.ok(again.isHealthy());
});

t.test('uses are counted in sum and per day, in batches', async (t) => {
  const clock = new FakeClock();
  const dir = t.testdir();
  const store = opened(dir, clock);
  for (let i = 0; i < 5; i += 1) store.noteUse(id('a'), i >= 3);
  t.strictSame(store.uses(id('a')), { total: 5, deprecated: 2, lastUsedAtMs: clock.ms });
  clock.ms += 86_400_000;
  store.noteUse(id('a'), true);
  store.close();
  const again = opened(dir, clock);
  t.teardown(() => {
    again.close();
  });
  t.strictSame(again.uses(id('a')), { total: 6, deprecated: 3, lastUsedAtMs: clock.ms });
  t.strictSame(again.usesByDay(id('a')), [
    { day: '2027-01-02', uses: 1, deprecated: 1 },
    { day: '2027-01-01', uses: 5, deprecated: 2 },
  ]);
  t.equal(again.uses(id('b')), null);
});

t.test('ST-02 another process that holds the database makes changes fail soon, and nothing else', async (t) => {
  const dir = t.testdir();
  const store = opened(dir);
  t.teardown(() => {
    store.close();
  });
  store.insertKey(plainEntry(id('a')));
  const other = new Database(join(dir, 'memgate.db'));
  other.exec('BEGIN IMMEDIATE');
  const before = performance.now();
  t.throws(
    () => {
      store.insertKey(plainEntry(id('b')));
    },
    { code: 'store.unavailable' },
  );
  t.ok(performance.now() - before < 1_000);
  t.ok(store.findKey(id('a')), 'reads go on');
  other.close();
  store.insertKey(plainEntry(id('b')));
});

const damages: readonly [name: string, damage: (file: string) => void, want: RegExp][] = [
  [
    'zeros',
    (file) => {
      writeFileSync(file, Buffer.alloc(statSync(file).size));
    },
    /not a database|cannot be read/,
  ],
  [
    'random page',
    (file) => {
      const at = openSync(file, 'r+');
      writeSync(at, randomBytes(4_096), 0, 4_096, 4_096);
      closeSync(at);
    },
    /damaged|malformed/,
  ],
  [
    'truncated',
    (file) => {
      truncateSync(file, Math.floor(statSync(file).size / 8_192) * 4_096);
    },
    /damaged|malformed|disk image/,
  ],
  [
    'empty',
    (file) => {
      truncateSync(file, 0);
    },
    /is empty; restore a backup/,
  ],
  [
    'not SQLite',
    (file) => {
      writeFileSync(file, 'not a database at all\n'.repeat(1_000));
    },
    /not a database/,
  ],
  [
    'of another program',
    (file) => {
      rmSync(file);
      new Database(file).exec('CREATE TABLE keys (id)').close();
    },
    /is not a key store of memgate/,
  ],
  [
    'a directory',
    (file) => {
      rmSync(file);
      mkdirSync(file);
    },
    /not a regular file/,
  ],
  [
    'gone, its log left',
    (file) => {
      rmSync(file);
      writeFileSync(`${file}-wal`, 'x');
    },
    /is missing but .*-wal is there/,
  ],
];
for (const [name, damage, want] of damages) {
  t.test(`ST-04 a database that is ${name} is refused, never an empty key set`, async (t) => {
    const dir = t.testdir();
    const store = opened(dir);
    for (let i = 0; i < 100; i += 1) store.insertKey(plainEntry(String(i).padStart(16, 'k')));
    store.close();
    damage(join(dir, 'memgate.db'));
    const again = openStore({ dataDir: dir });
    if (again.ok) again.value.close();
    t.match(again, { ok: false, why: want });
  });
}

t.test('ST-04 a log that is deleted or garbage after a crash takes no acknowledged change with it', async (t) => {
  const dir = t.testdir({ live: {}, deleted: {}, garbage: {} });
  const store = opened(join(dir, 'live'));
  t.teardown(() => {
    store.close();
  });
  store.insertKey(plainEntry(id('a')));
  store.insertKey(plainEntry(id('b')));
  store.revokeKey(id('a'), { atMs: 1, reason: 'stolen' });
  for (const name of ['deleted', 'garbage']) copyFileSync(join(dir, 'live/memgate.db'), join(dir, name, 'memgate.db')); // as it is in the middle of the work
  writeFileSync(join(dir, 'garbage/memgate.db-wal'), randomBytes(10_000));
  writeFileSync(join(dir, 'garbage/memgate.db-shm'), randomBytes(32_768));
  for (const name of ['deleted', 'garbage']) {
    const again = opened(join(dir, name));
    t.strictSame(
      again.keys().entries.map((key) => [key.id, key.revoked?.reason]),
      [
        [id('a'), 'stolen'],
        [id('b'), undefined],
      ],
      name,
    );
    again.close();
  }
});

t.test('KY-14 a row whose hash was tampered with is left out; a row that is no key refuses the start', async (t) => {
  const dir = t.testdir();
  const store = opened(dir);
  store.insertKey(plainEntry(id('a')));
  store.insertKey(plainEntry(id('b')));
  store.close();
  const file = join(dir, 'memgate.db');
  const change = (sql: string): void => {
    const database = new Database(file);
    database.exec(sql);
    database.close();
  };
  change(`UPDATE keys SET hash = replace(hash, 'm=19456', 'm=4194304') WHERE id = '${id('a')}'`);
  const again = opened(dir);
  t.strictSame(
    again.keys().entries.map((key) => key.id),
    [id('b')],
  );
  t.match(again.keys().refused, [/key a{16} of the store is refused: .*parameter m/]);
  again.close();
  change(`UPDATE keys SET spaces = '"*"' WHERE id = '${id('b')}'`);
  t.match(openStore({ dataDir: dir }), { ok: false, why: /rows that this program did not write/ });
});

t.test('ST-07 an older schema is brought up in one transaction with a copy; a newer one is refused', async (t) => {
  const dir = t.testdir();
  const store = opened(dir);
  store.insertKey(plainEntry(id('a')));
  store.close();
  const file = join(dir, 'memgate.db');
  const database = new Database(file);
  t.throws(() => migrate(database, false, [...steps, 'CREATE TABLE extra (a); this is no SQL;']), /syntax/);
  t.equal(database.pragma('user_version', { simple: true }), steps.length, 'a step that fails changes nothing');
  t.strictSame(database.prepare("SELECT name FROM sqlite_master WHERE name = 'extra'").all(), []);
  const done = migrate(database, false, [...steps, 'CREATE TABLE extra (a) STRICT;'.replace('(a)', '(a TEXT)')]);
  t.match(done, { ok: true, value: [/is kept in .*memgate\.db\.before-v2/] });
  t.equal(database.pragma('user_version', { simple: true }), steps.length + 1);
  database.close();
  const copy = new Database(`${file}.before-v2`, { readonly: true });
  t.equal(copy.pragma('user_version', { simple: true }), steps.length);
  t.equal(copy.prepare('SELECT count(*) FROM keys').pluck().get(), 1);
  copy.close();
  t.equal(mode(`${file}.before-v2`), '600');
  t.match(openStore({ dataDir: dir }), { ok: false, why: /schema version 2, this program knows 1/ });
});

t.test('ST-08 modes that are too wide are narrowed where that is safe, and told', async (t) => {
  const dir = join(t.testdir(), 'data');
  const locked = lockDataDir(dir);
  t.ok(locked.ok);
  if (locked.ok) locked.value.release();
  opened(dir).close();
  chmodSync(dir, 0o777);
  chmodSync(join(dir, 'memgate.db'), 0o644);
  const store = opened(dir);
  t.match(store.warnings, [/data is 0700|its mode is 0700 now/, /memgate\.db was open to others \(mode 644\)/]);
  store.close();
  t.equal(mode(dir), '700');
  t.equal(mode(join(dir, 'memgate.db')), '600');

  const foreign = join(dir, '..');
  mkdirSync(join(foreign, 'shared'));
  writeFileSync(join(foreign, 'shared/file.txt'), 'somebody else');
  chmodSync(join(foreign, 'shared'), 0o755);
  const other = opened(join(foreign, 'shared'));
  t.match(other.warnings, [/is open to others \(mode 755\); make it 0700/]);
  other.close();
  t.equal(mode(join(foreign, 'shared')), '755', 'a directory with other things in it is left as it is');
  chmodSync(join(foreign, 'shared'), 0o1777);
  t.match(openStore({ dataDir: join(foreign, 'shared') }), { ok: false, why: /sticky/ });
});

t.test('ST-11 SQL in fields is data', async (t) => {
  const store = opened(t.testdir());
  t.teardown(() => {
    store.close();
  });
  const evil = ["x'); DROP TABLE keys;--", "' OR 1=1", '%', '_', '"; --'];
  evil.forEach((text, index) => {
    store.insertKey(plainEntry(text, { name: text, spaces: [text], createdAtMs: index }));
  });
  t.strictSame(
    store.keys().entries.map((key) => [key.id, key.name, key.spaces]),
    evil.map((text) => [text, text, [text]]),
  );
  t.equal(store.findKey('%')?.id, '%');
  t.equal(store.findKey("' OR '1'='1"), undefined);
  store.revokeKey("' OR 1=1", { atMs: 1, reason: "', revoked_at = NULL; --" });
  t.strictSame(
    store
      .keys()
      .entries.filter((key) => key.revoked !== null)
      .map((key) => [key.id, key.revoked?.reason]),
    [["' OR 1=1", "', revoked_at = NULL; --"]],
  );
  store.addSpace("a'); DROP TABLE spaces;--");
  t.strictSame(store.spaces(), ["a'); DROP TABLE spaces;--"]);
});

t.test('backup() makes a checked copy that opens, and replaces nothing', async (t) => {
  const dir = t.testdir({ restored: {} });
  const store = opened(join(dir, 'data'));
  t.teardown(() => {
    store.close();
  });
  store.insertKey(plainEntry(id('a')));
  store.noteUse(id('a'), false);
  const copy = join(dir, 'restored/memgate.db');
  await store.backup(copy);
  t.equal(mode(copy), '600');
  await t.rejects(store.backup(copy), { code: 'store.unavailable', message: /is there already/ });
  await t.rejects(store.backup(join(dir, 'nowhere/memgate.db')), { code: 'store.unavailable' });
  const restored = opened(join(dir, 'restored'));
  t.strictSame(restored.findKey(id('a')), store.findKey(id('a')));
  t.equal(restored.uses(id('a'))?.total, 1);
  restored.close();
  t.notOk(existsSync(`${copy}.part`));
});

t.test('a data directory is taken once, and the message names it', async (t) => {
  const root = t.testdir({ file: 'x' });
  const dir = join(root, 'data');
  const first = lockDataDir(dir);
  t.ok(first.ok);
  t.match(lockDataDir(dir), { ok: false, why: `data directory ${dir} is in use by another memgate process` });
  if (first.ok) first.value.release();
  const second = lockDataDir(dir);
  t.ok(second.ok, 'and is free again');
  if (second.ok) second.value.release();
  t.equal(mode(join(dir, 'lock.db')), '600');
  t.match(lockDataDir(join(root, 'file')), { ok: false, why: /cannot be used|not a directory/ });
});

t.test('uses that cannot be written are told, kept, and written later', async (t) => {
  const dir = t.testdir();
  let told: (message: string) => void = () => undefined;
  const warning = new Promise<string>((resolve) => (told = resolve));
  const store = openStore({
    dataDir: dir,
    flushMs: 10,
    warn: (message) => {
      told(message);
    },
  });
  if (!store.ok) throw new Error(store.why);
  t.teardown(() => {
    store.value.close();
  });
  const holder = new Database(join(dir, 'memgate.db'));
  holder.exec('BEGIN IMMEDIATE');
  store.value.noteUse(id('a'), false);
  const awake = setInterval(() => undefined, 1_000); // the store's own timer keeps no process alive
  t.match(await warning, /cannot count uses: database is locked/);
  clearInterval(awake);
  holder.close();
  t.equal(store.value.uses(id('a'))?.total, 1);
});

t.test('a closed store is not healthy', async (t) => {
  const store = opened(t.testdir());
  t.ok(store.isHealthy());
  store.close();
  t.notOk(store.isHealthy());
});

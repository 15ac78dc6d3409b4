import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Command, CommanderError } from 'commander';
import t from 'tap';
import { openLocalKeys } from '../../src/app/app.js';
import { authCommands } from '../../src/cli/auth.js';
import { parseDuration } from '../../src/cli/duration.js';
import { CommandFailure, type Terminal } from '../../src/cli/print.js';
import { controlPath, startControl } from '../../src/control/control.js';
import { loadManifests } from '../../src/identify/identify.js';
import { lockDataDir } from '../../src/store/store.js';

interface Run {
  readonly code: number;
  readonly out: string;
  readonly err: string;
  readonly asked: readonly string[];
}

interface Typed {
  /** Answer of the person at the terminal; there is none without it. */
  readonly answer?: string;
  readonly input?: string;
}

/** Runs one command line in this process. */
async function memgate(line: readonly string[], { answer, input = '' }: Typed = {}): Promise<Run> {
  const said = { out: '', err: '', asked: [] as string[] };
  const terminal: Terminal = {
    out: (text) => void (said.out += text),
    err: (text) => void (said.err += text),
    isInteractive: answer !== undefined,
    ask: (question) => {
      said.asked.push(question);
      return Promise.resolve(answer ?? '');
    },
    readInput: () => Promise.resolve(input),
  };
  const program = new Command('memgate')
    .exitOverride()
    .configureOutput({ writeErr: terminal.err, writeOut: terminal.out });
  authCommands(program, { terminal, openLocal: openLocalKeys });
  for (const command of program.commands)
    command.copyInheritedSettings(program).commands.forEach((each) => each.copyInheritedSettings(program));
  try {
    await program.parseAsync(['auth', ...line], { from: 'user' });
    return { code: 0, ...said };
  } catch (thrown) {
    if (thrown instanceof CommandFailure) return { ...said, code: thrown.exitCode, err: said.err + thrown.message };
    if (thrown instanceof CommanderError) return { ...said, code: 2 };
    throw thrown;
  }
}

/** Short, as the path of a socket is limited; not the system's temporary directory, which may be in memory, where no record is kept. */
function shortDir(t: { teardown(work: () => void): void }): string {
  const root = fileURLToPath(new URL('../../.tap/', import.meta.url));
  mkdirSync(root, { recursive: true });
  const dir = mkdtempSync(join(root, 'k'));
  t.teardown(() => {
    rmSync(dir, { recursive: true });
  });
  return join(dir, 'data');
}

const allFiles = (dir: string): string[] =>
  readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name));
interface Made {
  readonly id: string;
  readonly key: string;
  readonly [name: string]: unknown;
}

t.test('KY-16 a key is printed once; its secret is in no file, and every file is ours alone', async (t) => {
  const dir = shortDir(t);
  const made = await memgate([
    'create-key',
    '--data-dir',
    dir,
    '--name',
    'ci',
    '--spaces',
    'alpha,beta',
    '--permissions',
    'MemoryRead,MemoryWrite',
    '--tier',
    'pro',
    '--role',
    'a',
    '--role',
    'b',
    '--expires-in',
    '30d',
    '--format',
    'json',
  ]);
  t.equal(made.code, 0, made.err);
  t.equal(made.err, '');
  const key = JSON.parse(made.out) as Made;
  t.strictSame(Object.keys(key), ['id', 'key', 'name', 'spaces', 'permissions', 'roles', 'tier', 'expires_at']);
  t.match(key, {
    name: 'ci',
    spaces: ['alpha', 'beta'],
    permissions: ['MemoryRead', 'MemoryWrite'],
    roles: ['a', 'b'],
    tier: 'pro',
  });
  t.equal(made.out.split(key.key).length, 2, 'once');
  const secret = key.key.slice(-49);
  for (const file of allFiles(dir)) {
    t.notOk(readFileSync(file).includes(secret), file);
    t.equal((statSync(file).mode & 0o077).toString(8), '0', file);
  }
  for (const line of [
    ['list-keys'],
    ['list-keys', '--format', 'json'],
    ['check-key', key.id, '--detailed'],
    ['check-key', key.id, '--format', 'json'],
  ]) {
    const shown = await memgate([...line, '--data-dir', dir]);
    t.equal(shown.code, 0);
    t.notMatch(shown.out, secret);
    t.notMatch(shown.out, /\$argon2/);
    t.match(shown.out, key.id);
  }
});

t.test('rotate, revoke and check, without a process', async (t) => {
  const dir = shortDir(t);
  const made = JSON.parse(
    (
      await memgate([
        'create-key',
        '--data-dir',
        dir,
        '--name',
        'ci',
        '--spaces',
        '*',
        '--permissions',
        'MemoryRead',
        '--format',
        'json',
      ])
    ).out,
  ) as Made;
  const next = JSON.parse((await memgate(['rotate-key', made.id, '--data-dir', dir, '--format', 'json'])).out) as Made;
  t.match(next, { name: 'ci', spaces: ['*'], replaces: made.id });
  t.ok(
    Math.abs(Date.parse(String(next['grace_until'])) - Date.now() - 7 * 86_400_000) < 60_000,
    'seven days unless told',
  );
  t.match(await memgate(['rotate-key', made.id, '--data-dir', dir]), { code: 1, err: /rotated already/ });
  t.match(await memgate(['rotate-key', next.id, '--data-dir', dir, '--force', '--grace-period', '1d']), {
    code: 2,
    err: /cannot be used with/,
  });

  t.match(await memgate(['check-key', '-', '--data-dir', dir], { input: `${next.key}\n` }), {
    code: 0,
    out: /secret +right/,
  });
  const inArgument = await memgate(['check-key', next.key, '--data-dir', dir]);
  t.match(inArgument, { code: 0, err: /given as an argument/ });
  t.notMatch(inArgument.out + inArgument.err, next.key.slice(-49));
  t.match(await memgate(['check-key', 'nobody0000000000', '--data-dir', dir]), {
    code: 1,
    err: /there is no key "nobody0000000000"/,
  });

  t.match(await memgate(['revoke-key', next.id, '--data-dir', dir]), { code: 2, err: /give --yes/ });
  t.match(await memgate(['revoke-key', next.id, '--data-dir', dir], { answer: 'n' }), {
    code: 1,
    err: /nothing was done/,
  });
  const revoked = await memgate(['revoke-key', next.id, '--data-dir', dir, '--reason', 'laptop lost'], { answer: 'y' });
  t.match(revoked, { code: 0, out: /is revoked: no process runs on this data directory; kept in its store/ });
  t.match(revoked.asked, [new RegExp(next.id)]);
  t.match(await memgate(['revoke-key', next.id, '--data-dir', dir, '--yes']), { code: 0, out: /was revoked already/ });
  const listed = await memgate(['list-keys', '--data-dir', dir, '--include-revoked', '--format', 'json']);
  t.match(JSON.parse(listed.out), [
    { id: made.id, state: 'deprecated' },
    { id: next.id, state: 'revoked', revoked: { reason: 'laptop lost' } },
  ]);
  const records = readFileSync(join(dir, 'audit/000001.jsonl'), 'utf8');
  for (const type of ['key.created', 'key.rotated', 'key.revoked']) t.match(records, `"${type}"`);
});

t.test('with a process running, commands go through its socket', async (t) => {
  const dir = shortDir(t);
  const local = await openLocalKeys({ dataDir: dir, config: null, mayBegin: true });
  if (!local.ok) throw new Error(local.why.join());
  const quiet = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined };
  const control = await startControl({
    path: controlPath(dir),
    keys: local.value.keys,
    reload: () => Promise.resolve(null),
    status: () => null,
    explain: () => Promise.resolve(null),
    candidate: {
      begin: () => Promise.resolve(null),
      report: () => null,
      promote: () => Promise.resolve(null),
      drop: () => Promise.resolve(null),
    },
    log: quiet,
  });
  if (!control.ok) throw new Error(control.why);
  t.notOk(lockDataDir(dir).ok, 'the directory is taken');
  const made = await memgate([
    'create-key',
    '--data-dir',
    dir,
    '--name',
    'ci',
    '--spaces',
    'alpha',
    '--permissions',
    'MemoryRead',
  ]);
  t.match(made, { code: 0, out: /^key +engram_key_/ });
  t.match(await memgate(['list-keys', '--data-dir', dir]), { code: 0, out: /\bci +active +- +alpha +MemoryRead/ });
  await control.value.close();
  t.match(await memgate(['list-keys', '--data-dir', dir]), { code: 1, err: /is in use by another memgate process/ });
  await local.value.close();
  t.equal((await memgate(['list-keys', '--data-dir', dir])).code, 0);
});

t.test('what is asked in a wrong form exits with 2, what is refused with 1', async (t) => {
  const dir = shortDir(t);
  const create = ['create-key', '--data-dir', dir, '--name', 'a', '--spaces', 'alpha', '--permissions', 'MemoryRead'];
  const cases: readonly [readonly string[], number, RegExp][] = [
    [['create-key', '--data-dir', dir], 2, /--name/],
    [[...create, '--expires-in', '30'], 2, /30d or 12h/],
    [[...create, '--expires-in', '1.5h'], 2, /30d or 12h/],
    [[...create, '--format', 'xml'], 2, /Allowed choices/],
    [[...create, '--unknown'], 2, /unknown option/],
    [[...create, '--spaces', 'a,,b'], 2, /commas between/],
    [['list-keys'], 2, /--data-dir DIR or --config FILE, or set MEMGATE_DATA_DIR/],
    [['list-keys', '--config', join(dir, 'none.yaml')], 1, /none\.yaml: does not exist/],
    [[...create, '--permissions', 'Memory'], 1, /^permissions: "Memory" is not one of/],
    [[...create, '--spaces', '*,a'], 1, /^spaces: /],
  ];
  for (const [line, code, want] of cases) {
    const run = await memgate(line);
    t.equal(run.code, code, line.join(' '));
    t.match(run.err, want);
    t.equal(run.out, '');
  }
});

t.test('--manifest writes a file, adds to one that is there, and keeps nothing', async (t) => {
  const dir = t.testdir();
  const file = join(dir, 'team.yaml');
  const line = [
    'create-key',
    '--manifest',
    file,
    '--name',
    'ci',
    '--spaces',
    'alpha',
    '--permissions',
    'MemoryRead',
    '--format',
    'json',
  ];
  const made = JSON.parse((await memgate(line)).out) as Made;
  const loaded = await loadManifests(dir);
  t.match(loaded.ok && loaded.value.entries, [{ id: made.id, name: 'ci' }]);
  t.notMatch(readFileSync(file, 'utf8'), made.key.slice(-49));
  const next = JSON.parse((await memgate(line)).out) as Made;
  const both = await loadManifests(dir);
  t.match(both.ok && both.value.entries.map(({ id }) => id), [made.id, next.id]);
  writeFileSync(file, 'keys: 1\n');
  t.match(await memgate(line), { code: 1, err: /team\.yaml:1.*keys: .*must be a list/, out: '' });
});

t.test('only create-key begins a store', async (t) => {
  const dir = shortDir(t);
  const id = 'a'.repeat(16);
  for (const line of [['list-keys'], ['check-key', id], ['rotate-key', id], ['revoke-key', id, '--yes']])
    t.match(await memgate([...line, '--data-dir', dir]), {
      code: 1,
      err: /there are no keys in .*data: name the data directory/,
    });
  t.equal(existsSync(dir), false, 'and nothing was made');
});

t.test('parseDuration() takes one number and one unit', async (t) => {
  for (const [text, ms] of [
    ['30d', 2_592_000_000],
    ['12h', 43_200_000],
    ['15m', 900_000],
    ['45s', 45_000],
    ['2w', 1_209_600_000],
  ] as const)
    t.equal(parseDuration(text), ms, text);
  for (const text of ['', '30', 'd', '0d', '-1d', '1.5h', '1d12h', ' 1d', '1 d', '1D', '99999999d', '1y'])
    t.equal(parseDuration(text), null, JSON.stringify(text));
});

import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { fromMarkdown } from 'mdast-util-from-markdown';
import t, { type Test } from 'tap';
import { keysCommands } from '../../src/cli/keys.js';
import { CommandFailure } from '../../src/cli/print.js';
import { loadManifests } from '../../src/identify/identify.js';
import { plainEntry } from '../identify/fixtures/support.js';
import { entry as cli, freshBuild } from '../wire/support/build.js';
import { makeKey } from '../wire/support/keys.js';
import { startProgram } from '../wire/support/program.js';

await freshBuild();

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs one command line in this process. */
async function memgate(args: readonly string[]): Promise<Ran> {
  const said = { code: 0, out: '', err: '' };
  const terminal = { out: (text: string) => void (said.out += text), err: (text: string) => void (said.err += text) };
  const program = new Command('memgate').exitOverride().configureOutput({ writeErr: terminal.err });
  keysCommands(program, { terminal, endWith: (code) => void (said.code = code) });
  for (const command of program.commands)
    command.copyInheritedSettings(program).commands.forEach((each) => each.copyInheritedSettings(program));
  try {
    await program.parseAsync(['keys', ...args], { from: 'user' });
  } catch (thrown) {
    if (thrown instanceof CommandFailure) return { ...said, code: thrown.exitCode, err: said.err + thrown.message };
    if (thrown instanceof CommanderError) return { ...said, code: 2 };
    throw thrown;
  }
  return said;
}

const day = (text: string): string => `${text}T00:00:00Z`;
const inDays = (count: number): string => new Date(Date.now() + count * 86_400_000).toISOString();

type Facts = Readonly<Record<string, unknown>>;
const key = (letter: string, facts: Facts = {}): Facts => {
  const { id, hash } = plainEntry(letter.repeat(16));
  return {
    id,
    hash,
    name: `key ${letter}`,
    spaces: ['alpha'],
    permissions: ['MemoryRead'],
    tier: 'pro',
    expires_at: inDays(200),
    ...facts,
  };
};
const manifest = (...keys: readonly Facts[]): string =>
  `# keys\nkeys:\n${keys.map((one) => `  - ${JSON.stringify(one)}\n`).join('')}`;

interface Repository {
  readonly dir: string;
  readonly keys: string;
  git(...args: readonly string[]): string;
  write(name: string, text: string): void;
  commit(message: string): void;
}

/** A real repository with a directory of manifests. */
function repository(t: Test): Repository {
  const dir = t.testdir({ config: { keys: {} }, other: {} });
  const git = (...args: readonly string[]): string => {
    const own = ['-c', 'user.name=test', '-c', 'user.email=test@localhost', '-c', 'init.defaultBranch=main'];
    return execFileSync('git', [...own, ...args], { cwd: dir, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  };
  git('init', '-q');
  const keys = join(dir, 'config', 'keys');
  return {
    dir,
    keys,
    git,
    write: (name, text) => writeFileSync(join(keys, name), text),
    commit: (message) => {
      git('add', '-A');
      git('commit', '-q', '-m', message);
    },
  };
}

t.test(
  'keys plan --against tells what a branch changes, in a form for people, programs and pull requests',
  async (t) => {
    const { dir, keys, write, commit, git } = repository(t);
    const [a, b, c, d] = [key('a'), key('b', { name: 'x | y `z` <b> @all' }), key('c'), key('d')];
    write('team.yaml', manifest(a, b, c));
    write('other.yaml', manifest(d));
    commit('keys');
    git('checkout', '-q', '-b', 'change');
    const widened = { ...b, spaces: ['*'], permissions: ['MemoryRead', 'MemoryWrite'] };
    const revoked = { ...c, revoked: { at: day('2026-11-01'), reason: 'lost' } };
    write('team.yaml', manifest(a, widened, revoked, key('e', { expires_at: inDays(10) })));
    write('other.yaml', 'keys: []\n');

    const json = await memgate(['plan', keys, '--against', 'main', '--format', 'json']);
    t.equal(json.code, 0, json.err);
    const plan = JSON.parse(json.out);
    t.match(plan, {
      before: /^main \([0-9a-f]{12}\)$/,
      summary: { added: 1, removed: 1, revoked: 1, changed: 1, restored: 0, widened: 1 },
      changes: [
        {
          change: 'changed',
          id: b['id'],
          file: 'team.yaml',
          widens: true,
          fields: [{ field: 'spaces', after: ['*'] }, { field: 'permissions' }],
        },
        { change: 'revoked', id: c['id'], widens: false },
        { change: 'added', id: 'e'.repeat(16) },
        { change: 'removed', id: d['id'], file: 'other.yaml' },
      ],
      expiring: [{ id: 'e'.repeat(16), because: 'expiry' }],
    });

    const table = await memgate(['plan', keys, '--against', 'main', '--detailed-exitcode']);
    t.equal(table.code, 3, 'keys differ');
    t.match(table.out, /1 added, 1 removed, 1 revoked, 1 changed; 1 key can do more than before/);
    t.match(table.out, /^changed +b{16} .* spaces \+\* -alpha +\(MORE\)$/m);
    t.match(table.out, /^ +permissions \+MemoryWrite +\(MORE\)$/m);
    t.match(table.out, /^1 key within 30 days of the end:$/m);

    const markdown = await memgate(['plan', keys, '--against', 'main', '--format', 'markdown']);
    t.match(markdown.out, /^### Keys: `main \([0-9a-f]{12}\)` → /);
    t.match(markdown.out, /\*\*more\*\*/);
    const named = markdown.out.split('\n').find((one) => one.includes('b'.repeat(16))) ?? '';
    t.equal(named.replaceAll('\\|', '').split('|').length, 7, 'five cells, whatever a key is called');
    t.match(fromMarkdown(markdown.out).children[0], { type: 'heading' });
    t.notMatch(named.replaceAll(/(`+).*?\1/g, ''), /@all|<b>/, 'what was written by others is code');

    for (const { out } of [json, table, markdown]) {
      t.notMatch(out, /argon2/);
      for (const { hash } of [a, b, c, d] as readonly { hash?: string }[])
        t.notOk(out.includes(hash?.slice(-43) ?? '?'));
    }

    const one = JSON.parse(
      (await memgate(['plan', join(keys, 'team.yaml'), '--against', 'main', '--format', 'json'])).out,
    );
    t.match(one.summary, { removed: 0, added: 1 }, 'keys of files that were not named are not missing');
    commit('change');
    t.match(await memgate(['plan', keys, '--against', 'HEAD', '--detailed-exitcode']), {
      code: 0,
      out: /no key differs/,
    });
    t.match(await memgate(['plan', keys, '--against', 'HEAD', '--expiring', '1d']), {
      code: 0,
      out: /^[^\n]*no key differs\n$/,
    });
    const other = join(dir, 'other');
    writeFileSync(join(other, 'team.yaml'), manifest(a));
    const apart = await memgate(['plan', keys, '--against-dir', other, '--format', 'json']);
    t.match(JSON.parse(apart.out), { before: other, summary: { added: 3 } });
  },
);

t.test('keys plan reads a revision and nothing else of Git', async (t) => {
  const { keys, dir, write, commit, git } = repository(t);
  write('team.yaml', manifest(key('a')));
  commit('keys');
  const trap = join(dir, 'trap');
  const against = (revision: string): Promise<Ran> => memgate(['plan', keys, `--against=${revision}`]);
  for (const revision of [`$(touch ${trap})`, `;touch ${trap}`, '--output=x', 'nowhere', 'HEAD:config', ''])
    t.match(await against(revision), { code: 1, err: /is no revision of that repository/ }, revision);
  t.throws(() => readFileSync(trap), { code: 'ENOENT' }, 'no shell has seen it');
  Object.assign(process.env, { GIT_DIR: '/nowhere', GIT_WORK_TREE: '/nowhere' });
  t.match(await against('HEAD'), { code: 0 }, 'as within a hook');
  delete process.env['GIT_DIR'];
  delete process.env['GIT_WORK_TREE'];
  const nowhere = mkdtempSync(join(tmpdir(), 'memgate-keys-'));
  t.teardown(() => rmSync(nowhere, { recursive: true }));
  writeFileSync(join(nowhere, 'k.yaml'), manifest(key('a')));
  t.match(await memgate(['plan', nowhere, '--against', 'HEAD']), { code: 1, err: /is in no Git repository/ });

  git('rm', '-q', '-r', '--cached', 'config');
  git('commit', '-q', '-m', 'without keys');
  t.match(await against('HEAD'), { code: 0, out: /1 added[\s\S]*is not in HEAD/ });
  write('broken.yaml', 'keys: [');
  t.match(await against('HEAD'), { code: 1, out: '', err: /these manifests would not load:\n.*broken\.yaml:1/ });
  t.match(JSON.parse((await memgate(['plan', keys, '--against', 'HEAD', '--format', 'json'])).out), {
    problems: [/broken\.yaml/],
  });
  commit('broken');
  write('broken.yaml', 'keys: []\n');
  t.match(await against('HEAD'), { code: 1, err: /HEAD:config\/keys\/broken\.yaml:1/ });
  t.match(await memgate(['plan', keys]), { code: 2, err: /no data directory was named: compare with --against/ });
  t.match(await memgate(['plan']), { code: 2, err: /which manifests\?/ });
  t.match(await memgate(['plan', keys, '--against', 'HEAD', '--against-dir', keys]), { code: 2 });
});

t.test('keys lint names what is wrong with its place, and ends with 1 for errors', async (t) => {
  const dir = t.testdir({
    'a.yaml': manifest(key('a'), key('b', { spaces: ['*'], permissions: ['MemoryWrite'] })),
    'b.yaml': manifest(key('c', { expires_at: undefined })),
  });
  const table = await memgate(['lint', dir]);
  t.equal(table.code, 0, 'warnings only');
  t.match(table.out, /a\.yaml:4: warning all-spaces: key b{16} \(key b\) may change every space \(MemoryWrite\)/);
  t.match(table.out, /b\.yaml:3: warning no-expiry/);
  t.match(table.out, /roles and tiers were not compared/);
  t.match(table.out, /unused keys were not looked for: no process and no store is at hand/);
  t.match(table.out, /^0 errors, 2 warnings$/m);
  t.equal((await memgate(['lint', dir, '--strict'])).code, 1);
  t.match(await memgate(['lint', dir, '--strict', '--ignore', 'no-expiry,all-spaces']), {
    code: 0,
    out: /0 errors, 0 warnings/,
  });
  t.match(await memgate(['lint', dir, '--ignore', 'nothing']), { code: 2, err: /Known codes: admin-and-data/ });
  t.match(JSON.parse((await memgate(['lint', dir, '--format', 'json', '--max-lifetime', '30d'])).out), {
    errors: 0,
    warnings: 4,
  });
  const same = key('d');
  writeFileSync(join(dir, 'c.yaml'), manifest(same, { ...key('e'), hash: same['hash'] }));
  t.match(await memgate(['lint', dir, '--format', 'markdown']), {
    code: 1,
    out: /^### Keys: 1 errors, 2 warnings[\s\S]*\| error \| `same-hash` \| `.*c\.yaml:4` \|/,
  });
  writeFileSync(join(dir, 'd.yaml'), 'keys: 1\n');
  t.match(await memgate(['lint', dir]), { code: 1, out: /d\.yaml:1: error unreadable/ });
});

t.test('keys plan, apply and lint with a running process', async (t) => {
  const program = await startProgram(t);
  const { KR } = program.keys;
  const keys = (...args: readonly string[]): Promise<Ran> => memgate([...args, '--config', program.configFile]);
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- parsed JSON, read as it comes
  const json = async (...args: readonly string[]): Promise<any> =>
    JSON.parse((await keys(...args, '--format', 'json')).out);
  t.match(await json('plan'), { before: 'the running process', changes: [] });

  const more = await makeKey('more', { spaces: ['alpha'], permissions: ['MemoryRead'] });
  await program.writeManifest([more], (name, entry) =>
    name === 'KR' ? { ...entry, permissions: ['MemoryRead', 'MemoryWrite'] } : entry,
  );
  const planned = await json('plan');
  t.match(planned, {
    changes: [
      { change: 'changed', id: KR.id, widens: true },
      { change: 'added', id: more.id },
    ],
  });
  t.equal((await keys('plan', '--detailed-exitcode')).code, 3);

  await program.writeConfig({ switches: { readonly: true } });
  const declined = await keys('apply');
  t.match(declined, {
    code: 1,
    out: '',
    err: /nothing was changed\n.*the field switches\.readonly of the configuration has changed too/,
  });
  t.equal(await program.metric('config_last_reload_successful'), 1, 'the sources are good: no alarm');
  t.match((await json('plan')).changes.length, 2, 'nothing was taken over');
  await program.writeConfig({});

  const applied = await json('apply');
  t.match(applied, { applied: true, changes: planned.changes, summary: { added: 1, changed: 1, widened: 1 } });
  t.match(await keys('plan', '--detailed-exitcode'), { code: 0, out: /no key differs/ });
  t.match(await keys('apply'), { code: 0, out: /no key differs/ });

  await program.command(['auth', 'revoke-key', more.id, '--yes']);
  t.match((await json('plan')).notes, [
    new RegExp(`key ${more.id} was revoked in the running process on .* set \`revoked\` in`),
  ]);
  const stored = await program.command([
    'auth',
    'create-key',
    '--name',
    'kept',
    '--spaces',
    'alpha',
    '--permissions',
    'MemoryRead',
    '--format',
    'json',
  ]);
  const { id } = JSON.parse(stored.stdout);
  t.match((await json('plan')).changes, [], "keys of the store are nobody else's");
  const both = { ...more, entry: { ...more.entry, id } };
  await program.writeManifest([both]);
  t.match(await keys('plan'), { code: 1, err: new RegExp(`key ${id} is in the store of the running process as well`) });
  await program.writeManifest([{ ...more, entry: { ...more.entry, roles: ['nobody'] } }]);
  t.match(await keys('plan'), { code: 1, err: /role "nobody" is not in the policy data/ });
  t.match(await keys('apply'), { code: 1, err: /role "nobody" is not in the policy data/ });
  t.equal(await program.metric('config_last_reload_successful'), 0, 'these sources are not');
  t.match(await json('lint'), { errors: 1, notes: [/unused keys were not looked for: uses are known since/] });
  await program.writeManifest([more]);
  const linted = await json('lint', '--unused', '1s');
  t.ok(
    linted.findings.some((one: Facts) => one['code'] === 'unused' && one['id'] === program.keys.KB.id),
    'never used',
  );
  t.equal((await json('apply')).applied, true);
  t.equal(await program.metric('config_last_reload_successful'), 1);

  const records = program.audit.records();
  t.ok(records.filter(({ type }) => type === 'config.reload-failed').length >= 2, 'what was declined is recorded');
  await program.stop();
  t.match(await keys('plan'), { code: 1, err: /no memgate process is running on .*: compare with --against REV/ });
  t.match(await keys('apply'), { code: 1, err: /no memgate process is running/ });
  t.match(
    await json('lint', '--unused', '1s'),
    { findings: linted.findings.map(({ code }: Facts) => ({ code })) },
    'the store says the same',
  );
});

t.test('create-key --manifest adds to a file that is there', async (t) => {
  const dir = t.testdir({ 'team.yaml': `# the team's keys\nkeys:\n  - ${JSON.stringify(key('a'))} # first\n` });
  const file = join(dir, 'team.yaml');
  const made = await new Promise<string>((resolve) => {
    const args = [
      'auth',
      'create-key',
      '--manifest',
      file,
      '--name',
      'new',
      '--spaces',
      'alpha',
      '--permissions',
      'MemoryRead',
      '--expires-in',
      '30d',
    ];
    execFile(process.execPath, [cli, ...args], { env: { PATH: process.env['PATH'] ?? '' } }, (_, stdout) =>
      resolve(stdout),
    );
  });
  const secret = /^key +engram_key_[a-z0-9]{16}_(\S+)$/m.exec(made)?.[1] ?? 'none';
  const text = readFileSync(file, 'utf8');
  t.match(text, /^# the team's keys\nkeys:\n .* # first\n {2}- id: /);
  t.notOk(text.includes(secret));
  const loaded = await loadManifests(dir);
  t.match(loaded.ok && loaded.value.entries.map(({ name }) => name), ['key a', 'new']);
});

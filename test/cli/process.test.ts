import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { showStatus } from '../../src/cli/process-show.js';
import { showReload } from '../../src/cli/reload-show.js';
import { entry, freshBuild, scratch } from '../wire/support/build.js';

await freshBuild();

interface Ended {
  readonly code: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
}

const memgate = (...args: readonly string[]): Promise<Ended> =>
  new Promise((resolve) => {
    execFile(process.execPath, [entry, ...args], { timeout: 30_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : (error.code ?? error.signal ?? null), stdout, stderr });
    });
  });

/** A directory with a short name: the path of a socket has its limit. */
function shortDir(t: Test): string {
  mkdirSync(scratch, { recursive: true });
  const dir = mkdtempSync(join(scratch, 'c'));
  t.teardown(() => {
    rmSync(dir, { recursive: true, force: true });
  });
  return dir;
}

interface Demo {
  readonly child: ChildProcess;
  readonly dir: string;
  readonly ended: Promise<number | NodeJS.Signals | null>;
}

/** A demo that is ready, on free ports. */
async function demo(t: Test): Promise<Demo> {
  const dir = shortDir(t);
  const child = spawn(process.execPath, [entry, 'demo', '--port', '0', '--format', 'json', '--data-dir', dir], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const ended = new Promise<number | NodeJS.Signals | null>((resolve) =>
    child.once('exit', (code, signal) => {
      resolve(code ?? signal);
    }),
  );
  t.teardown(async () => {
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
    await ended;
  });
  await Promise.race([
    new Promise((resolve) => child.stdout.once('data', resolve)),
    ended.then((code) => Promise.reject(new Error(`the demo ended with ${String(code)}`))),
  ]);
  return { child, dir, ended };
}

t.test('a process is reached under a configuration that has been broken since', async (t) => {
  const { dir } = await demo(t);
  const file = join(dir, 'memgate-demo.yaml');
  const whole = readFileSync(file, 'utf8');
  const listed = JSON.parse((await memgate('auth', 'list-keys', '--data-dir', dir, '--format', 'json')).stdout) as {
    readonly id: string;
    readonly state: string;
  }[];
  const [{ id } = { id: '' }] = listed;
  writeFileSync(file, whole.replace('"profile"', '"profil"'));
  const revoked = await memgate('auth', 'revoke-key', id, '--yes', '--reason', 'test', '--config', file);
  t.equal(revoked.code, 0, revoked.stderr);
  t.equal((await memgate('status', '--config', file)).code, 0);
  const reloaded = await memgate('reload', '--config', file);
  t.match([reloaded.code, reloaded.stdout], [1, /profil/], 'and says itself what is wrong');
  writeFileSync(file, '{');
  const blind = await memgate('status', '--config', file);
  t.match([blind.code, blind.stderr], [1, /memgate-demo\.yaml:/], 'unless the directory cannot be read either');
  t.equal((await memgate('status', '--config', file, '--data-dir', dir)).code, 0, 'or is named');
  writeFileSync(file, whole.replace('"profile"', '"profil"').replace(dir, join(dir, 'none')));
  const nobody = await memgate('auth', 'list-keys', '--config', file);
  t.match(
    [nobody.code, nobody.stderr],
    [1, /profil/],
    'nobody runs there, and nothing is done on half a configuration',
  );
});

t.test('a second demo in one directory is refused before it writes there', async (t) => {
  const { dir } = await demo(t);
  const files = (): Record<string, string> =>
    Object.fromEntries(
      readdirSync(dir)
        .filter((name) => name.endsWith('.yaml'))
        .map((name) => [name, readFileSync(join(dir, name), 'utf8')]),
    );
  const [before, names] = [files(), readdirSync(dir).sort()];
  const second = await memgate(
    'demo',
    '--port',
    '0',
    '--tier',
    'free',
    '--data-dir',
    dir,
    '--upstream',
    'http://127.0.0.1:9',
  );
  t.match([second.code, second.stderr], [1, /is in use by another memgate process/]);
  t.strictSame(files(), before, 'the configuration of the first is as it was');
  t.strictSame(readdirSync(dir).sort(), names, 'and nothing came beside it');
  t.equal((await memgate('status', '--data-dir', dir)).code, 0, 'which runs');
});

t.test('status and reload answer in a table for people and in JSON for programs; SIGHUP ends a demo', async (t) => {
  const { child, dir, ended } = await demo(t);
  const ask = (command: string, ...format: readonly string[]): Promise<Ended> =>
    memgate(command, '--data-dir', dir, ...format);

  const status = await ask('status');
  t.equal(status.code, 0, status.stderr);
  t.match(status.stdout, /^generation +[0-9a-f]+$/m);
  t.match(status.stdout, /^enforcement +enforce$/m);
  t.match(status.stdout, /^keys +6$/m);
  t.match(status.stdout, /^last failed reload +-$/m);
  t.match(status.stdout, /^COMPONENT +STATE +REASON$/m);
  t.match(status.stdout, /^audit +ready +-$/m);
  t.equal(status.stderr, '');
  const told = await ask('status', '--format', 'json');
  t.equal(told.stdout.split('\n').length, 2, 'one line');
  t.match(JSON.parse(told.stdout), { keys: 6, generation: { enforcement: 'enforce' }, last_reload_failure: null });

  const unchanged = await ask('reload');
  t.equal(unchanged.code, 0, unchanged.stderr);
  t.match(unchanged.stdout, /^reloaded; nothing has changed\n/);
  t.match(JSON.parse((await ask('reload', '--format', 'json')).stdout), { reloaded: true });

  writeFileSync(join(dir, 'memgate-demo.yaml'), 'no: such\nfields: {}\n');
  const refused = await ask('reload');
  t.equal(refused.code, 1, 'a failed reload');
  t.match(refused.stdout, /^nothing was changed; generation [0-9a-f]+ stays in force\n/);
  t.ok(refused.stdout.trimEnd().split('\n').length > 2, 'one problem in a line');
  t.match((await ask('status')).stdout, /^last failed reload +\d{4}-\d\d-\d\dT/m);
  for (const format of ['text', 'yaml'])
    t.equal((await ask('status', '--format', format)).code, 2, `--format ${format} is none`);

  child.kill('SIGHUP');
  t.equal(await ended, 0, 'stopped in order, not ignored');
  const gone = await ask('status');
  t.equal(gone.code, 1);
  t.match(gone.stderr, /no memgate process is running/);
  t.equal(gone.stdout, '');
});

t.test('check-config tells of a profile that is none with the file and the field that name it', async (t) => {
  const text = 'profile: memorik\npolicy: { bundle: ./p.tar.gz }\n';
  const { code, stderr } = await memgate('check-config', join(t.testdir({ 'c.yaml': text }), 'c.yaml'));
  t.equal(code, 1);
  t.match(stderr, /\/c\.yaml: profile: "memorik" is none of the profiles that memgate brings \(/);
});

t.test('every command that answers takes the same formats', async (t) => {
  const commands = [
    ['status'],
    ['reload'],
    ['demo'],
    ['check-config'],
    ['audit', 'tail'],
    ['audit', 'verify'],
    ...['create-key', 'list-keys', 'rotate-key', 'revoke-key', 'check-key'].map((name) => ['auth', name]),
  ];
  const helps = await Promise.all(commands.map((command) => memgate(...command, '--help')));
  for (const [at, { stdout }] of helps.entries())
    t.match(
      stdout.replace(/\s+/g, ' '),
      /--format <format> table for people, json for programs \(choices: "table", "json", default: "table"\)/,
      commands[at]?.join(' ') ?? '',
    );
});

t.test('rollback says what it wants of a hash, before it looks for a process', async (t) => {
  const { code, stderr } = await memgate('rollback', 'x', '--data-dir', t.testdir());
  t.equal(code, 2);
  t.match(stderr, /'x' is invalid for argument 'hash'\. must be 6 to 32 hexadecimal digits/);
});

t.test('a start that fails ends the process with its problems and 1', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => taken.once('listening', resolve));
  t.teardown(() => taken.close());
  const { port } = taken.address() as AddressInfo;
  const started = await memgate('demo', '--port', String(port), '--data-dir', shortDir(t));
  t.equal(started.code, 1);
  t.match(
    started.stderr,
    `gateway.listen: cannot listen on 127.0.0.1:${String(port)}: something listens there already`,
  );
  t.equal(started.stdout, '');
  const served = await memgate('serve', '--config', join(scratch, 'absent.yaml'));
  t.equal(served.code, 1);
  t.match(served.stderr, /absent\.yaml/);
});

t.test('the tables show what is there, and nothing in it steers the terminal', async (t) => {
  const { text: reloaded, isDone } = showReload({
    reloaded: true,
    generation: 'b2',
    difference: {
      before: 'a1',
      changed: true,
      configuration: ['limits.system'],
      profile: true,
      needs_restart: [],
      policy: { before: 'p1', after: 'p2', serial_before: null, serial_after: 7 },
      tiers: true,
      data: { added: [], removed: [], changed: ['roles'] },
      routes: { added: ['r1'], removed: [], changed: [] },
      key_changes: [{ id: 'k3', fields: ['spaces'], gained: ['spaces:beta'], lost: ['tier:pro'] }],
      keys: { added: ['k1', 'k2'], removed: [], changed: [] },
      refused_keys: ['keys.yaml:3:1: \u001b[31mbad'],
      warnings: ['no tier \u001b[31mfree'],
    },
  });
  t.ok(isDone);
  t.match(reloaded, /^reloaded\ngeneration +b2\nbefore +a1\nconfiguration +limits\.system\nneeds a restart +-\n/);
  t.match(
    reloaded,
    /^routes added +r1\npolicy +p1 → p2 \(serial 7\)\ndata changed +roles\ntiers +changed\nkeys added +k1, k2\nkeys removed +-\n/m,
  );
  t.match(reloaded, /^ {2}k3 +\+spaces:beta -tier:pro$/m);
  t.match(reloaded, /^keys left out:\n {2}keys\.yaml:3:1: [^\u001b]*bad\nwarnings:\n {2}no tier [^\u001b]*free\n$/m);
  t.notMatch(reloaded, '\u001b');
  const status = showStatus({
    components: { store: { ready: false, reason: 'gone' } },
    last_reload_failure: { at: '2027-01-01T00:00:00Z', problems: ['one', 'two'] },
  });
  t.match(status, /^last failed reload +2027-01-01T00:00:00Z\n {2}one\n {2}two\n\n/m);
  t.match(status, /^store +NOT READY +gone$/m);
  t.match(showStatus(null), /^version +-$/m, 'an answer of another version is no error');
});

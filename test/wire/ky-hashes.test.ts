import { spawn } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import t from 'tap';
import { entry } from './support/build.js';
import { H, wireCase, type Case } from './support/cases.js';
import { makeKey, type FixtureKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import { as, hashes } from './support/steps.js';

const program = await startProgram(t);
const hashing = { hashes: true } as const;
const read = { spaces: ['alpha'], permissions: ['MemoryRead'] };

const tampered: Readonly<Record<string, (hash: string) => string>> = {
  'm=4194304': (hash) => hash.replace('m=19456', 'm=4194304'),
  'm=8': (hash) => hash.replace('m=19456', 'm=8'),
  't=1000': (hash) => hash.replace('t=2', 't=1000'),
  'p=255': (hash) => hash.replace('p=1', 'p=255'),
  argon2i: (hash) => hash.replace('argon2id', 'argon2i'),
  bcrypt: () => '$2b$12$abcdefghijklmnopqrstuuAbCdEfGhIjKlMnOpQrStUvWxYz012345',
  truncated: (hash) => hash.slice(0, -8),
};

await wireCase(t, program, { name: 'KY-14 (manifest)', allow: hashing }, async (one) => {
  const keys: FixtureKey[] = [];
  for (const [name, change] of Object.entries(tampered)) {
    const made = await makeKey(name, read);
    keys.push({ ...made, entry: { ...made.entry, hash: change(String(made.entry['hash'])) } });
  }
  await program.writeManifest(keys);
  const lines = readFileSync(program.manifestFile, 'utf8').split('\n');
  const { answers } = await one.send(`POST /-/reload HTTP/1.1\r\n${H}${one.key('KADM')}Content-Length: 0\r\n\r\n`, {
    port: program.adminPort,
  });
  const refused: readonly string[] = answers[0]?.json().difference.refused_keys;
  for (const [at, name] of Object.keys(tampered).entries()) {
    const line = lines.findIndex((text) => text.includes(`"${keys[at]?.id ?? ''}"`)) + 2; // the hash stands below the id
    one.t.match(refused[at], `fixture.yaml:${line}:`, `${name} is refused at load, with its line`);
    one.t.notMatch(refused[at], String(keys[at]?.entry['hash']), `${name}: the hash is not shown`);
  }
  const from = await hashes(program);
  for (const [at, { text }] of keys.entries()) {
    const { durationMs } = await one.refused(`${Object.keys(tampered)[at] ?? ''}: the key`, as(text), { status: 401 });
    one.t.ok(durationMs < 2_000, 'no such hash is tried'); // 4 GiB or a thousand rounds would take far longer
  }
  one.t.equal((await hashes(program)) - from, keys.length, 'each takes the way of an unknown key');
  await one.passes('the others are served', as(program.keys.KALL.text));
});

interface Issued {
  readonly id: string;
  readonly key: string;
}

const createArgs = [
  'auth',
  'create-key',
  '--name',
  'made by command',
  '--spaces',
  'alpha',
  '--permissions',
  'MemoryRead',
  '--format',
  'json',
];

async function created(one: Case): Promise<Issued> {
  const { code, stdout, stderr } = await program.command(createArgs);
  one.t.equal(code, 0, `made ${stderr}`);
  return JSON.parse(stdout) as Issued;
}

await wireCase(t, program, { name: 'KY-14 (store)', allow: hashing }, async (one) => {
  const [bad, good] = [await created(one), await created(one)];
  await one.passes('before it was tampered with', as(bad.key));
  await program.stop();
  const database = new Database(join(program.dataDir, 'memgate.db'));
  const changed = database
    .prepare("UPDATE keys SET hash = replace(hash, 'm=19456', 'm=4194304') WHERE id = ?")
    .run(bad.id);
  database.close();
  one.t.equal(changed.changes, 1, 'tampered');
  const said = program.stderr.length;
  await program.start();
  one.t.match(
    program.stderr.slice(said),
    new RegExp(`${bad.id}.*Argon2id parameter m`),
    'the start says which one it leaves out',
  );
  await one.refused('the tampered key', as(bad.key), { status: 401 });
  await one.passes('the other one', as(good.key));
});

/** Command lines and environments of all processes, as far as they can be read. */
function processTexts(): string {
  const texts: string[] = [];
  for (const pid of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    for (const file of ['cmdline', 'environ']) {
      try {
        texts.push(readFileSync(join('/proc', pid, file), 'latin1'));
      } catch {
        // it has ended meanwhile
      }
    }
  }
  return texts.join('\n');
}

await wireCase(t, program, { name: 'KY-16', allow: hashing }, async (one) => {
  const child = spawn(process.execPath, [entry, ...createArgs, '--config', program.configFile], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr, seen] = ['', '', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const watch = setInterval(() => (seen += processTexts()), 20);
  await new Promise((resolve) => child.once('close', resolve));
  clearInterval(watch);
  const { id, key } = JSON.parse(stdout) as Issued;
  const secret = key.slice(key.lastIndexOf('_') + 1);
  one.t.equal(stdout.split(secret).length, 2, 'the secret stands once on standard output');
  one.t.notMatch(stderr, secret, 'and not on standard error');
  one.t.ok(seen.includes('create-key'), 'processes were watched');
  one.t.notOk((seen + processTexts()).includes(secret), 'no process has it in its arguments or environment');
  await one.passes('it works at once', as(key));
  one.t.notOk(program.stderr.includes(secret), 'not in the log');
  one.t.notOk(program.audit.textSince(0).includes(secret), 'not in the audit log');
  one.t.ok(
    program.audit
      .records()
      .some(({ type, id: made, key_id: named }) => type.startsWith('key.') && (made === id || named === id)),
    'but that it was made',
  );
  const files = readdirSync(program.dataDir, { recursive: true, withFileTypes: true });
  for (const file of files) {
    const path = join(file.parentPath, file.name);
    if (!existsSync(path)) continue; // a lock comes and goes
    one.t.equal(statSync(path).mode & 0o077, 0, `${file.name} is the owner's alone`);
    if (file.isFile())
      one.t.notOk(readFileSync(path, 'latin1').includes(secret), `${file.name} does not hold the secret`);
  }
  one.t.ok(
    files.some(({ name }) => name === 'memgate.db'),
    'the store was looked at',
  );
  one.t.equal((await program.command(['auth', 'revoke-key', id, '--yes'])).code, 0, 'revoked');
  await one.refused('and stops working at once', as(key), { status: 401 });
});

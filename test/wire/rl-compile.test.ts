import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { root, scratch } from './support/build.js';
import { startProgram } from './support/program.js';
import { send } from './support/wire.js';

/* policy.compile_on_reload through the running program: a volume of Rego is all that a team ships. */

mkdirSync(scratch, { recursive: true });
const volume = join(t.testdir(), 'volume');
mkdirSync(volume);
const rule = 'memgate/authz/authz.rego';
let states = 0;

/** The next state of the volume, swapped in as the kubelet does. */
function ship(change: (dir: string) => void = () => undefined): void {
  states += 1;
  const name = `..2026_${states}`;
  cpSync(join(root, 'policies', 'bundle'), join(volume, name), { recursive: true });
  change(join(volume, name));
  symlinkSync(name, join(volume, '..data_tmp'));
  renameSync(join(volume, '..data_tmp'), join(volume, '..data'));
  if (states > 1) rmSync(join(volume, `..2026_${states - 1}`), { recursive: true });
}

const edit = (dir: string, change: (text: string) => string): void => {
  writeFileSync(join(dir, rule), change(readFileSync(join(dir, rule), 'utf8')));
};
/** Reads are allowed no more. */
const withoutReads = (dir: string): void => {
  edit(dir, (text) => text.replace('allow if {', 'allow if {\n\tinput.request.method != "GET"'));
};
const withoutTests = (dir: string): void => {
  execFileSync('find', [dir, '-name', '*_test.rego', '-delete']);
};

ship();
const policy = { compile_on_reload: true, sources: volume, bundle: '/nowhere/bundle.tar.gz' };
const program = await startProgram(t, { config: { policy }, warm: false });

async function status(): Promise<number | undefined> {
  const head = `GET /api/v1/memories/recall?q=x HTTP/1.1\r\nHost: localhost:8080\r\nAuthorization: Bearer ${program.keys.KA.text}\r\nX-Memory-Space: alpha\r\n\r\n`;
  return (await send(program.port, head)).answers[0]?.status;
}

async function reload(): Promise<{ readonly status: number | undefined; readonly text: string }> {
  const head = `POST /-/reload HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${program.keys.KADM.text}\r\nContent-Length: 0\r\n\r\n`;
  const [answer] = (await send(program.adminPort, head, { timeoutMs: 120_000 })).answers;
  return { status: answer?.status, text: answer?.body.toString('utf8') ?? '' };
}

t.test('the directory is compiled at the start', async (t) => {
  t.equal(await status(), 200);
});

t.test('a rule that its tests contradict is refused with file and test, and the old generation serves', async (t) => {
  ship(withoutReads);
  const answer = await reload();
  t.not(answer.status, 200);
  t.match(answer.text, /authz_test\.rego:\d+:.*test_failed: data\.memgate\.authz_test\.\w+ does not pass/);
  t.equal(await status(), 200);
  t.equal(await program.metric('config_last_reload_successful'), 0);
});

t.test('a rule that was edited decides after the reload', async (t) => {
  ship((dir) => {
    withoutReads(dir);
    withoutTests(dir);
  });
  const answer = await reload();
  t.equal(answer.status, 200, answer.text);
  t.equal(await status(), 403);
  t.equal(await program.metric('config_last_reload_successful'), 1);
});

t.test('broken Rego is refused with file and row', async (t) => {
  ship((dir) => {
    edit(dir, (text) => `${text}\nallow if now == time.now_ns()\n`);
  });
  const answer = await reload();
  t.not(answer.status, 200);
  t.match(answer.text, /memgate\/authz\/authz\.rego:\d+:\d+: rego_\w+_error/);
  t.equal(await status(), 403);
});

/** The build counter, which the signature of the directory covers. */
function number(dir: string, serial: number | null): void {
  const file = join(dir, '.manifest');
  const manifest: Readonly<Record<string, unknown>> = JSON.parse(readFileSync(file, 'utf8'));
  if (serial !== null) writeFileSync(file, JSON.stringify({ ...manifest, metadata: { memgate: { serial } } }));
}

const opa = join(root, '.cache', 'bin', 'opa');

interface Signer {
  readonly verification: object;
  sign(dir: string, serial: number | null): void;
}

function signer(id: string): Signer {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const file = (kind: string): string => join(program.dir, `${id}.${kind}`);
  writeFileSync(file('public'), publicKey.export({ type: 'spki', format: 'pem' }));
  writeFileSync(file('private'), privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  writeFileSync(file('claims'), JSON.stringify({ keyid: id }));
  const args = ['sign', '--signing-key', file('private'), '--signing-alg', 'ES256', '--claims-file', file('claims')];
  return {
    verification: { keys: { [id]: { algorithm: 'ES256', public_key_file: file('public') } } },
    sign: (dir, serial) => {
      number(dir, serial);
      execFileSync(opa, [...args, '--bundle', '.'], { cwd: dir });
    },
  };
}

t.test('where keys are named the directory must be signed, whole', async (t) => {
  const team = signer('team');
  await program.writeConfig({ policy: { ...policy, verification: team.verification } });
  ship();
  t.match((await reload()).text, /is not signed/);
  t.equal(await status(), 403);
  if (!existsSync(opa)) {
    t.comment('left out: a directory that opa has signed (opa is not there)');
    return;
  }
  ship((dir) => {
    team.sign(dir, null);
  });
  t.match((await reload()).text, /has no serial in its signed metadata/);
  ship((dir) => {
    team.sign(dir, 1);
  });
  const taken = await reload();
  t.equal(taken.status, 200, taken.text);
  t.equal(await status(), 200);
  ship((dir) => {
    team.sign(dir, 1);
    edit(dir, (text) => `${text}\n# later\n`);
  });
  t.match((await reload()).text, /is not what was signed/);
  await goBack(t, team, signer('other'));
});

/** What is kept was compiled here and bears no signature: that of its directory counts, by the keys of now. */
async function goBack(t: Test, team: Signer, other: Signer): Promise<void> {
  const take = async (by: Signer, serial: number, change: (dir: string) => void = () => undefined): Promise<void> => {
    await program.writeConfig({ policy: { ...policy, verification: by.verification } });
    ship((dir) => {
      change(dir);
      by.sign(dir, serial);
    });
    const answer = await reload();
    t.equal(answer.status, 200, answer.text);
  };
  const closed = (dir: string): void => {
    withoutReads(dir);
    withoutTests(dir);
  };
  await take(team, 1);
  await take(team, 2, closed);
  t.equal(await status(), 403);
  const from = program.audit.mark();
  const back = await program.command(['rollback', '--format', 'json']);
  t.equal(back.code, 0, back.stdout);
  t.equal(await status(), 200);
  const record = await program.audit.find(from, ({ type }) => type === 'policy.rolled-back');
  t.match(record, { serial: 1, serial_before: 2 });
  await take(other, 3, closed);
  const stolen = await program.command(['rollback']);
  t.match(stolen.stdout + stolen.stderr, /is signed by key "team", which is not known here/);
  t.equal(await status(), 403, 'nothing comes back that a removed key has signed');
}

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { loadManifests } from '../../src/identify/identify.js';
import { startProgram } from './support/program.js';
import { send, type Answer } from './support/wire.js';

/* What operators ask about decisions, of the running program and of its files, by the built command line and the admin API. */

const program = await startProgram(t, { warm: false });
const recall = 'GET /api/v1/memories/recall?q=x HTTP/1.1\r\nHost: localhost:8080\r\n';
const { KA, KR, KALL, KADM } = program.keys;

const ask = async (port: number, head: string, key: { readonly text: string }, headers = ''): Promise<Answer> => {
  const { answers } = await send(port, `${head}Authorization: Bearer ${key.text}\r\n${headers}\r\n`);
  const [answer] = answers;
  if (answer === undefined) throw new Error('no answer');
  return answer;
};

async function decided(key: { readonly text: string }, space: string, status: number, t: Test): Promise<string> {
  const answer = await ask(program.port, recall, key, `X-Memory-Space: ${space}\r\n`);
  t.equal(answer.status, status);
  return answer.header('x-request-id') ?? '';
}

/** A change of rights that needs no compiler: data of one name in the place of the bundle's. */
function dataOf(t: Test, files: Readonly<Record<string, string>>): string {
  const dir = t.testdir();
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return dir;
}

const policy = (...args: readonly string[]): ReturnType<typeof program.command> => program.command(['policy', ...args]);

t.test('a refusal is explained by command and API, with rule, entry and what would help', async (t) => {
  const id = await decided(KR, 'beta', 403, t);
  const told = await policy('explain', '--id', id);
  t.equal(told.code, 0, told.stderr);
  t.match(told.stdout, new RegExp(`^decision +${id}$`, 'm'));
  t.match(told.stdout, /^result +deny: authorize\.denied/m);
  t.match(told.stdout, new RegExp(`^who +api_key ${KR.id} of owner-kr$`, 'm'));
  t.match(told.stdout, /^space\.forbidden$/m);
  t.match(told.stdout, /^ {2}because {2}the request reaches beta, and the spaces of the caller are alpha$/m);
  t.match(told.stdout, /^ {2}rule {5}data\.memgate\.spaces\.reasons in memgate\/spaces\/spaces\.rego$/m);
  t.match(told.stdout, /reasons contains "space\.forbidden" if \{/);
  t.match(told.stdout, /^ {2}needs {4}beta among its spaces$/m);
  t.match(told.stdout, /^policy +revision [0-9a-f]+ \(it decided;/m);

  const path = `GET /api/v1/decisions/${id}/explain HTTP/1.1\r\nHost: localhost\r\n`;
  const answer = await ask(program.adminPort, path, KADM);
  t.equal(answer.status, 200);
  t.match(answer.json(), {
    id,
    effect: 'deny',
    allow: false,
    reasons: [{ code: 'space.forbidden', needs: ['beta among its spaces'] }],
    policy: { decided: true },
    notes: [],
  });
  const json = await policy('explain', '--id', id, '--format', 'json');
  t.strictSame(JSON.parse(json.stdout), answer.json(), 'both call the same');
  for (const secret of [KR.secret, KR.text, KADM.secret]) t.notMatch(answer.body.toString(), secret);

  t.equal((await ask(program.adminPort, path, KA)).status, 403, 'not without AdminAudit');
  const own = (await ask(program.adminPort, path, KADM)).header('x-request-id') ?? '';
  t.match(
    (await ask(program.adminPort, path.replace(id, own), KADM)).json(),
    { route: 'admin.explain', allow: true },
    'the look is a decision too',
  );
  for (const [unknown, status] of [
    ['01ARZ3NDEKTSV4RRFFQ69G5FAV', 404],
    ['x', 404],
    ['..%2f', 400],
  ] as const)
    t.equal((await ask(program.adminPort, path.replace(id, unknown), KADM)).status, status, unknown);
});

t.test('a missing permission names the roles that have it; an allow names what gave it', async (t) => {
  const forget = 'DELETE /api/v1/memories/m1 HTTP/1.1\r\nHost: localhost:8080\r\nX-Memory-Space: alpha\r\n';
  const denied = (await ask(program.port, forget, KR)).header('x-request-id') ?? '';
  t.match(JSON.parse((await policy('explain', '--id', denied, '--format', 'json')).stdout), {
    missing: [{ permission: 'MemoryDelete', roles: ['writer'] }],
  });
  const traced = await policy('explain', '--id', denied, '--trace');
  t.equal(traced.code, 0, traced.stderr);
  t.match(traced.stdout, /^enter +\d+ +memgate\/authz\/authz\.rego:\d+ +data\.memgate\.authz\.decision$/m);
  t.match(traced.stdout, /^fail +\d+ +memgate\/roles\/roles\.rego:\d+ +_held$/m);
  const id = await decided(KA, 'alpha', 200, t);
  const told = await policy('explain', '--id', id);
  t.match(told.stdout, /^granted by +MemoryRead is a permission of the caller$/m);
  t.match(told.stdout, /alpha is among the spaces of the caller$/m);
  t.match(told.stdout, /^tier +unlimited, from the caller$/m);
});

t.test('what was refused before the policy is explained as that; an unknown id is said to be none', async (t) => {
  const answer = await ask(program.port, 'GET /nowhere HTTP/1.1\r\nHost: localhost:8080\r\n', KA);
  const told = await policy('explain', '--id', answer.header('x-request-id') ?? '');
  t.match(told.stdout, /^result +deny: resolve\.unknown-route \(There is no such route\.\)/m);
  t.match(told.stdout, /^note +the request was refused before the policy was asked$/m);
  const none = await policy('explain', '--id', '01ARZ3NDEKTSV4RRFFQ69G5FAV');
  t.match(none, { code: 1, stderr: /holds no decision "01ARZ3NDEKTSV4RRFFQ69G5FAV"/ });
  t.match(await policy('explain'), { code: 2, stderr: /--id DECISION/ });
});

t.test('after a reload the explanation says that another generation decided', async (t) => {
  const id = await decided(KR, 'beta', 403, t);
  const data = dataOf(t, { 'tiers.yaml': 'free:\n  limits: []\nunlimited:\n  limits: []\n' });
  await program.writeConfig({ policy: { data } });
  t.equal((await program.reload()).status, 200);
  const told = await policy('explain', '--id', id, '--format', 'json');
  const revision = /^[0-9a-f]{32}$/;
  t.match(JSON.parse(told.stdout), { revision, policy: { decided: false }, notes: [/another generation decided/] });
  const files = await policy('explain', '--id', id, '--log', program.auditDir, '--format', 'json');
  t.match(
    JSON.parse(files.stdout),
    { revision, policy: { decided: null }, reasons: [{ code: 'space.forbidden' }] },
    'from files alone',
  );
  await program.writeConfig({});
  t.equal((await program.reload()).status, 200);
});

t.test('what if: the answer is what a request gets', async (t) => {
  const supposed = async (key: { readonly id: string }, route: string, ...more: readonly string[]) =>
    JSON.parse((await policy('explain', '--key', key.id, '--route', route, ...more, '--format', 'json')).stdout) as {
      allow: boolean;
      reasons: { code: string }[];
      input: Record<string, Record<string, unknown>>;
    };
  for (const [key, space, status] of [
    [KR, 'alpha', 200],
    [KR, 'beta', 403],
    [KALL, 'beta', 200],
    [KALL, 'nobody', 403],
  ] as const) {
    const { allow, reasons, input } = await supposed(key, 'memories.recall', '--space', space);
    const id = await decided(key, space, status, t);
    const real = await program.audit.find(0, (record) => record.id === id && record.effect !== undefined);
    t.equal(allow, status === 200, `${space}: allow`);
    t.strictSame(
      reasons.map(({ code }) => code),
      real['reasons'],
      `${space}: reasons`,
    );
    const recorded = real['input'] as typeof input;
    t.strictSame(shape(input), shape(recorded), `${space}: the same question`);
    t.strictSame(input['subject'], recorded['subject']);
    t.strictSame({ ...input['spaces'] }, recorded['spaces']);
  }
  t.match(await policy('explain', '--key', KR.id, '--route', 'no.such'), {
    code: 1,
    stderr: /has no route "no\.such"/,
  });
  t.match(await policy('explain', '--key', 'k', '--route', 'memories.recall'), { code: 1, stderr: /no key "k"/ });
});

/** Names of all members. */
const shape = (value: unknown): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
    ? Object.fromEntries(Object.entries(value).map(([name, member]) => [name, shape(member)]))
    : null;

t.test('replay beside the running process tells what other data would have decided', async (t) => {
  await decided(KA, 'alpha', 200, t);
  const bundle = join(process.cwd(), 'policies', 'dist', 'memgate.tar.gz');
  const same = await policy('replay', '--bundle', bundle, '--fail-on-difference', '--format', 'json');
  t.equal(same.code, 0, same.stderr);
  const report = JSON.parse(same.stdout) as { replayed: number; same: number };
  t.ok(report.replayed > 5 && report.replayed === report.same, `${String(report.replayed)} asked again`);

  const data = dataOf(t, { 'tiers.yaml': 'free:\n  limits: []\n' });
  const other = await policy('replay', '--bundle', bundle, '--data', data, '--fail-on-difference');
  t.equal(other.code, 1, other.stderr);
  t.match(other.stdout, /decisions differ$/m);
  t.match(other.stdout, /^would_deny +\d+ +memories\.recall +api_key:\S+ +alpha +allow +deny \(tier\.unknown\)/m);
  const markdown = await policy('replay', '--bundle', bundle, '--data', data, '--format', 'markdown');
  t.equal(markdown.code, 0, 'differences fail only where that is wanted');
  t.match(markdown.stdout, /^\| would\\_deny \|/m);
  t.match(await policy('replay', '--bundle', 'no-such-file'), { code: 2, stderr: /no-such-file/ });
  t.match(await policy('replay', '--bundle', bundle, '--log', '/no/such/dir'), { code: 2, stderr: /no audit log/ });
  t.match(await policy('replay', '--bundle', bundle, '--since', 'soon'), { code: 2, stderr: /--since/ });
});

t.test('the matrix of roles and of keys comes from the policy and the keys in force', async (t) => {
  const roles = await policy('matrix');
  t.equal(roles.code, 0, roles.stderr);
  t.match(roles.stdout, /^ +\(none\) +admin +auditor +operator +reader +space-manager +writer$/m);
  t.match(roles.stdout, /^MemoryWrite +- +- +- +- +- +- +yes$/m);
  const { cells } = JSON.parse(
    (await policy('matrix', '--keys', '--spaces', 'alpha,beta,*', '--format', 'json')).stdout,
  ) as {
    cells: { caller: string; action: string; space: string | null; allow: boolean }[];
  };
  const of = (id: string, action: string): unknown =>
    cells.filter((cell) => cell.caller.endsWith(id) && cell.action === action && cell.allow).map(({ space }) => space);
  t.strictSame(of(KA.id, 'MemoryWrite'), ['alpha']);
  t.strictSame(of(KR.id, 'MemoryWrite'), []);
  t.strictSame(of(KALL.id, 'MemoryRead'), ['alpha', 'beta', '*']);
  t.strictSame(of(KADM.id, 'AdminAudit'), [null]);
  t.notOk(
    cells.some(({ caller }) => caller.endsWith(program.keys.KX.id)),
    'no expired key',
  );
  const html = await policy('matrix', '--keys', '--routes', '--format', 'html');
  t.match(html.stdout, /<tbody>\n<tr><th>/);
  t.match((await policy('matrix', '--routes', '--format', 'markdown')).stdout, /^\| memories\\?\.recall \|/m);
  t.match(await policy('matrix', '--roles', '--keys'), { code: 2, stderr: /not both/ });
});

t.test('advice becomes a manifest that loads', async (t) => {
  await decided(KA, 'alpha', 200, t);
  const json = await policy('advise', '--since', '30d', '--format', 'json');
  t.equal(json.code, 0, json.stderr);
  const { keys, days } = JSON.parse(json.stdout) as {
    days: number;
    keys: { id: string; keep: object; unused: object }[];
  };
  t.ok(days >= 0 && days < 1);
  t.match(
    keys.find(({ id }) => id === KA.id),
    { keep: { permissions: ['MemoryRead'] }, unused: { permissions: ['MemoryWrite', 'MemoryDelete'] } },
  );
  const yaml = await policy('advise', '--format', 'yaml');
  const dir = join(t.testdir(), 'keys');
  mkdirSync(dir);
  writeFileSync(join(dir, 'patch.yaml'), yaml.stdout);
  const loaded = await loadManifests(dir);
  if (!loaded.ok) throw new Error(JSON.stringify(loaded.why));
  t.match(
    loaded.value.entries.find(({ id }) => id === KA.id),
    { permissions: ['MemoryRead'], spaces: ['alpha'], tier: 'unlimited' },
  );
  t.match((await policy('advise')).stdout, /^days of log +/m);
});

t.test('two policies are compared on the matrix', async (t) => {
  const bundle = join(process.cwd(), 'policies', 'dist', 'memgate.tar.gz');
  const same = await policy('diff', bundle, bundle, '--fail-on-difference');
  t.equal(same.code, 0, same.stderr);
  t.match(same.stdout, /^cases that change +0$/m);
  t.match(await policy('diff', bundle, 'no-such-file'), { code: 2, stderr: /no-such-file/ });
});

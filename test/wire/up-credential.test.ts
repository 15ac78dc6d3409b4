import { createHmac, randomBytes } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import t from 'tap';
import { H, SA, SB, wireCase, type Case } from './support/cases.js';
import { startProgram } from './support/program.js';
import { answers, type RecordedRequest } from './support/recorder.js';
import { reload } from './support/steps.js';

const newSecret = (): string => randomBytes(24).toString('base64url');
const secrets = { alpha: newSecret(), beta: newSecret(), rest: newSecret(), next: newSecret(), mint: newSecret() };
const all = Object.values(secrets);

const program = await startProgram(t);
const file = (name: string): string => join(program.dir, name);
for (const [name, secret] of Object.entries(secrets)) await writeFile(file(name), `${secret}\n`, { mode: 0o600 });
await writeFile(file('short'), randomBytes(18).toString('base64url'));

/** GET as a key in a space. */
const recall = (one: Case, key: 'KA' | 'KB' | 'KALL', space: string): string =>
  `GET /api/v1/memories/recall?q=x HTTP/1.1\r\n${H}${one.key(key)}${space}\r\n`;

const health = (one: Case): string => `GET /api/v1/spaces HTTP/1.1\r\n${H}${one.key('KALL')}\r\n`;

const bearers = (request: RecordedRequest): readonly string[] => request.values('authorization');
const allow = (
  value: string | RegExp,
): { hashes: true; credential: { header: string; value: string | RegExp; secrets: string[] } } => ({
  hashes: true,
  credential: { header: 'authorization', value, secrets: all },
});

/** What the memory server was shown is nowhere else. */
async function neverTold(one: Case, shown: readonly string[]): Promise<void> {
  const places = { log: program.stderr, audit: program.audit.textSince(0), metrics: await program.metrics() };
  for (const [place, text] of Object.entries(places))
    one.t.notOk(
      shown.some((value) => text.includes(value.replace('Bearer ', ''))),
      `not in the ${place}`,
    );
}

const bySpace = { alpha: { from_file: file('alpha') }, beta: { from_file: file('beta') } };

await wireCase(t, program, { name: 'a credential for each space', allow: allow(/^Bearer \S{32}$/) }, async (one) => {
  await program.writeConfig({ upstream: { credential: { by_space: bySpace } } });
  await reload(one);
  const alpha = await one.passes('alpha', recall(one, 'KA', SA));
  const beta = await one.passes('beta', recall(one, 'KB', SB));
  one.t.strictSame([bearers(alpha), bearers(beta)], [[`Bearer ${secrets.alpha}`], [`Bearer ${secrets.beta}`]]);
  for (const [name, request] of Object.entries({
    'a space without one': recall(one, 'KALL', 'X-Memory-Space: default\r\n'),
    'all spaces': health(one),
  })) {
    const from = one.recorder.received;
    const [answer] = (await one.send(request)).answers;
    one.t.equal(answer?.status, 503, name);
    one.t.match(answer?.json().type, /upstream\.no-credential$/, `${name}: with its own code`);
    one.t.equal(one.recorder.received - from, 0, `${name}: nothing was forwarded`);
    const id = answer?.header('x-request-id');
    const outcome = await program.audit.find(
      one.from.audit,
      (record) => record.id === id && record['not_forwarded'] != null,
    );
    one.t.equal(outcome['not_forwarded'], 'upstream.no-credential', `${name}: recorded`);
  }
  await neverTold(one, all);
});

await wireCase(t, program, { name: 'with a default for the others', allow: allow(/^Bearer \S{32}$/) }, async (one) => {
  await program.writeConfig({ upstream: { credential: { by_space: bySpace, from_file: file('rest') } } });
  await reload(one);
  one.t.strictSame(bearers(await one.passes('alpha', recall(one, 'KA', SA))), [`Bearer ${secrets.alpha}`]);
  one.t.strictSame(bearers(await one.passes('all spaces', health(one))), [`Bearer ${secrets.rest}`]);
});

await wireCase(
  t,
  program,
  { name: 'a file that changes is read again without a reload', allow: allow(/^Bearer \S{32}$/) },
  async (one) => {
    await program.writeConfig({ upstream: { credential: { from_file: file('rest') } } });
    await reload(one);
    one.t.strictSame(bearers(await one.passes('before', one.good)), [`Bearer ${secrets.rest}`]);
    const generation = program.audit.since(one.from.audit).at(-1)?.['generation'];
    const refused = 'upstream_credential_files_refused';

    await writeFile(file('rest'), 'change-me-change-me-please');
    for (let i = 0; i < 50 && (await program.metric(refused)) === 0; i += 1) await sleep(100);
    one.t.equal(await program.metric(refused), 1, 'a placeholder is refused');
    one.t.equal(await program.metric('upstream_credential_reads_total{result="failure"}'), 1);
    one.t.match(program.stderr.slice(one.from.stderr), /"level":50.*upstream\.credential-refused/, 'and said');
    one.t.strictSame(bearers(await one.passes('meanwhile', one.good)), [`Bearer ${secrets.rest}`], 'the old one stays');

    await writeFile(file('rest.new'), secrets.next, { mode: 0o600 });
    await rename(file('rest.new'), file('rest'));
    for (let i = 0; i < 50 && (await program.metric(refused)) === 1; i += 1) await sleep(100);
    one.t.equal(await program.metric('upstream_credential_reads_total{result="success"}'), 1);
    const after = await one.passes('after', one.good);
    one.t.strictSame(bearers(after), [`Bearer ${secrets.next}`], 'the new one is in force');
    const record = await program.audit.find(
      one.from.audit,
      ({ id, effect }) => id === after.id && effect !== undefined,
    );
    one.t.equal(record['generation'], generation, 'in the same generation');
  },
);

interface Claims {
  readonly sub: string;
  readonly iat: number;
  readonly exp: number;
}

/** Reads what came as the server would. */
function claimsOf(one: Case, request: RecordedRequest): Claims & Readonly<Record<string, unknown>> {
  const [value = ''] = bearers(request);
  const [head = '', claims = '', signature] = value.replace('Bearer ', '').split('.');
  const wanted = createHmac('sha256', secrets.mint).update(`${head}.${claims}`).digest('base64url');
  one.t.equal(signature, wanted, 'the signature holds');
  one.t.strictSame(JSON.parse(Buffer.from(head, 'base64url').toString()), { alg: 'HS256', typ: 'JWT' });
  return JSON.parse(Buffer.from(claims, 'base64url').toString());
}

const jwt = /^Bearer [\w-]+\.[\w-]+\.[\w-]{43}$/;
const mint = { secret: { from_file: file('mint') } };

await wireCase(
  t,
  program,
  { name: 'a token made for the request', allow: { ...allow(jwt), good: null } },
  async (one) => {
    await program.writeConfig({
      upstream: { credential: { mint: { ...mint, ttl_ms: 30_000, claims: { iss: 'memgate' } } } },
    });
    await reload(one);
    const nowS = Math.floor(Date.now() / 1_000);
    const shown: string[] = [];
    for (const [key, line, space] of [
      ['KA', SA, 'alpha'],
      ['KB', SB, 'beta'],
      ['KALL', 'X-Memory-Space: default\r\n', 'default'],
      ['KALL', '', 'default'],
    ] as const) {
      const request = await one.passes(`${key} in ${space}`, recall(one, key, line));
      const { iat, exp, ...rest } = claimsOf(one, request);
      one.t.strictSame(rest, { iss: 'memgate', sub: space }, 'who, and no role or audience');
      one.t.equal(exp - iat, 30, 'short');
      one.t.ok(Math.abs(iat - nowS) <= 5, 'from now on');
      shown.push(...bearers(request));
    }
    one.t.equal(new Set(shown).size, 3, 'the same one again for the same space');
    await neverTold(one, [...shown, ...all]);

    const token = shown[0] ?? '';
    await one.refused(
      'such a token is nothing to us',
      `GET /api/v1/memories/recall?q=x HTTP/1.1\r\n${H}Authorization: ${token}\r\n${SA}\r\n`,
      {
        status: 401,
      },
    );
    for (const name of ['all spaces']) {
      const from = one.recorder.received;
      const [answer] = (await one.send(health(one))).answers;
      one.t.equal(answer?.status, 503, name);
      one.t.match(answer?.json().type, /upstream\.no-credential$/);
      one.t.equal(one.recorder.received - from, 0, 'nothing was forwarded');
    }
    one.recorder.script({
      request: answers.raw('HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Length: 0\r\n\r\n'),
    });
    const [answer] = (await one.send(recall(one, 'KA', SA))).answers;
    one.t.equal(answer?.status, 502, 'a 401 is the operator’s concern');
    one.t.equal(answer?.header('www-authenticate'), undefined);
  },
);

await wireCase(
  t,
  program,
  { name: 'a named administrator for all spaces', allow: { ...allow(jwt), good: null } },
  async (one) => {
    await program.writeConfig({ upstream: { credential: { mint: { ...mint, admin_subject: 'ADMIN', jti: true } } } });
    await reload(one);
    const first = claimsOf(one, await one.passes('all spaces', health(one)));
    one.t.equal(first.sub, 'ADMIN');
    one.t.not(claimsOf(one, await one.passes('again', health(one)))['jti'], first['jti'], 'no id twice');
    one.t.equal(claimsOf(one, await one.passes('one space', recall(one, 'KALL', SA))).sub, 'alpha');
  },
);

const refusedLoads = [
  {
    name: 'a secret that is too short for the algorithm',
    credential: { mint: { secret: { from_file: file('short') } } },
    want: /mint\.secret: file .*short" holds 24 characters; at least 32/,
  },
  {
    name: 'an administrator who could be a space',
    credential: { mint: { ...mint, admin_subject: 'admin' } },
    want: /admin_subject: "admin" could be a space/,
  },
  { name: 'a role', credential: { mint: { ...mint, claims: { roles: 'admin' } } }, want: /gives no rank away/ },
  {
    name: 'a subject of one’s own',
    credential: { mint: { ...mint, claims: { sub: 'root' } } },
    want: /gives no rank away/,
  },
  { name: 'two kinds at once', credential: { mint, from_file: file('rest') }, want: /mint stands alone/ },
  { name: 'none of them', credential: { header: 'X-Key' }, want: /needs exactly one of/ },
  {
    name: 'a space of no such form',
    credential: { by_space: { ALPHA: { from_file: file('alpha') } } },
    want: /by_space\.ALPHA: is no space of the profile/,
  },
  {
    name: 'an absent file of a space',
    credential: { by_space: { alpha: { from_file: file('gone') } } },
    want: /by_space\.alpha: file .*gone" cannot be read: ENOENT/,
  },
  {
    name: 'the header of the space',
    credential: { header: 'X-Memory-Space', from_file: file('rest') },
    want: /is a space carrier or trust header/,
  },
  {
    name: 'one secret for a server that knows its users by it',
    profile: 'memoric',
    credential: { from_file: file('rest') },
    want: /memoric takes the space from its credential: one for all makes all callers one/,
  },
  {
    name: 'a default for a server that knows its users by it',
    profile: 'memoric',
    credential: { by_space: bySpace, from_file: file('rest') },
    want: /by_space without a default/,
  },
  {
    name: 'a claim that the server refuses',
    profile: 'memoric',
    credential: { mint: { ...mint, claims: { aud: 'memory' } } },
    want: /mint\.claims\.aud: memoric refuses tokens with this claim/,
  },
  {
    name: 'no default for a server that is asked before a space is known',
    profile: 'mem0',
    credential: { by_space: bySpace },
    want: /by_space: mem0 is asked which space an object has before a space is known \(.*\): give a from_file or from_env/,
  },
];
for (const { name, profile, credential, want } of refusedLoads) {
  await t.test(`refused at load: ${name}`, async (t) => {
    await program.writeConfig({ upstream: { credential }, ...(profile !== undefined && { profile }) });
    const { status, body } = await program.reload();
    t.equal(status, 422);
    t.match((body.problems as string[]).join('\n'), want);
    t.notOk(all.some((secret) => JSON.stringify(body).includes(secret)));
  });
}

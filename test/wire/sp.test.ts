import { randomBytes } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import t from 'tap';
import { root } from './support/build.js';
import { H, J, SA, SB, wireCase, type Case } from './support/cases.js';
import { makeKey } from './support/keys.js';
import { startProgram } from './support/program.js';
import type { RecordedRequest } from './support/recorder.js';

const program = await startProgram(t);
const recall = '/api/v1/memories/recall?q=x';
const carriers = ['x-memory-space', 'x-memory-space-id', 'x-engram-memory-space'];

/** GET with exactly these header lines beside Host. */
const get = (target: string, lines: string): string => `GET ${target} HTTP/1.1\r\n${H}${lines}\r\n`;

const post = (target: string, lines: string, body: string | Buffer): Buffer => {
  const bytes = Buffer.from(body);
  const head = `POST ${target} HTTP/1.1\r\n${H}${lines}Content-Length: ${String(bytes.length)}\r\n\r\n`;
  return Buffer.concat([Buffer.from(head, 'latin1'), bytes]);
};

/** The space stands at the recorder once, in its one place. */
function onlyCarrier(c: Case, request: RecordedRequest, space: string): void {
  const found = carriers.flatMap((name) => request.values(name).map((value) => `${name}: ${value}`));
  c.t.strictSame(found, [`x-memory-space: ${space}`], 'the one canonical carrier');
  c.t.notMatch(request.target, /space/, 'none in the query');
}

// Two tenants whose names say the same when they are written one after the other, with whatever stands between.
const separators = ['', '.', '-', '_'];
const tenants = separators.flatMap((separator) => [
  { id: `a${separator}b`, space: 'c' },
  { id: 'a', space: `b${separator}c` },
]);
const tokens = new Map(tenants.map(({ id }) => [id, randomBytes(24).toString('base64url')]));
const data = join(program.dir, 'policy-data');
await mkdir(data);
// Policy data holds plain names only; a name that a key is granted literally is known as well.
const names = ['a&b', 'b&c', 'a', ...tenants.map(({ space }) => space)];
await program.writeManifest([await makeKey('wide', { spaces: [...new Set(names)], permissions: ['MemoryRead'] })]);
const limit = { id: 'tier', algorithm: 'token_bucket', rate: 1, per: 3_600, burst: 1, cost: 1 };
await writeFile(
  join(data, 'tiers.yaml'),
  JSON.stringify({
    unlimited: { limits: [] },
    free: { limits: [{ ...limit, key: ['subject', 'space'] }] },
    pro: { limits: [{ ...limit, key: ['space', 'subject'] }] },
    premium: { limits: [{ ...limit, key: ['space'] }] },
  }),
);
for (const [id, secret] of tokens) await writeFile(join(program.dir, `token-${id}`), secret, { mode: 0o600 });
const staticTokens = (tier: string): object[] =>
  [...tokens.keys()].map((id) => ({
    id,
    from_file: join(program.dir, `token-${id}`),
    spaces: ['*'],
    permissions: ['MemoryRead'],
    tier,
  }));
const wide = (text: string): string => text.replace('[a-z0-9_-]{3,64}', '[a-z0-9&._-]{1,64}');

await wireCase(t, program, { name: 'SP-01 the header of another space' }, async (c) => {
  await c.refused('beta', get(recall, c.key('KA') + SB), { status: 403, code: 'authorize.denied' });
  await c.refused('alpha for KB', get(recall, c.key('KB') + SA), { status: 403, code: 'authorize.denied' });
  onlyCarrier(c, await c.passes('alpha', get(recall, c.key('KA') + SA)), 'alpha');
  onlyCarrier(c, await c.passes('beta for KALL', get(recall, c.key('KALL') + SB)), 'beta');
});

await wireCase(t, program, { name: 'SP-02 two headers that differ' }, async (c) => {
  const pairs = [
    `${SA}X-Memory-Space-Id: beta\r\n`,
    `X-Memory-Space-Id: beta\r\n${SA}`,
    `${SB}X-Memory-Space-Id: alpha\r\n`,
    `${SA}X-Engram-Memory-Space: beta\r\n`,
    'X-Memory-Space-Id: alpha\r\nX-Engram-Memory-Space: beta\r\n',
  ];
  for (const lines of pairs)
    await c.refused(lines.trim(), get(recall, c.key('KA') + lines), { status: 400, code: 'space.conflict' });
  await c.refused('also for who may do both', get(recall, c.key('KALL') + (pairs[0] ?? '')), {
    status: 400,
    code: 'space.conflict',
  });
});

await wireCase(t, program, { name: 'SP-03 a header that the server does not obey' }, async (c) => {
  onlyCarrier(
    c,
    await c.passes('X-Memory-Space-Id', get(recall, `${c.key('KA')}X-Memory-Space-Id: alpha\r\n`)),
    'alpha',
  );
  onlyCarrier(
    c,
    await c.passes('X-Engram-Memory-Space', get(recall, `${c.key('KA')}x-engram-memory-space: alpha\r\n`)),
    'alpha',
  );
  onlyCarrier(
    c,
    await c.passes(
      'all three',
      get(recall, `${c.key('KA')}X-Memory-Space-Id: alpha\r\n${SA}X-Engram-Memory-Space: alpha\r\n`),
    ),
    'alpha',
  );
  await c.refused('beta there', get(recall, `${c.key('KA')}X-Memory-Space-Id: beta\r\n`), {
    status: 403,
    code: 'authorize.denied',
  });
});

await wireCase(t, program, { name: 'SP-05 one header, more than one value' }, async (c) => {
  const wrong = [
    SA + SA,
    SA + SB,
    `${SA}x-memory-space: alpha\r\n`,
    'X-Memory-Space: alpha, beta\r\n',
    'X-Memory-Space: alpha,\r\n',
    'X-Memory-Space: ,alpha\r\n',
    'X-Memory-Space: alpha beta\r\n',
    'X-Memory-Space: alpha;beta\r\n',
    'X-Memory-Space:\r\n',
    `${SA}X_Memory_Space: alpha\r\n`,
  ];
  for (const lines of wrong) await c.refused(JSON.stringify(lines), get(recall, c.key('KA') + lines), { status: 400 });
});

await wireCase(t, program, { name: 'SP-06 the query' }, async (c) => {
  for (const name of ['space', '%73pace', 'spac%65', 'memory_space_id']) {
    await c.refused(`${name} beside the header`, get(`${recall}&${name}=beta`, c.key('KA') + SA), {
      status: 400,
      code: 'space.conflict',
    });
    await c.refused(`${name} alone`, get(`${recall}&${name}=beta`, c.key('KA')), {
      status: 403,
      code: 'authorize.denied',
    });
    const passed = await c.passes(`${name} of alpha`, get(`${recall}&${name}=alpha&z=%41`, c.key('KA')));
    onlyCarrier(c, passed, 'alpha');
    c.t.equal(passed.target, `${recall}&z=%41`, 'the other pieces as they came');
  }
  await c.refused('twice', get(`${recall}&space=alpha&space=alpha`, c.key('KA') + SA), {
    status: 400,
    code: 'space.conflict',
  });
  const remember = post('/api/v1/memories/remember?space=alpha', c.key('KA') + J, '{"content":"x"}');
  onlyCarrier(c, await c.passes('where it is no carrier, the header is written', remember), 'alpha');
});

await wireCase(t, program, { name: 'SP-07 the body is stronger than the header' }, async (c) => {
  const body = '{"memory_space_id":"beta","query_text":"RECALL x"}';
  await c.refused('they differ', post('/api/v1/query', c.key('KA') + SA + J, body), {
    status: 400,
    code: 'space.conflict',
  });
  await c.refused('the body alone', post('/api/v1/query', c.key('KA') + J, body), {
    status: 403,
    code: 'authorize.denied',
  });
  await c.refused('the query says alpha', post('/api/v1/query?space=alpha', c.key('KA') + J, body), {
    status: 400,
    code: 'space.conflict',
  });
  const own = '{"memory_space_id":"alpha","query_text":"RECALL x"}';
  const passed = await c.passes('alpha', post('/api/v1/query', c.key('KA') + J, own));
  onlyCarrier(c, passed, 'alpha');
  c.t.equal(passed.body.toString(), own, 'the body as it came');
  await c.refused(
    'a reader who consolidates',
    post('/api/v1/query', c.key('KR') + SA + J, '{"query_text":"# x\\nconsolidate"}'),
    { status: 403 },
  );
});

await wireCase(t, program, { name: 'SP-09 a body field that is not one plain name' }, async (c) => {
  const values = [
    'null',
    '7',
    'true',
    '["alpha"]',
    '[]',
    '{"$eq":"beta"}',
    '""',
    '"alpha "',
    '" alpha"',
    '"ALPHA"',
    '"alpha\\u0000"',
    '"\\u00a0alpha"',
    '"alpha,beta"',
    '"*"',
  ];
  for (const [path, rest] of [
    ['/api/v1/memories/remember', '"content":"x"'],
    ['/api/v1/query', '"query_text":"RECALL x"'],
    ['/api/v1/complete', '"query":"x"'],
  ] as const) {
    for (const value of values) {
      const body = `{${rest},"memory_space_id":${value}}`;
      await c.refused(`${path} ${value}`, post(path, c.key('KA') + SA + J, body), {
        status: 400,
        code: 'space.malformed',
      });
      await c.refused(`${path} ${value}, no header`, post(path, c.key('KALL') + J, body), {
        status: 400,
        code: 'space.malformed',
      });
    }
    await c.refused(`${path} another name`, post(path, c.key('KA') + J, `{${rest},"memory_space_id":"beta"}`), {
      status: 403,
    });
    await c.refused(
      `${path} the key in another case`,
      post(path, c.key('KA') + SA + J, `{${rest},"Memory_Space_ID":"beta"}`),
      { status: 400 },
    );
    await c.refused(
      `${path} the key twice`,
      post(path, c.key('KA') + SA + J, `{${rest},"memory_space_id":"alpha","memory_\\u0073pace_id":"beta"}`),
      { status: 400, code: 'resolve.body' },
    );
  }
});

await wireCase(t, program, { name: 'SP-10 no carrier at all' }, async (c) => {
  await c.refused('KA', get(recall, c.key('KA')), { status: 403, code: 'authorize.denied' });
  await c.refused('KA writes', post('/api/v1/memories/remember', c.key('KA') + J, '{"content":"x"}'), { status: 403 });
  onlyCarrier(c, await c.passes('KALL', get(recall, c.key('KALL'))), 'default');
  const decision = c.records.find(({ effect }) => effect === 'allow');
  c.t.match(decision, { spaces: { all: false, ids: ['default'], explicit: false } }, 'decided as default');
});

await wireCase(t, program, { name: 'SP-15 a route that names an object and no space' }, async (c) => {
  const remove = (lines: string): string => `DELETE /api/v1/memories/m1 HTTP/1.1\r\n${H}${lines}\r\n`;
  for (const lines of ['', SA, 'X-Memory-Space-Id: alpha\r\n']) {
    const { answers } = await c.refused(`KA ${lines.trim()}`, remove(c.key('KA') + lines), {
      status: 403,
      code: 'authorize.denied',
    });
    const record = await c.refusalRecord(answers[0]);
    c.t.match(record, { reasons: ['space.all-required'], spaces: { all: true } });
  }
  const passed = await c.passes('KALL, and the stated space is cut', remove(c.key('KALL') + SA));
  c.t.strictSame(
    carriers.flatMap((name) => passed.values(name)),
    [],
  );
  // The read of one memory is looked up inside the space: the carrier decides, as everywhere.
  await c.refused('a read in beta', get('/api/v1/memories/m1', c.key('KA') + SB), { status: 403 });
  onlyCarrier(c, await c.passes('a read in alpha', get('/api/v1/memories/m1', c.key('KA') + SA)), 'alpha');
});

await wireCase(t, program, { name: 'SP-16 routes of all spaces, and of one that is fixed' }, async (c) => {
  await c.refused('the list of spaces', get('/api/v1/spaces', c.key('KA') + SA), { status: 403 });
  await c.refused('health of all spaces', get('/api/v1/system/health', c.key('KA')), {
    status: 403,
    code: 'authorize.denied',
  });
  await c.refused('metrics by space', get('/metrics', c.key('KA') + SA), { status: 403, code: 'authorize.denied' });
  await c.passes('the list, KALL', get('/api/v1/spaces', c.key('KALL')));
  await c.passes('health of all, KALL', get('/api/v1/system/health', c.key('KALL')));
  const one = await c.passes('health of alpha', get('/api/v1/system/health', c.key('KA') + SA));
  c.t.equal(one.target, '/api/v1/system/health?space=alpha', 'written where this route looks');
  for (const name of ['activities', 'memories', 'consolidation']) {
    const target = `/api/v1/stream/${name}`;
    await c.refused(`${target} serves default`, get(target, c.key('KA')), { status: 403, code: 'authorize.denied' });
    await c.refused(`${target} stated otherwise`, get(target, c.key('KA') + SA), {
      status: 400,
      code: 'space.conflict',
    });
    await c.refused(`${target} in the query`, get(`${target}?space=alpha`, c.key('KALL')), {
      status: 400,
      code: 'space.conflict',
    });
    await c.passes(`${target} for KALL`, get(target, c.key('KALL')));
  }
});

const mebibyte = 1_048_576;
/** A memory whose body has exactly that many bytes. */
const memory = (bytes: number): string => `{"content":"${'x'.repeat(bytes - 14)}"}`;
const chunked = (body: string): string => {
  const chunks: string[] = [];
  for (let at = 0; at < body.length; at += 65_536) {
    const part = body.slice(at, at + 65_536);
    chunks.push(`${part.length.toString(16)}\r\n${part}\r\n`);
  }
  return `${chunks.join('')}0\r\n\r\n`;
};

await wireCase(t, program, { name: 'SP-21 the inspect limit' }, async (c) => {
  const path = '/api/v1/memories/remember';
  const atLimit = memory(mebibyte);
  c.t.equal(atLimit.length, mebibyte);
  const passed = await c.passes('at the limit', post(path, c.key('KA') + SA + J, atLimit));
  c.t.equal(passed.body.length, mebibyte);
  const inChunks = await c.passes(
    'at the limit, in chunks',
    `${c.rememberHead('Transfer-Encoding: chunked\r\n')}${chunked(atLimit)}`,
  );
  c.t.equal(inChunks.body.length, mebibyte);
  c.t.equal(inChunks.framing, 'length', 'read whole, so its length is told');
  await c.refused('one byte over', post(path, c.key('KA') + SA + J, memory(mebibyte + 1)), {
    status: 413,
    code: 'gate.body-too-large',
  });
  // The head alone is enough, and so is the first byte too many: the rest is never sent.
  const head = (length: number): string => c.rememberHead(`Content-Length: ${String(length)}\r\n`);
  await c.refused('by its length alone', head(mebibyte + 1), { status: 413, code: 'gate.body-too-large' });
  const endless = `${c.rememberHead('Transfer-Encoding: chunked\r\n')}${(mebibyte * 4).toString(16)}\r\n${'x'.repeat(mebibyte + 1)}`;
  await c.refused('as soon as it is known, in chunks', endless, { status: 413, code: 'gate.body-too-large' });
});

await wireCase(t, program, { name: 'SP-22 bodies that two servers could read differently' }, async (c) => {
  const path = '/api/v1/query';
  const text = '{"memory_space_id":"alpha","query_text":"RECALL x"}';
  const to = (type: string, body: string | Buffer): Buffer => post(path, c.key('KA') + SA + type, body);
  const types = [
    '',
    'Content-Type: text/plain\r\n',
    'Content-Type: application/json; charset=utf-16\r\n',
    'Content-Type: application/json, text/plain\r\n',
    'Content-Type: application/x-www-form-urlencoded\r\n',
    `${J}Content-Encoding: gzip\r\n`,
  ];
  for (const type of types)
    await c.refused(`type ${JSON.stringify(type)}`, to(type, text), { status: 415, code: 'resolve.content-type' });
  await c.refused('two types', to(J + J, text), { status: 400 });
  const deep = (depth: number): string => `{"query_text":"RECALL x","a":${'['.repeat(depth)}${']'.repeat(depth)}}`;
  const many = `{"query_text":"RECALL x",${Array.from({ length: 100_000 }, (_, index) => `"${index.toString(36)}":0`).join(',')}}`;
  const bodies: Readonly<Record<string, string | Buffer>> = {
    'a byte order mark': `\ufeff${text}`,
    'two documents': `${text}${text}`,
    'two documents in lines': `${text}\n{"memory_space_id":"beta"}`,
    'trailing garbage': `${text}x`,
    'a trailing NUL': `${text}\0`,
    'depth 1,000': deep(1_000),
    'depth 33': deep(32),
    '100,000 keys': many,
    'a key twice': '{"memory_space_id":"alpha","memory_space_id":"beta","query_text":"x"}',
    'an inner key twice': '{"query_text":"x","a":{"b":1,"b":2}}',
    'a lone surrogate': '{"query_text":"\\ud800"}',
    'a byte that is no UTF-8': Buffer.from('{"query_text":"\xff"}', 'latin1'),
    'UTF-16': Buffer.from(text, 'utf16le'),
    'an array': `[${text}]`,
    __proto__: '{"query_text":"x","__proto__":{"memory_space_id":"beta"}}',
    'a comment': `${text.slice(0, -1)}/**/}`,
    'cut off': text.slice(0, -1),
  };
  for (const [name, body] of Object.entries(bodies))
    await c.refused(name, to(J, body), { status: 400, code: 'resolve.body' });
  await c.passes('charset=utf-8', to('Content-Type: application/json; charset=utf-8\r\n', text));
  await c.passes('depth 32', to(J, deep(31)));
});

/** Reloads with a profile of the test's own: Engram's with other lines. */
const useProfile = (
  name: string,
  change: (text: string) => string,
  config: Readonly<Record<string, unknown>> = {},
): Promise<unknown> =>
  t.test(`the profile ${name} is in force`, async (t) => {
    const text = await readFile(join(root, 'config', 'profiles', 'engram.yaml'), 'utf8');
    const changed = change(text);
    t.not(changed, text, 'the profile has such a line');
    const file = join(program.dir, `${name}.yaml`);
    await writeFile(file, changed);
    await program.writeConfig({ profile: file, ...config });
    const { status, body } = await program.reload();
    t.equal(status, 200, JSON.stringify(body));
  });

await useProfile('explicit', (text) => text.replace('  absent: default\n  default: default\n', '  absent: refuse\n'));
await wireCase(t, program, { name: 'SP-10 no carrier at all, where the space must be named' }, async (c) => {
  await c.refused('KA', get(recall, c.key('KA')), { status: 400, code: 'space.absent' });
  await c.refused('KALL', get(recall, c.key('KALL')), { status: 400, code: 'space.absent' });
  onlyCarrier(c, await c.passes('named', get(recall, c.key('KA') + SA)), 'alpha');
});

for (const tier of ['free', 'pro']) {
  await useProfile(`wide-${tier}`, wide, { static_tokens: staticTokens(tier), policy: { data } });
  await wireCase(t, program, { name: `SP-24 two tenants with names that flow together (tier ${tier})` }, async (c) => {
    const ask = (id: string, space: string): string =>
      get(recall, `Authorization: Bearer ${tokens.get(id) ?? ''}\r\nX-Memory-Space: ${space}\r\n`);
    for (const { id, space } of tenants)
      onlyCarrier(c, await c.passes(`${id} in ${space} has a bucket of its own`, ask(id, space)), space);
    for (const { id, space } of tenants)
      await c.refused(`${id} in ${space} has used it up`, ask(id, space), { status: 429, code: 'limit.exceeded' });
  });
}

await useProfile('wide-premium', wide, { static_tokens: staticTokens('premium'), policy: { data } });
await wireCase(t, program, { name: 'SP-24 names with a character that joins' }, async (c) => {
  const ask = (space: string): string =>
    get(recall, `Authorization: Bearer ${tokens.get('a') ?? ''}\r\nX-Memory-Space: ${space}\r\n`);
  for (const space of ['a&b', 'c', 'a', 'b&c']) onlyCarrier(c, await c.passes(space, ask(space)), space);
  for (const space of ['a&b', 'c', 'a', 'b&c'])
    await c.refused(space, ask(space), { status: 429, code: 'limit.exceeded' });
  await c.refused('and no other name is one of them', ask('a&c'), { status: 403, code: 'space.unknown' });
});

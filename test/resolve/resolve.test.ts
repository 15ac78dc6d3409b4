import t from 'tap';
import { createPass, profileOf, summary, type Passed, type Sent } from './fixtures/pass.js';

const small = profileOf({
  refuse_query: ['api_key'],
  trust_headers: ['X-Auth-Scheme'],
  routes: [
    { match: 'GET /both', space: ['header:X-Space', 'query:space'] },
    { match: 'POST /both', space: ['header:X-Space', 'query:space'] },
    { match: 'GET /query', space: ['query:space'] },
    { match: 'GET /own-query', space: ['query:user', 'header:X-Space'] },
    { match: 'POST /write', space: ['header:X-Space', 'body:space_id'] },
    { match: 'POST /body', space: ['body:group'], absent: 'refuse' },
    { match: 'POST /body-default', space: ['body:group'] },
    { match: 'POST /body-all', space: ['body:group'], absent: 'ALL' },
    { match: 'GET /u/{user}/m', space: ['path:user'] },
    { match: 'POST /u/{user}/m', space: ['path:user', 'body:user'] },
    { match: 'GET /fixed', space: { fixed: 'default' } },
    { match: 'POST /fixed', space: { fixed: 'default' } },
    { match: 'GET /all', space: 'ALL' },
    { match: 'DELETE /o/{id}', space: 'UNSCOPED' },
    { match: 'GET /none', space: 'NONE' },
    { match: 'GET /one-or-all', space: ['query:space'], absent: 'ALL' },
    { match: 'GET /strict', space: ['header:X-Space'], absent: 'refuse' },
    { match: 'POST /create', space: ['body:id'], absent: 'refuse', action: 'space:create', permission: 'SpaceCreate' },
    { match: 'POST /upload', space: ['header:X-Space'], body: 'stream', body_reason: 'a file' },
  ],
});

const A = ['X-Space', 'alpha'];
const B = ['X-Space', 'beta'];
const onHeader = (spaces: string, target: string, name = spaces.split(' ')[0] ?? ''): object => ({
  spaces,
  target,
  headers: { 'X-Space': name },
});
const onQuery = (spaces: string, target: string): object => ({ spaces, target, headers: {} });

interface Row {
  readonly name: string;
  readonly sent: Sent;
  readonly want: string | object;
}

/** The rules by their numbers in the contract. */
const rules: Readonly<Record<string, readonly Row[]>> = {
  '1 every carrier is read, also those that the route does not obey': [
    { name: 'the header', sent: { target: '/both', headers: A }, want: onHeader('alpha', '/both') },
    { name: 'the query', sent: { target: '/both?space=alpha' }, want: onHeader('alpha', '/both') },
    {
      name: 'a header that no route obeys',
      sent: { target: '/both', headers: ['X-Other-Space', 'alpha'] },
      want: onHeader('alpha', '/both'),
    },
    { name: 'a query key of another route', sent: { target: '/both?user=alpha' }, want: onHeader('alpha', '/both') },
    {
      name: 'the body of a route that does not read it',
      sent: { target: '/both', body: { space_id: 'alpha' } },
      want: onHeader('alpha', '/both'),
    },
    {
      name: 'the body on a route of the header',
      sent: { target: '/write', body: { space_id: 'alpha' } },
      want: onHeader('alpha', '/write'),
    },
    { name: 'the path', sent: { target: '/u/alpha/m' }, want: onQuery('alpha', '/u/alpha/m') },
    { name: 'the path with an escape', sent: { target: '/u/al%21pha/m' }, want: 'space.malformed' },
    { name: 'an escaped query name', sent: { target: '/both?%73pace=beta' }, want: onHeader('beta', '/both') },
    { name: 'an escaped query value', sent: { target: '/both?space=%62eta' }, want: onHeader('beta', '/both') },
    {
      name: 'an escaped body key',
      sent: { target: '/write', body: '{"sp\\u0061ce_id":"beta"}' },
      want: onHeader('beta', '/write'),
    },
    {
      name: 'a chunked body',
      sent: { target: '/write', body: { space_id: 'beta' }, framing: 'chunked' },
      want: onHeader('beta', '/write'),
    },
    {
      name: 'not an inner field',
      sent: { target: '/write', body: { a: { space_id: 'beta' } } },
      want: onHeader('default implied', '/write'),
    },
    {
      name: 'not a streamed body',
      sent: { target: '/upload', headers: A, body: { space_id: 'beta' } },
      want: onHeader('alpha', '/upload'),
    },
  ],
  '2 present values are equal and canonical, and each carrier stands once': [
    {
      name: 'all carriers agree',
      sent: {
        target: '/write?space=alpha&user=alpha',
        headers: [...A, 'X-Other-Space', 'alpha'],
        body: { space_id: 'alpha' },
      },
      want: onHeader('alpha', '/write'),
    },
    { name: 'header and query differ', sent: { target: '/both?space=beta', headers: A }, want: 'space.conflict' },
    {
      name: 'two headers differ',
      sent: { target: '/both', headers: [...A, 'X-Other-Space', 'beta'] },
      want: 'space.conflict',
    },
    { name: 'two query keys differ', sent: { target: '/both?space=alpha&user=beta' }, want: 'space.conflict' },
    {
      name: 'header and body differ',
      sent: { target: '/write', headers: A, body: { space_id: 'beta' } },
      want: 'space.conflict',
    },
    {
      name: 'query and body differ',
      sent: { target: '/write?space=beta', body: { space_id: 'alpha' } },
      want: 'space.conflict',
    },
    { name: 'path and header differ', sent: { target: '/u/alpha/m', headers: B }, want: 'space.conflict' },
    { name: 'path and body differ', sent: { target: '/u/alpha/m', body: { user: 'beta' } }, want: 'space.conflict' },
    { name: 'the header twice', sent: { target: '/both', headers: [...A, ...A] }, want: 'gate.header' },
    {
      name: 'the header twice in two cases',
      sent: { target: '/both', headers: [...A, 'x-space', 'alpha'] },
      want: 'gate.header',
    },
    { name: 'an alias of the header', sent: { target: '/both', headers: ['X_Space', 'alpha'] }, want: 'gate.header' },
    { name: 'the query twice', sent: { target: '/both?space=alpha&space=alpha' }, want: 'space.conflict' },
    {
      name: 'the query twice, once escaped',
      sent: { target: '/both?space=alpha&sp%61ce=alpha' },
      want: 'space.conflict',
    },
    {
      name: 'the body key twice',
      sent: { target: '/write', body: '{"space_id":"alpha","space_id":"alpha"}' },
      want: 'resolve.body',
    },
    { name: 'an empty header', sent: { target: '/both', headers: ['X-Space', ''] }, want: 'space.malformed' },
    { name: 'an empty query', sent: { target: '/both?space=' }, want: 'space.malformed' },
    { name: 'a query without a value', sent: { target: '/both?space' }, want: 'space.malformed' },
    { name: 'upper case', sent: { target: '/both', headers: ['X-Space', 'ALPHA'] }, want: 'space.malformed' },
    { name: 'a blank behind', sent: { target: '/both?space=alpha%20' }, want: 'space.malformed' },
    { name: 'a plus', sent: { target: '/both?space=alpha+' }, want: 'space.malformed' },
    { name: 'a no-break space', sent: { target: '/both?space=%C2%A0alpha' }, want: 'space.malformed' },
    { name: 'a line end', sent: { target: '/both?space=alpha%0A' }, want: 'space.malformed' },
    { name: 'a list', sent: { target: '/both', headers: ['X-Space', 'alpha,beta'] }, want: 'space.malformed' },
    { name: 'a star', sent: { target: '/both', headers: ['X-Space', '*'] }, want: 'space.malformed' },
    { name: 'an escape that is escaped', sent: { target: '/both?space=%2561lpha' }, want: 'space.malformed' },
    ...[null, 7, true, ['alpha'], [], { $eq: 'beta' }, '', 'alpha ', 'ALPHA', 'alpha\u0000', 'αlpha'].map(
      (space_id): Row => ({
        name: `body ${JSON.stringify(space_id)}`,
        sent: { target: '/write', headers: A, body: { space_id } },
        want: 'space.malformed',
      }),
    ),
    {
      name: 'a body key in another case',
      sent: { target: '/write', headers: A, body: { Space_Id: 'beta' } },
      want: 'space.malformed',
    },
    {
      name: 'a body key in another case, the same value',
      sent: { target: '/write', headers: A, body: { SPACE_ID: 'alpha' } },
      want: 'space.malformed',
    },
    {
      name: 'a body key with a long s, which some read as s',
      sent: { target: '/write', headers: A, body: { '\u017fpace_id': 'beta' } },
      want: 'space.malformed',
    },
  ],
  '3 a route without carriers is decided on what it declares': [
    { name: 'fixed, nothing stated', sent: { target: '/fixed' }, want: onQuery('default', '/fixed') },
    {
      name: 'fixed, the same stated',
      sent: { target: '/fixed?space=default', headers: ['X-Space', 'default'] },
      want: onQuery('default', '/fixed'),
    },
    { name: 'fixed, another stated', sent: { target: '/fixed', headers: A }, want: 'space.conflict' },
    {
      name: 'fixed, another stated in the body',
      sent: { target: '/fixed', body: { space_id: 'alpha' } },
      want: 'space.conflict',
    },
    { name: 'ALL, nothing stated', sent: { target: '/all' }, want: onQuery('ALL', '/all') },
    {
      name: 'ALL, one stated: cut, and still ALL',
      sent: { target: '/all?a=1&space=alpha&b=2', headers: A },
      want: onQuery('ALL', '/all?a=1&b=2'),
    },
    { name: 'ALL, two that differ', sent: { target: '/all?space=beta', headers: A }, want: 'space.conflict' },
    {
      name: 'UNSCOPED is everything',
      sent: { target: '/o/7', method: 'DELETE', headers: A },
      want: onQuery('ALL', '/o/7'),
    },
    { name: 'NONE, nothing stated', sent: { target: '/none' }, want: onQuery('', '/none') },
    {
      name: 'NONE, one stated: it must be the caller’s',
      sent: { target: '/none?space=alpha' },
      want: onQuery('alpha', '/none'),
    },
  ],
  '4 without any carrier it is the default, or nothing': [
    { name: 'the default', sent: { target: '/both' }, want: onHeader('default implied', '/both') },
    {
      name: 'the default in the query',
      sent: { target: '/query' },
      want: onQuery('default implied', '/query?space=default'),
    },
    { name: 'a route that wants it', sent: { target: '/strict' }, want: 'space.absent' },
    {
      name: 'a route that then reaches all',
      sent: { target: '/one-or-all' },
      want: onQuery('ALL implied', '/one-or-all'),
    },
    {
      name: 'that route with a space',
      sent: { target: '/one-or-all', headers: A },
      want: onQuery('alpha', '/one-or-all?space=alpha'),
    },
    { name: 'a body that is empty', sent: { target: '/write', body: '' }, want: onHeader('default implied', '/write') },
    {
      name: 'a chunked body that is empty',
      sent: { target: '/write', body: '', framing: 'chunked' },
      want: onHeader('default implied', '/write'),
    },
    {
      name: 'only the body is obeyed, and says it',
      sent: { target: '/body', body: { group: 'alpha' } },
      want: onQuery('alpha', '/body'),
    },
    {
      name: 'only the body is obeyed, and the header says it',
      sent: { target: '/body', headers: A, body: { x: 1 } },
      want: 'space.absent',
    },
    { name: 'the same without a body', sent: { target: '/body', method: 'POST', headers: A }, want: 'space.absent' },
    {
      name: 'the same where the server then reaches all',
      sent: { target: '/body-all', headers: A, body: { x: 1 } },
      want: 'space.conflict',
    },
    {
      name: 'the same where the server takes its default',
      sent: { target: '/body-default', headers: A, body: { x: 1 } },
      want: 'space.conflict',
    },
    {
      name: 'the same, and the default is meant',
      sent: { target: '/body-default', headers: ['X-Space', 'default'], body: {} },
      want: onQuery('default implied', '/body-default'),
    },
    {
      name: 'the server-wide body field is none that this route obeys',
      sent: { target: '/body-all', body: { space_id: 'alpha' } },
      want: 'space.conflict',
    },
  ],
  '7 a name that nobody knows is marked': [
    {
      name: 'in the header',
      sent: { target: '/both', headers: ['X-Space', 'ghost'] },
      want: onHeader('ghost unknown', '/both', 'ghost'),
    },
    {
      name: 'in the body',
      sent: { target: '/write', body: { space_id: 'ghost' } },
      want: onHeader('ghost unknown', '/write', 'ghost'),
    },
    {
      name: 'not where it is created',
      sent: { target: '/create', body: { id: 'ghost' } },
      want: onQuery('ghost', '/create'),
    },
    {
      name: 'also where nothing is touched',
      sent: { target: '/none', headers: ['X-Space', 'ghost'] },
      want: onQuery('ghost unknown', '/none'),
    },
  ],
  '8 the value goes upstream once, and every other piece as it came': [
    {
      name: 'cut from the front',
      sent: { target: '/both?space=alpha&a=%41&b=+&c=%20' },
      want: onHeader('alpha', '/both?a=%41&b=+&c=%20'),
    },
    {
      name: 'cut from the middle',
      sent: { target: '/both?a=%41&sp%61ce=alpha&c=%2b' },
      want: onHeader('alpha', '/both?a=%41&c=%2b'),
    },
    {
      name: 'cut from the end',
      sent: { target: '/both?a=1&&b&=c&space=alpha' },
      want: onHeader('alpha', '/both?a=1&&b&=c'),
    },
    { name: 'nothing is left of the query', sent: { target: '/both?space=alpha' }, want: onHeader('alpha', '/both') },
    { name: 'an empty query stays', sent: { target: '/both?', headers: A }, want: onHeader('alpha', '/both?') },
    {
      name: 'empty pieces stay',
      sent: { target: '/both?&space=alpha&', headers: A },
      want: onHeader('alpha', '/both?&'),
    },
    {
      name: 'no carrier, nothing changes',
      sent: { target: "/both?q=~!'()*:@,/?{}[]|^`&%e4%b8%ad=%E4%B8%AD&x==y", headers: A },
      want: onHeader('alpha', "/both?q=~!'()*:@,/?{}[]|^`&%e4%b8%ad=%E4%B8%AD&x==y"),
    },
    {
      name: 'written in its place',
      sent: { target: '/query?a=1&%73pace=%61lpha&b=2' },
      want: onQuery('alpha', '/query?a=1&space=alpha&b=2'),
    },
    {
      name: 'written at the end',
      sent: { target: '/query?a=1', headers: A },
      want: onQuery('alpha', '/query?a=1&space=alpha'),
    },
    {
      name: 'written as the only piece',
      sent: { target: '/query', headers: A },
      want: onQuery('alpha', '/query?space=alpha'),
    },
    {
      name: 'written once, and the other carrier cut',
      sent: { target: '/own-query?space=alpha&user=alpha', headers: A },
      want: onQuery('alpha', '/own-query?user=alpha'),
    },
    {
      name: 'a key that only begins like a carrier stays',
      sent: { target: '/both?space_=beta&spaces=beta&Space=beta&space[]=beta&%20space=beta&space%20=beta', headers: A },
      want: onHeader('alpha', '/both?space_=beta&spaces=beta&Space=beta&space[]=beta&%20space=beta&space%20=beta'),
    },
    {
      name: 'a carrier within a value stays',
      sent: { target: '/both?q=x%26space%3Dbeta', headers: A },
      want: onHeader('alpha', '/both?q=x%26space%3Dbeta'),
    },
    {
      name: 'the path stays',
      sent: { target: '/u/alpha/m?x=%7e', headers: A },
      want: onQuery('alpha', '/u/alpha/m?x=%7e'),
    },
  ],
};

for (const [rule, rows] of Object.entries(rules)) {
  t.test(`createResolve() rule ${rule}`, async (t) => {
    const pass = createPass(small);
    for (const { name, sent, want } of rows) t.strictSame(summary(await pass.all(sent)), want, name);
  });
}

t.test('createResolve() forwards the body that it read, byte for byte, and no carrier header', async (t) => {
  const body = Buffer.from(' {"space_id" : "alpha", "x":"\\u0061 ä"}\n');
  const passed = await createPass(small).all({
    target: '/write',
    headers: [...A, 'X-Other-Space', 'alpha', 'X-Auth-Scheme', 'x'],
    body,
  });
  if (!passed.ok) throw new Error(passed.why.detail);
  t.ok(passed.value.facts.body?.equals(body));
  for (const name of ['x-space', 'x-other-space', 'x-auth-scheme'])
    t.ok(passed.value.facts.dropHeaders.has(name), name);
});

t.test('createResolve() refuses what the profile refuses in the query', async (t) => {
  const pass = createPass(small);
  for (const target of ['/both?api_key=x', '/both?API_KEY', '/both?a=1&%61pi_key=x', '/none?Api_Key='])
    t.match(pass.head({ target, headers: A }), { why: { code: 'resolve.query' } }, target);
});

const bodies: readonly { name: string; sent: Partial<Sent>; want: string }[] = [
  { name: 'application/json', sent: { headers: ['Content-Type', 'application/json'] }, want: 'passed' },
  { name: 'another case', sent: { headers: ['content-type', 'Application/JSON'] }, want: 'passed' },
  { name: 'charset=utf-8', sent: { headers: ['Content-Type', 'application/json; charset=utf-8'] }, want: 'passed' },
  { name: 'charset="UTF-8"', sent: { headers: ['Content-Type', 'application/json;charset="UTF-8" '] }, want: 'passed' },
  {
    name: 'charset=utf-16',
    sent: { headers: ['Content-Type', 'application/json; charset=utf-16'] },
    want: 'resolve.content-type',
  },
  {
    name: 'two charsets',
    sent: { headers: ['Content-Type', 'application/json; charset=utf-8; charset=utf-16'] },
    want: 'resolve.content-type',
  },
  {
    name: 'two types',
    sent: { headers: ['Content-Type', 'application/json, text/plain'] },
    want: 'resolve.content-type',
  },
  { name: 'text/plain', sent: { headers: ['Content-Type', 'text/plain'] }, want: 'resolve.content-type' },
  { name: 'application/jsonx', sent: { headers: ['Content-Type', 'application/jsonx'] }, want: 'resolve.content-type' },
  {
    name: 'application/x+json',
    sent: { headers: ['Content-Type', 'application/x+json'] },
    want: 'resolve.content-type',
  },
  { name: 'an empty type', sent: { headers: ['Content-Type', ''] }, want: 'resolve.content-type' },
  { name: 'gzip', sent: { headers: ['Content-Encoding', 'gzip'] }, want: 'resolve.content-type' },
  { name: 'identity', sent: { headers: ['Content-Encoding', 'identity'] }, want: 'passed' },
  { name: 'an empty encoding', sent: { headers: ['Content-Encoding', ''] }, want: 'resolve.content-type' },
  { name: 'the limit', sent: { body: Buffer.from(`{"a":"${'x'.repeat(92)}"}`) }, want: 'passed' },
  {
    name: 'one byte over the limit',
    sent: { body: Buffer.from(`{"a":"${'x'.repeat(93)}"}`) },
    want: 'gate.body-too-large',
  },
  {
    name: 'one byte over the limit, chunked',
    sent: { body: Buffer.from(`{"a":"${'x'.repeat(93)}"}`), framing: 'chunked' },
    want: 'gate.body-too-large',
  },
  { name: 'a byte order mark', sent: { body: '\ufeff{}' }, want: 'resolve.body' },
  { name: 'an array', sent: { body: '[]' }, want: 'resolve.body' },
];

t.test('createResolve() reads JSON bodies only, and all of them', async (t) => {
  const pass = createPass(small, { inspectMaxBytes: 100 });
  for (const target of ['/write', '/both', '/fixed']) {
    for (const { name, sent, want } of bodies) {
      const stated = target === '/fixed' ? [] : A;
      const passed = await pass.all({ target, body: {}, ...sent, headers: [...stated, ...(sent.headers ?? [])] });
      t.equal(codeOf(passed), want, `${target}: ${name}`);
    }
  }
});

const codeOf = (passed: Passed): string => (passed.ok ? 'passed' : passed.why.code);

t.test('createResolve() asks for the type of a body, not of an empty one', async (t) => {
  const pass = createPass(small);
  t.equal(codeOf(await pass.all({ target: '/write', method: 'POST', headers: A })), 'passed');
  t.equal(
    codeOf(await pass.all({ target: '/write', body: '', headers: [...A, 'Content-Type', 'text/plain'] })),
    'passed',
    'Content-Length: 0',
  );
  t.equal(
    codeOf(await pass.all({ target: '/upload', body: 'x', headers: [...A, 'Content-Type', 'text/plain'] })),
    'passed',
    'a streamed body',
  );
});

const absentRefused = profileOf({
  space: { absent: 'refuse', default: undefined },
  routes: [{ match: 'GET /m', space: ['header:X-Space'] }],
});
const freeNames = profileOf({ space: { unknown: 'free' }, routes: [{ match: 'GET /m', space: ['header:X-Space'] }] });

t.test('createResolve() keeps to the server-wide rules', async (t) => {
  t.equal(summary(await createPass(absentRefused).all({ target: '/m' })), 'space.absent', 'explicit space required');
  t.strictSame(
    summary(await createPass(freeNames).all({ target: '/m', headers: ['X-Space', 'ghost'] })),
    onHeader('ghost', '/m'),
    'names cannot be listed',
  );
});

t.test('the head alone says what a body cannot change', async (t) => {
  const pass = createPass(small);
  const preview = (sent: Sent): unknown => {
    const head = pass.head(sent);
    return head.ok ? (head.value.preview?.spaces.ids ?? null) : head.why.code;
  };
  const body = { space_id: 'alpha' };
  t.strictSame(preview({ target: '/write', headers: A, body }), ['alpha'], 'stated in the head');
  t.equal(preview({ target: '/write', body }), null, 'the body may state it');
  t.equal(preview({ target: '/create', headers: A, body: { id: 'alpha' } }), null, 'the body alone is obeyed');
  t.strictSame(preview({ target: '/write', method: 'POST' }), ['default'], 'there is no body');
  t.equal(
    preview({ target: '/write?space=beta', headers: A, body }),
    'space.conflict',
    'the head disagrees with itself',
  );
});

const ruled = profileOf({
  routes: [
    {
      match: 'POST /query',
      space: ['header:X-Space'],
      body_rules: [
        { field: 'text', matches_word: ['CONSOLIDATE', 'forget'], action: 'memory:write', permission: 'MemoryWrite' },
      ],
    },
  ],
});
const rights: readonly (readonly [string, string])[] = [
  ['{"text":"RECALL tea"}', 'MemoryRead'],
  ['{}', 'MemoryRead'],
  ['{"other":"CONSOLIDATE"}', 'MemoryRead'],
  ['{"text":"consolidated CONSOLIDATEX"}', 'MemoryRead'],
  ['{"text":"CONSOLIDATE tea"}', 'MemoryWrite'],
  ['{"text":"consolidate"}', 'MemoryWrite'],
  ['{"text":"RECALL x; Consolidate"}', 'MemoryWrite'],
  ['{"text":"# a comment\\nCONSOLIDATE"}', 'MemoryWrite'],
  ['{"text":"CONSOLI\\u0044ATE"}', 'MemoryWrite'],
  ['{"te\\u0078t":"CONSOLIDATE"}', 'MemoryWrite'],
  ['{"text":"_consolidate_1"}', 'MemoryWrite'],
  ['{"text":"con\u017folidate"}', 'MemoryWrite'],
  ['{"text":"please FORGET"}', 'MemoryWrite'],
  ['{"text":["CONSOLIDATE"]}', 'MemoryWrite'],
  ['{"text":null}', 'MemoryWrite'],
  ['{"text":{}}', 'MemoryWrite'],
];

t.test('a word in the body changes what the request does', async (t) => {
  const pass = createPass(ruled);
  for (const [body, want] of rights) {
    const passed = await pass.all({ target: '/query', headers: A, body });
    t.equal(passed.ok ? passed.value.facts.route.permission : passed.why.code, want, body);
  }
});

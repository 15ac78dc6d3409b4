import fc from 'fast-check';
import t from 'tap';
import type { Reading } from '../../src/demo/server/server.js';
import { permissions } from '../../src/model/permissions.js';
import { engramProfile, exchange, isOurs, startOracle } from '../resolve/fixtures/oracle.js';
import type { AuditRecord } from '../wire/support/audit.js';

/*
 * Requests of every kind through real sockets: the running program in front, the small memory server behind. What the memory
 * server made of a request is the oracle: its reading shares no code with ours. No request may be read there as another space
 * than the one that is in the decision record, or as one that the key has not.
 */

const seed = Number(process.env['MEMGATE_TEST_SEED'] ?? 20_261_122);
const runs = Number(process.env['MEMGATE_TEST_RUNS'] ?? 2_200);
t.comment(`fast-check seed ${String(seed)}`);

const profile = await engramProfile();
const wishes: Readonly<Record<string, readonly string[]>> = {
  every: ['*'],
  alpha: ['alpha'],
  beta: ['beta'],
  both: ['alpha', 'beta'],
  default: ['default'],
};
const { program, readings, keys } = await startOracle(
  t,
  Object.fromEntries(Object.entries(wishes).map(([name, spaces]) => [name, { spaces, permissions }])),
);

// Parts of a request. What stands first in a list is what a counterexample shrinks to.
/** Nobody has granted gamma, so it is not known; it is there on the server all the same. */
const usual = ['alpha', 'beta', 'default', 'alpha', 'beta', 'gamma'] as const;
const oddities = [
  '',
  ' ',
  'Alpha',
  'ALPHA',
  'alpha ',
  ' alpha',
  '\talpha',
  'alpha,beta',
  'alpha, beta',
  'al',
  '*',
  'null',
  'spaces/alpha',
  '"alpha"',
  'alpha\u00a0',
  '\u00a0beta',
  'beta\u0085',
  '\ufeffalpha',
  '\u2003beta',
  'alph\u0430',
  'alpha\u0000',
  'alpha\n',
  'alpha&space=beta',
  '%61lpha',
];
/** Mostly the intended space; a legal one beside it, and what is none, often enough to meet any carrier of any route. */
const valueOf = (intent: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 20, arbitrary: fc.constant(intent) },
    { weight: 4, arbitrary: fc.constantFrom('alpha', 'beta', 'default') },
    { weight: 2, arbitrary: fc.constantFrom(...oddities) },
  );

const headerNames = [
  'X-Memory-Space',
  'x-memory-space',
  'X-MEMORY-SPACE-ID',
  'X-Memory-Space-Id',
  'X-Engram-Memory-Space',
] as const;
const oddHeaderNames = [
  'X_Memory_Space',
  'X-Memory_Space',
  'X.Memory.Space',
  'X-Auth-Spaces',
  'X-Memory-Spaces',
  'Memory-Space',
  'Space',
] as const;
const headerName = fc.oneof(
  { weight: 15, arbitrary: fc.constantFrom<string>(...headerNames) },
  { weight: 1, arbitrary: fc.constantFrom<string>(...oddHeaderNames) },
);
const header = (intent: string): fc.Arbitrary<string> =>
  fc
    .tuple(headerName, valueOf(intent), fc.constantFrom('', ' ', '\t', '  '), fc.constantFrom('', '', ' '))
    .filter(([, value]) => /^[\t\x20-\x7e\x80-\xff]*$/.test(value))
    .map(([name, value, before, after]) => `${name}:${before}${value}${after}\r\n`);

const queryName = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('space', 'memory_space_id') },
  { weight: 3, arbitrary: fc.constantFrom('%73pace', 'spac%65', '%73%70%61%63%65', 'memory%5Fspace_id') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      'Space',
      'space[]',
      'space%20',
      '+space',
      'space%00',
      'q',
      'query',
      'id',
      'x',
      '',
      'spac%E9',
      '%2573pace',
      'space%3Dbeta',
    ),
  },
);
const bytesEscaped = (text: string): string =>
  [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
const encodings: readonly ((text: string) => string)[] = [
  encodeURIComponent,
  bytesEscaped,
  (text) => encodeURIComponent(text).replaceAll('%20', '+'),
  (text) => encodeURIComponent(text).replaceAll('e', '%65'),
];
const piece = (intent: string): fc.Arbitrary<string> =>
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc
        .tuple(queryName, valueOf(intent), fc.constantFrom(...encodings))
        .map(([name, value, encode]) => `${name}=${encode(value)}`),
    },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        'q=tea',
        '',
        'space',
        '=alpha',
        'limit=3',
        'q=%26space=beta',
        'space=alpha;space=beta',
        'space==beta',
        '?space=beta',
        '&space=beta&',
      ),
    },
  );

const bodyKey = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('memory_space_id', 'id') },
  {
    weight: 2,
    arbitrary: fc.constantFrom('memory_\\u0073pace_id', '\\u006demory_space_id', '\\u0069d', 'space', 'sp\\u0061ce'),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'Memory_Space_Id',
      'memory_\u017fpace_id',
      'memorySpaceId',
      'memory_space_id ',
      'tags',
      '__proto__',
    ),
  },
);
const jsonValue = (intent: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 9, arbitrary: valueOf(intent).map((text) => JSON.stringify(text)) },
    {
      weight: 1,
      arbitrary: fc.constantFrom(
        '"\\u0061lpha"',
        '"\\u0062eta"',
        'null',
        '7',
        'true',
        '[]',
        '["alpha"]',
        '["beta","alpha"]',
        '{"memory_space_id":"beta"}',
        '{"$eq":"beta"}',
        '"alpha\\ud800"',
      ),
    },
  );
const fields = (intent: string): fc.Arbitrary<string> =>
  fc
    .array(fc.tuple(bodyKey, jsonValue(intent)), { maxLength: 3 })
    .map(
      (pairs) =>
        `{${['"content":"c"', '"what":"w"', '"query_text":"RECALL x"', ...pairs.map(([key, value]) => `"${key}":${value}`)].join(',')}}`,
    );
const body = (intent: string): fc.Arbitrary<string> =>
  fc.oneof(
    { weight: 12, arbitrary: fields(intent) },
    { weight: 1, arbitrary: fields(intent).map((text) => `[${text}]`) },
    { weight: 1, arbitrary: fc.tuple(fields(intent), fields(intent)).map((pair) => pair.join('\n')) },
    { weight: 1, arbitrary: fields(intent).map((text) => `\ufeff${text}`) },
    { weight: 1, arbitrary: fc.constantFrom('', '{}', 'null', 'memory_space_id=beta') },
  );
const contentType = fc.oneof(
  { weight: 12, arbitrary: fc.constantFrom('application/json', 'application/json; charset=utf-8') },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'text/plain',
      'application/json; charset=utf-16',
      'application/x-www-form-urlencoded',
      'application/vnd.api+json',
      '',
    ),
  },
);

const reaching = profile.routes.filter(({ space }) => Array.isArray(space));
const route = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...reaching) },
  { weight: 4, arbitrary: fc.constantFrom(...reaching.filter(({ match }) => match.startsWith('POST '))) },
  { weight: 1, arbitrary: fc.constantFrom(...profile.routes) },
);

interface Drawn {
  readonly key: string;
  readonly method: string;
  readonly bytes: Buffer;
  /** How a counterexample is shown. */
  readonly [fc.toStringMethod]: () => string;
}

const drawn: fc.Arbitrary<Drawn> = fc.constantFrom<string>(...usual).chain((intent) =>
  fc
    .record({
      key: fc.oneof(
        { weight: 3, arbitrary: fc.constant('every') },
        { weight: 2, arbitrary: fc.constantFrom(...Object.keys(wishes)) },
      ),
      route,
      isHead: fc.boolean(),
      id: fc.constantFrom('m1', 'beta', 'space=beta', '%C3%A4', 'a%20b'),
      headers: fc.array(header(intent), { maxLength: 2 }),
      pieces: fc.array(piece(intent), { maxLength: 2 }),
      body: fc.option(fc.record({ text: body(intent), type: contentType, isChunked: fc.boolean() }), {
        nil: null,
        freq: 3,
      }),
    })
    .map(asDrawn),
);

interface Parts {
  readonly key: string;
  readonly route: (typeof profile.routes)[number];
  readonly isHead: boolean;
  readonly id: string;
  readonly headers: readonly string[];
  readonly pieces: readonly string[];
  readonly body: { readonly text: string; readonly type: string; readonly isChunked: boolean } | null;
}

function asDrawn(parts: Parts): Drawn {
  const { key, route: one, headers, pieces, id, isHead } = parts;
  const [listed = '', template = ''] = one.match.split(' ');
  const method = listed === 'GET' && isHead ? 'HEAD' : listed;
  const sent = listed === 'GET' ? null : parts.body; // the gate takes no body on GET
  const target = `${template.replace('{id}', id).replace('{*path}', 'a/b')}${pieces.length === 0 ? '' : '?'}${pieces.join('&')}`;
  const head = `${method} ${target} HTTP/1.1\r\nHost: localhost\r\n${headers.join('')}`;
  const framed = sent === null ? '\r\n' : framing(sent);
  return {
    key,
    method,
    bytes: Buffer.concat([
      Buffer.from(`${head}Authorization: Bearer ${keys[key]?.text ?? ''}\r\n`, 'latin1'),
      Buffer.from(framed, 'utf8'),
    ]),
    [fc.toStringMethod]: () => `key ${key}: ${JSON.stringify(`${head}${framed}`)}`,
  };
}

function framing({ text, type, isChunked }: NonNullable<Parts['body']>): string {
  const typed = type === '' ? '' : `Content-Type: ${type}\r\n`;
  const length = Buffer.byteLength(text);
  if (!isChunked) return `${typed}Content-Length: ${String(length)}\r\n\r\n${text}`;
  return `${typed}Transfer-Encoding: chunked\r\n\r\n${length === 0 ? '' : `${length.toString(16)}\r\n${text}\r\n`}0\r\n\r\n`;
}

/** Query keys of a forwarded target that name a space, read by a parser of another maker. */
const carriersOf = (target: string): string[] =>
  [...new URL(target, 'http://upstream').searchParams.keys()].filter(
    (name) => name === 'space' || name === 'memory_space_id',
  );

/** @throws when the memory server used another space than the one that was decided on, or than the key has */
function agree(one: Drawn, reading: Reading, decision: AuditRecord | undefined): 'named' | 'all' | 'none' {
  const used = reading.space;
  if (decision?.effect !== 'allow') throw new Error(`the memory server used ${String(used)}, and no record allows it`);
  const decided = decision['spaces'] as { readonly all: boolean; readonly ids: readonly string[] };
  const own = wishes[one.key] ?? [];
  const shown = decided.all ? 'ALL' : JSON.stringify(decided.ids);
  if (used === null) return 'none';
  if (used === '*' ? !decided.all : !decided.all && !decided.ids.includes(used))
    throw new Error(`decided on ${shown}, used ${used}`);
  if (!own.includes('*') && !own.includes(used)) throw new Error(`the key has ${own.join()}, used ${used}`);
  return used === '*' ? 'all' : 'named';
}

t.test('the memory server uses the space that was decided on, for every request that reaches it', async (t) => {
  const seen = { named: 0, all: 0, none: 0, refused: 0, misunderstood: 0 };
  const writesQuery = new Set(
    reaching.filter(({ space }) => Array.isArray(space) && space[0]?.startsWith('query:')).map(({ id }) => id),
  );
  const property = fc.asyncProperty(drawn, async (one) => {
    readings.length = 0;
    const mark = program.audit.mark();
    const answer = await exchange(program.port, one.bytes, { head: one.method === 'HEAD' });
    const [reading, second] = readings;
    if (second !== undefined) throw new Error('one request became two');
    if (isOurs(answer)) {
      if (reading !== undefined) throw new Error(`refused with ${String(answer.status)}, and still forwarded`);
      if (answer.status >= 500) throw new Error(`answered ${String(answer.status)}`);
      seen.refused += 1;
      return;
    }
    if (reading === undefined) {
      seen.misunderstood += 1;
      return;
    }
    const id = answer.header('x-request-id');
    const decision = program.audit.since(mark).find((record) => record.id === id && record.effect !== undefined);
    seen[agree(one, reading, decision)] += 1;
    const carriers = carriersOf(reading.target);
    if (carriers.length > (writesQuery.has(String(decision?.['route'])) && carriers[0] === 'space' ? 1 : 0))
      throw new Error(`forwarded ${reading.target}`);
  });
  const startedMs = performance.now();
  await fc.assert(property, { seed, numRuns: runs });
  t.comment(`${String(runs)} runs in ${(performance.now() - startedMs).toFixed(0)} ms: ${JSON.stringify(seen)}`);
  // The generator must not run dry: each kind of ending is common.
  t.ok(seen.named > runs / 8, `${String(seen.named)} used a named space`);
  t.ok(seen.refused > runs / 8, `${String(seen.refused)} were refused`);
  t.ok(seen.all > 0 && seen.none > 0, 'some reached all spaces, some none');
});

import fc from 'fast-check';
import t from 'tap';
import { readRequest } from '../../src/demo/server/server.js';
import { routes } from '../../src/demo/server/routes.js';
import { createGate } from '../../src/gate/gate.js';
import { ok } from '../../src/base/result.js';
import type { Target } from '../../src/model/proofs.js';
import type { RequestBody } from '../../src/model/request.js';
import { createResolve, loadProfile, type Profile } from '../../src/resolve/resolve.js';
import { freePlace } from '../../src/model/place.js';
import { anonymous } from '../../src/model/subject.js';

const file = new URL('../../config/profiles/engram.yaml', import.meta.url).pathname;

async function engram(): Promise<Profile> {
  const profile = await loadProfile(file);
  if (!profile.ok) throw new Error(JSON.stringify(profile.why));
  return profile.value;
}

t.test('the profile has each route of the server once, and no other', async (t) => {
  const { data } = await engram();
  const http = data.routes.filter(({ stream }) => stream !== 'websocket'); // which the stand-in has none of
  const own = http.map(({ match }) => match).sort();
  t.strictSame(own, routes.map(({ method, path }) => `${method} ${path}`).sort());
  t.equal(new Set(data.routes.map(({ id }) => id)).size, data.routes.length);
});

t.test('the profile denies what it does not list', async (t) => {
  const { table } = await engram();
  for (const path of ['/', '/api/v1', '/api/v1/memories/', '/api/v1/memories/a/b', '/Health', '/api/v2/memories']) {
    t.equal(table.find('GET', path), null, path);
  }
  t.strictSame(table.find('DELETE', '/api/v1/memories/recall'), ['GET']);
});

/** What the profile says of a route, in one word, and what the server does there. */
t.test('each route is decided on at least what the server reaches', async (t) => {
  const { data } = await engram();
  const byMatch = new Map(data.routes.map((route) => [route.match, route]));
  for (const { method, path, space } of routes) {
    const said = byMatch.get(`${method} ${path}`)?.space;
    const where = `${method} ${path}: ${space}`;
    if (space === 'all') t.ok(said === 'ALL' || said === 'UNSCOPED', where);
    else if (space === 'default') t.strictSame(said, { fixed: 'default' }, where);
    else if (space !== 'none') t.ok(Array.isArray(said), where);
  }
});

interface Sent {
  readonly method: string;
  readonly target: string;
  readonly rawHeaders: readonly string[];
  readonly body: string | null;
}

const bodyOf = (text: string | null): RequestBody => {
  const bytes = Buffer.from(text ?? '');
  return {
    framing: text === null ? 'none' : 'length',
    length: text === null ? null : bytes.length,
    collect: () => Promise.resolve(ok(bytes)),
    stream: () => {
      throw new Error('not read');
    },
    isComplete: true,
    received: bytes.length,
    discard: () => Promise.resolve(),
  };
};

/** The request as gate and resolve would have it forwarded, or null where they refuse it. */
function createGateway(profile: Profile): (sent: Sent) => Promise<Target | null> {
  const gate = createGate({
    allowedHosts: new Set(),
    isTrustedProxy: () => false,
    protectedHeaders: [...profile.dropHeaders],
  });
  const resolve = createResolve({ profile, isKnownSpace: (name) => known.includes(name), inspectMaxBytes: 65_536 });
  return async ({ method, target, rawHeaders, body }) => {
    const request = gate({
      id: 'r',
      receivedAtMs: 0,
      startedMs: 0,
      method,
      target,
      httpVersion: '1.1',
      peerAddress: '127.0.0.1',
      place: freePlace,
      body: bodyOf(body),
      rawHeaders: [
        'Host',
        'localhost',
        ...rawHeaders,
        ...(body === null ? [] : ['Content-Length', String(Buffer.byteLength(body))]),
      ],
    });
    if (!request.ok) return null;
    const head = resolve(request.value, anonymous);
    if (!head.ok) return null;
    const resolved = await head.value.complete();
    return resolved.ok && resolved.value.facts.spaces.unknown.length === 0 ? resolved.value : null;
  };
}

const known = ['alpha', 'beta', 'default', 'gamma_1'];

const spelled = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('alpha', 'beta', 'default') },
  {
    weight: 2,
    arbitrary: fc.constantFrom(
      '',
      ' alpha',
      'alpha ',
      'ALPHA',
      'spaces/alpha',
      'alpha,beta',
      '\u00a0alpha',
      'gamma_1',
      'al',
      '\ufeffalpha',
      'alpha\u0085',
      '*',
      'null',
    ),
  },
);
const escaped = fc.tuple(spelled, fc.integer({ min: 0, max: 3 })).map(([text, how]) => {
  if (how === 0) return [...Buffer.from(text)].map((byte) => `%${byte.toString(16).padStart(2, '0')}`).join('');
  return how === 1 ? encodeURIComponent(text).replaceAll('%20', '+') : encodeURIComponent(text);
});
const header = fc
  .tuple(
    fc.constantFrom(
      'X-Memory-Space',
      'x-memory-space',
      'X_Memory_Space',
      'X-Memory-Space-Id',
      'X-Engram-Memory-Space',
      'X-Auth-Spaces',
      'X-Other',
    ),
    spelled,
  )
  .filter(([, value]) => /^[\x20-\xff]*$/.test(value));
const piece = fc.oneof(
  {
    weight: 4,
    arbitrary: fc
      .tuple(
        fc.constantFrom('space', '%73pace', 'spac%65', 'Space', 'memory_space_id', 'q', 'id', 'space%20', 'space[]'),
        escaped,
      )
      .map((pair) => pair.join('=')),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'space',
      '&',
      'space=alpha;space=beta',
      '=alpha',
      'q=x%26space=beta',
      'space=alpha%26space%3Dbeta',
    ),
  },
);
const key = fc.constantFrom(
  'memory_space_id',
  'memory_space_id',
  'memory_\\u0073pace_id',
  'Memory_Space_Id',
  'memorySpaceId',
  'id',
  'space',
  'x',
);
const jsonValue = fc.oneof(
  { weight: 5, arbitrary: spelled.map((text) => JSON.stringify(text)) },
  { weight: 1, arbitrary: fc.constantFrom('null', '7', '["alpha"]', '{"memory_space_id":"beta"}', '"\\u0061lpha"') },
);
const body = fc.option(
  fc
    .array(fc.tuple(key, jsonValue), { maxLength: 2 })
    .map(
      (fields) =>
        `{${['"content":"c"', '"what":"w"', '"query_text":"RECALL x"', ...fields.map(([name, value]) => `"${name}":${value}`)].join(',')}}`,
    ),
  { nil: null, freq: 2 },
);
const sent = fc.record({
  route: fc.oneof(
    { weight: 2, arbitrary: fc.constantFrom(...routes) },
    { weight: 3, arbitrary: fc.constantFrom(...routes.filter(({ space }) => /header|new/.test(space))) },
  ),
  headers: fc.array(header, { maxLength: 2 }),
  pieces: fc.array(piece, { maxLength: 2 }),
  body,
  isHead: fc.boolean(),
});
type Drawn = typeof sent extends fc.Arbitrary<infer T> ? T : never;

const asSent = ({ route, headers, pieces, body: text, isHead }: Drawn): Sent => ({
  method: route.method === 'GET' && isHead ? 'HEAD' : route.method,
  target: `${route.path.replace('{id}', 'm1').replace('{*path}', 'a')}${pieces.length === 0 ? '' : '?'}${pieces.join('&')}`,
  rawHeaders: [...headers.flat(), ...(text === null ? [] : ['Content-Type', 'application/json'])],
  body: text,
});

t.test('the server uses the space that was decided on, or none, for every request that passes', async (t) => {
  const pass = createGateway(await engram());
  const seen = { refused: 0, named: 0, other: 0 };
  const agrees = fc.asyncProperty(sent, async (drawn) => {
    const request = asSent(drawn);
    const target = await pass(request);
    if (target === null) return void (seen.refused += 1);
    const { facts } = target;
    const passing = target.request.headers
      .filter((field) => !facts.dropHeaders.has(field.key))
      .flatMap((field) => [field.name, field.value]);
    const read = readRequest({
      method: request.method,
      target: facts.forwardTarget,
      rawHeaders: [...passing, ...facts.setHeaders.flat()],
      body: facts.body ?? Buffer.alloc(0),
    });
    if (!read.ok || facts.spaces.all) return void (seen.other += 1);
    if (facts.spaces.ids.length === 0) {
      if (read.space !== null) throw new Error(`decided on no space, used ${read.space}`);
      return void (seen.other += 1);
    }
    seen.named += 1;
    if (read.space !== null && read.space !== facts.spaces.ids[0])
      throw new Error(`decided on ${String(facts.spaces.ids[0])}, used ${read.space}`);
  });
  const seed = 20_261_121;
  t.comment(`fast-check seed ${String(seed)}`);
  await t.resolves(fc.assert(agrees, { seed, numRuns: 6000 }));
  t.comment(JSON.stringify(seen));
  t.ok(seen.named > 1000, `${String(seen.named)} passed with a named space`);
  t.ok(seen.refused > 1000, `${String(seen.refused)} were refused`);
});

t.test('a statement that consolidates needs the right to write, wherever the word stands', async (t) => {
  const pass = createGateway(await engram());
  const permissionOf = async (query_text: unknown): Promise<string | undefined> => {
    const target = await pass({
      method: 'POST',
      target: '/api/v1/query',
      rawHeaders: ['Content-Type', 'application/json'],
      body: JSON.stringify({ query_text }),
    });
    return target?.facts.route.permission;
  };
  t.equal(await permissionOf('RECALL tea'), 'MemoryRead');
  for (const text of [
    'CONSOLIDATE tea',
    'consolidate tea',
    ' # RECALL\nConsolidate tea',
    '1consolidate',
    'RECALL consolidate',
    7,
    null,
  ]) {
    t.equal(await permissionOf(text), 'MemoryWrite', JSON.stringify(text));
  }
});

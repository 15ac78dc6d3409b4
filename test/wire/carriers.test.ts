import t from 'tap';
import { permissions } from '../../src/model/permissions.js';
import type { ProfileData } from '../../src/resolve/resolve.js';
import { engramProfile, exchange, isOurs, startOracle } from '../resolve/fixtures/oracle.js';
import type { Answer } from './support/wire.js';

/*
 * A generated table: every route of the Engram profile × every carrier × every pair of carriers, through the running program to
 * the small memory server. What is expected comes from the profile's data and from the memory server's own answers.
 */

type Route = ProfileData['routes'][number];
type Carrier = `${'header' | 'query' | 'body'}:${string}`;

const profile = await engramProfile();
const { program, readings, keys, upstream, sent } = await startOracle(t, {
  alpha: { spaces: ['alpha'], permissions },
  every: { spaces: ['*'], permissions },
});
const upstreamPort = Number(new URL(upstream).port);

const methodOf = ({ match }: Route): string => match.slice(0, match.indexOf(' '));
const ownCarriers = ({ space }: Route): readonly string[] => (Array.isArray(space) ? space : []);
const isWritten = (route: Route): boolean => ownCarriers(route).some((one) => !one.startsWith('body:'));

/** Every place in which a space can stand in a request to this route: those of the server, and those of the route. */
function carriersOf(route: Route): readonly Carrier[] {
  const wide = profile.space.carriers.map(({ header, query }): Carrier =>
    header === undefined ? `query:${query ?? ''}` : `header:${header}`,
  );
  const bodies = methodOf(route) === 'GET' ? [] : profile.space.body_carriers.map((name): Carrier => `body:${name}`);
  return [...new Set<Carrier>([...wide, ...bodies, ...(ownCarriers(route) as Carrier[])])];
}

interface Stated {
  readonly carrier: Carrier;
  readonly space: string;
}

interface Case {
  readonly route: Route;
  readonly stated: readonly Stated[];
  readonly name: string;
}

const caseOf = (route: Route, ...stated: readonly Stated[]): Case => ({
  route,
  stated,
  name: `${route.id}: ${stated.map(({ carrier, space }) => `${carrier}=${space}`).join(', ')}`,
});

const pairsOf = (route: Route): [Carrier, Carrier][] => {
  const carriers = carriersOf(route);
  return carriers.flatMap((one, at) => carriers.slice(at).map((other): [Carrier, Carrier] => [one, other]));
};

/** All ways to name beta, alone or beside alpha; a carrier beside itself stands twice. */
/** A tunnel is told of its space by messages, and a request that asks for none is refused as such: see tunnels.test.ts. */
const routes = profile.routes.filter(({ stream }) => stream !== 'websocket');
const betaCases = routes.flatMap((route) => [
  ...carriersOf(route).map((carrier) => caseOf(route, { carrier, space: 'beta' })),
  ...pairsOf(route).flatMap(([one, other]) =>
    [
      ['alpha', 'beta'],
      ['beta', 'alpha'],
      ['beta', 'beta'],
    ].map(([first = '', second = '']) =>
      caseOf(route, { carrier: one, space: first }, { carrier: other, space: second }),
    ),
  ),
]);
/** All ways to name alpha, once or in two carriers. */
const alphaCases = routes.flatMap((route) => [
  ...carriersOf(route).map((carrier) => caseOf(route, { carrier, space: 'alpha' })),
  ...pairsOf(route)
    .filter(([one, other]) => one !== other)
    .map(([one, other]) => caseOf(route, { carrier: one, space: 'alpha' }, { carrier: other, space: 'alpha' })),
]);

const nameOf = (carrier: Carrier): string => carrier.slice(carrier.indexOf(':') + 1);

/** The bytes of a case, with a number in the query by which the memory server's reading of it is found again. */
function bytesOf({ route, stated }: Pick<Case, 'route' | 'stated'>, key: string, number: number): string {
  const of = (kind: string): readonly Stated[] => stated.filter(({ carrier }) => carrier.startsWith(`${kind}:`));
  const [method = '', template = ''] = route.match.split(' ');
  const path = template
    .replace('{id}', method === 'DELETE' ? 'none' : template.includes('consolidations') ? consolidation : 'm1')
    .replace('{*path}', 'a/b');
  const query = [
    'q=tea',
    ...of('query').map(({ carrier, space }) => `${nameOf(carrier)}=${space}`),
    `case=${String(number)}`,
  ].join('&');
  const headers = of('header')
    .map(({ carrier, space }) => `${nameOf(carrier)}: ${space}\r\n`)
    .join('');
  const fields = of('body').map(({ carrier, space }) => `"${nameOf(carrier)}":"${space}"`);
  const text = `{${[`"content":"tea ${String(number)}"`, '"what":"tea"', '"query_text":"RECALL tea"', ...fields].join(',')}}`;
  const isBodied = method === 'POST' || fields.length > 0;
  const body = isBodied
    ? `Content-Type: application/json\r\nContent-Length: ${String(text.length)}\r\n\r\n${text}`
    : '\r\n';
  return `${method} ${path}?${query} HTTP/1.1\r\nHost: localhost\r\n${key === '' ? '' : `Authorization: Bearer ${key}\r\n`}${headers}${body}`;
}

/** What the memory server itself says to a request in which every carrier of the route names alpha. */
async function honest(route: Route, number: number): Promise<Answer> {
  const stated = ownCarriers(route).map((carrier): Stated => ({ carrier: carrier as Carrier, space: 'alpha' }));
  return exchange(upstreamPort, bytesOf({ route, stated }, '', number));
}

/** What a key with every right, but only in alpha, must get for these statements; null where it is the memory server's to answer. */
function wantedRefusal({ route, stated }: Case): 400 | 403 | null {
  const carriers = stated.map(({ carrier }) => carrier);
  const [first = '', ...others] = stated.map(({ space }) => space);
  if (new Set(carriers).size < carriers.length || others.some((space) => space !== first)) return 400;
  if (typeof route.space === 'object' && !Array.isArray(route.space)) return route.space.fixed === first ? null : 400;
  if (route.space === 'ALL' || route.space === 'UNSCOPED') return 403;
  const isSeen =
    !Array.isArray(route.space) || isWritten(route) || carriers.some((one) => ownCarriers(route).includes(one));
  if (!isSeen) return 400; // the server would not see it, and this route takes no default
  return first === 'alpha' ? null : 403;
}

const atOnce = 12;
/** Runs a few at a time. */
async function all<T>(items: readonly T[], run: (item: T, number: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < items.length; at = next++) await run(items[at] as T, at);
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
}

const post = (path: string, space: string, body: object): Promise<Answer> => {
  const text = JSON.stringify(body);
  const head = `POST ${path} HTTP/1.1\r\nHost: localhost\r\nX-Memory-Space: ${space}\r\nContent-Type: application/json\r\n`;
  return exchange(upstreamPort, `${head}Content-Length: ${String(text.length)}\r\n\r\n${text}`);
};

// Something to read in each space, under the same id, told apart by its words.
for (const space of ['alpha', 'beta', 'default'])
  await post('/api/v1/memories/remember', space, { id: 'm1', content: `tea of ${space}` });
await post('/api/v1/query', 'alpha', { query_text: 'CONSOLIDATE tea' });
const listed = await exchange(
  upstreamPort,
  'GET /api/v1/consolidations HTTP/1.1\r\nHost: localhost\r\nX-Memory-Space: alpha\r\n\r\n',
);
const consolidation = String(listed.json().consolidations[0].id);

t.test('the table has every route, every carrier and every pair', async (t) => {
  t.equal(new Set(betaCases.map(({ route }) => route.id)).size, routes.length);
  const get = carriersOf(routes.find(({ id }) => id === 'memories.recall')!);
  t.strictSame(get, [
    'header:X-Memory-Space',
    'header:X-Memory-Space-Id',
    'header:X-Engram-Memory-Space',
    'query:space',
    'query:memory_space_id',
  ]);
  t.equal(betaCases.filter(({ route }) => route.id === 'memories.recall').length, 5 + 15 * 3);
  t.equal(alphaCases.filter(({ route }) => route.id === 'cluster.migrate').length, 7 + 21);
  t.comment(`${String(betaCases.length)} cases for beta, ${String(alphaCases.length)} for alpha`);
});

t.test(
  'a key of alpha gets 400 or 403 for beta in every carrier and every pair, and nothing goes upstream',
  async (t) => {
    const wrong: string[] = [];
    const counts = { 400: 0, 403: 0 };
    readings.length = 0;
    const before = sent();
    await all(betaCases, async (one, number) => {
      const answer = await exchange(program.port, bytesOf(one, keys['alpha']?.text ?? '', number));
      const wanted = wantedRefusal(one);
      if (wanted === null || answer.status !== wanted || !isOurs(answer))
        wrong.push(`${one.name}: ${String(answer.status)}, wanted ${String(wanted)}`);
      else counts[wanted] += 1;
    });
    t.strictSame(wrong, []);
    t.equal(sent() - before, 0, 'the memory server got 0 bytes');
    t.strictSame(readings, [], 'and understood nothing');
    t.ok(counts[400] > 0 && counts[403] > 0, JSON.stringify(counts));
  },
);

t.test('the same key gets what the memory server says for alpha, which is read and written there', async (t) => {
  const wrong: string[] = [];
  const written: string[] = [];
  const counts: Record<string, number> = {};
  const direct = new Map<string, number>();
  for (const [at, route] of routes.entries()) direct.set(route.id, (await honest(route, 100_000 + at)).status);
  readings.length = 0;
  await all(alphaCases, async (one, number) => {
    const answer = await exchange(program.port, bytesOf(one, keys['alpha']?.text ?? '', number), {
      event: one.route.id.startsWith('monitor'),
    });
    const refusal = wantedRefusal(one);
    const wanted = refusal ?? direct.get(one.route.id);
    counts[String(answer.status)] = (counts[String(answer.status)] ?? 0) + 1;
    if (answer.status !== wanted || isOurs(answer) !== (refusal !== null))
      wrong.push(`${one.name}: ${String(answer.status)}, wanted ${String(wanted)}`);
    if (refusal !== null) return;
    const text = answer.body.toString();
    const told = /"memory_space_id":"([^"]*)"/.exec(text)?.[1];
    if (told !== undefined && told !== 'alpha') wrong.push(`${one.name}: the answer is of ${told}`);
    if (/tea of (?:beta|default)/.test(text)) wrong.push(`${one.name}: the answer holds another space's memories`);
    const id = /"memory_id":"([^"]*)"/.exec(text)?.[1];
    if (methodOf(one.route) === 'POST' && id !== undefined) written.push(id);
  });
  t.strictSame(wrong, []);
  t.comment(JSON.stringify(counts), `${String(written.length)} memories written`);
  const used = new Map(readings.map(({ target, space }) => [Number(/[?&]case=(\d+)/.exec(target)?.[1]), space]));
  const elsewhere = alphaCases.filter((one, number) => {
    const space = used.get(number);
    if (wantedRefusal(one) !== null) return space !== undefined;
    // A route of the profile that reaches no space, or whose feature the small server has not, uses none.
    return (
      space !== 'alpha' && (space !== null || (Array.isArray(one.route.space) && direct.get(one.route.id) !== 501))
    );
  });
  t.strictSame(
    elsewhere.map(({ name }) => name),
    [],
    'the memory server used alpha, and nothing else',
  );
  t.equal(used.size, readings.length, 'each request went there once');
  t.ok(written.length > 50, `${String(written.length)} were written`);
  const lost: string[] = [];
  const read = async (id: string, space: string): Promise<number> =>
    (
      await exchange(
        upstreamPort,
        `GET /api/v1/memories/${id} HTTP/1.1\r\nHost: localhost\r\nX-Memory-Space: ${space}\r\n\r\n`,
      )
    ).status;
  await all(written, async (id) => {
    if ((await read(id, 'alpha')) !== 200 || (await read(id, 'beta')) !== 404 || (await read(id, 'default')) !== 404)
      lost.push(id);
  });
  t.strictSame(lost, [], 'each stands in alpha, and in alpha alone');
});

t.test('every route that a space decides gave alpha its success', async (t) => {
  const statuses = new Map<string, number>();
  const open = routes.filter(({ space }) => Array.isArray(space));
  for (const [at, route] of open.entries()) statuses.set(route.id, (await honest(route, 200_000 + at)).status);
  // The small server has no cluster.
  const others = [...statuses].filter(([, status]) => status !== 200 && status !== 201);
  t.strictSame(Object.fromEntries(others), { 'cluster.migrate': 501 });
});

t.test('a route that reaches every space takes every right: a stated space is cut and changes nothing', async (t) => {
  const wrong: string[] = [];
  const cases = alphaCases.filter(({ route: { space } }) => space === 'ALL' || space === 'UNSCOPED');
  const direct = new Map<string, number>();
  for (const [at, { route }] of cases.entries())
    if (!direct.has(route.id)) direct.set(route.id, (await honest(route, 300_000 + at)).status);
  readings.length = 0;
  await all(cases, async (one, number) => {
    const answer = await exchange(program.port, bytesOf(one, keys['every']?.text ?? '', number));
    if (isOurs(answer) || answer.status !== direct.get(one.route.id))
      wrong.push(`${one.name}: ${String(answer.status)}`);
  });
  t.strictSame(wrong, []);
  t.strictSame(
    [...new Set(readings.map(({ space }) => space))].filter((space) => space !== '*' && space !== null),
    [],
  );
  t.strictSame(
    readings.filter(({ target }) => /space/.test(target.slice(target.indexOf('?')))),
    [],
    'no carrier went upstream',
  );
});

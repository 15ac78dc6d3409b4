import t from 'tap';
import { loadProfile } from '../../src/resolve/resolve.js';

const base = { action: 'memory:read', permission: 'MemoryRead', class: 'content' };
const lookup = { param: 'id', form: 'uuid', request: 'GET /m/{id}', field: '/user_id' };
const list = { param: 'id', form: 'uuid', request: 'GET /t/{tenant}', item: '/id' };
const check = { field: '/user_id' };

interface Case {
  readonly name: string;
  readonly route: Readonly<Record<string, unknown>>;
  /** Where the problem is, below the route, and what it says. */
  readonly want: readonly [string, RegExp];
}

const one = { match: 'GET /m/{id}', space: 'UNSCOPED' };
const stated = { match: 'GET /t/{tenant}/m/{id}', space: ['path:tenant'] };
const cases: readonly Case[] = [
  { name: 'neither rule', route: { ...one, object: {} }, want: ['object', /exactly one of lookup and check_response/] },
  {
    name: 'both rules',
    route: { ...one, object: { lookup, check_response: check } },
    want: ['object', /exactly one of lookup and check_response/],
  },
  {
    name: 'field and item',
    route: { ...one, object: { lookup: { ...lookup, item: '/id' } } },
    want: ['object', /exactly one of field and item/],
  },
  {
    name: 'a list without item',
    route: { ...one, object: { lookup: { ...lookup, list: '/all' } } },
    want: ['object', /list goes with item/],
  },
  {
    name: 'a pointer that is none',
    route: { ...one, object: { lookup: { ...lookup, field: 'user_id' } } },
    want: ['object', /JSON pointer/],
  },
  ...['^[0-9a-f]{32}', '[0-9a-f]{32}$', '^.*$', '^[0-9a-f]+$', '^(a|b)$', '^[%a]{3}$', '^[z-a]{3}$', '^[a]{3,1}$'].map(
    (form) => ({
      name: `the form ${form}`,
      route: { ...one, object: { lookup: { ...lookup, form } } },
      want: ['object', /must be uuid, or anchored classes/] as const,
    }),
  ),
  {
    name: 'a question that is no GET',
    route: { ...one, object: { lookup: { ...lookup, request: 'POST /m/{id}' } } },
    want: ['object', /must be GET/],
  },
  {
    name: 'a parameter that the path lacks',
    route: { ...one, object: { lookup: { ...lookup, param: 'uid' } } },
    want: ['object.lookup.param', /\{uid\} is not a segment/],
  },
  {
    name: 'a question about another parameter',
    route: { ...one, object: { lookup: { ...lookup, request: 'GET /m/{uid}' } } },
    want: ['object.lookup.request', /\{uid\} is not a segment/],
  },
  {
    name: 'a question that does not name the object',
    route: { ...one, object: { lookup: { ...lookup, request: 'GET /m' } } },
    want: ['object.lookup.request', /must name the object by \{id\}/],
  },
  {
    name: 'a field on a route with carriers',
    route: { ...stated, object: { lookup: { ...lookup } } },
    want: ['object.lookup.field', /UNSCOPED/],
  },
  {
    name: 'a list on a route without a space',
    route: { ...one, match: 'GET /t/{tenant}/m/{id}', object: { lookup: list } },
    want: ['object.lookup.item', /stated/],
  },
  {
    name: 'a mover that is no route',
    route: { ...one, object: { lookup: { ...lookup, moved_by: ['nobody'] } } },
    want: ['object.lookup.moved_by', /"nobody" is not the id of a route/],
  },
  {
    name: 'words of the body beside a look-up',
    route: {
      ...one,
      match: 'POST /m/{id}',
      object: { lookup },
      body_rules: [{ field: 'q', matches_word: ['SET'], action: 'memory:write', permission: 'MemoryWrite' }],
    },
    want: ['body_rules', /do not go with/],
  },
  {
    name: 'a check without a space',
    route: { ...one, object: { check_response: check } },
    want: ['object.check_response', /needs carriers or a fixed space/],
  },
  ...['PUT', 'DELETE', 'POST'].map((method) => ({
    name: `a check behind a ${method}`,
    route: { ...stated, match: `${method} /t/{tenant}/m/{id}`, object: { check_response: check } },
    want: ['object.check_response', /goes with GET/] as const,
  })),
  { name: 'deny beside carriers', route: { ...stated, object: 'deny' }, want: ['object', /UNSCOPED/] },
  {
    name: 'a filter on all spaces',
    route: { match: 'GET /m', space: 'ALL', filter: { field: '/id' } },
    want: ['filter', /space: NONE/],
  },
  {
    name: 'a filter behind a POST',
    route: { match: 'POST /m', space: 'NONE', filter: { field: '/id' } },
    want: ['filter', /reads: true/],
  },
  {
    name: 'a filter of a stream',
    route: { match: 'GET /m', space: 'NONE', stream: 'sse', filter: { field: '/id' } },
    want: ['stream', /has an end/],
  },
];

const accepted: readonly Case['route'][] = [
  { ...one, object: 'deny' },
  { ...one, object: { lookup } },
  { ...one, object: { lookup: { ...lookup, form: '^mem_[a-z0-9]{4,16}-[0-9]{2}$', moved_by: ['r'] } } },
  { ...stated, object: { lookup: list } },
  { ...stated, object: { check_response: check } },
  { ...stated, match: 'POST /t/{tenant}/m/{id}', object: { check_response: { ...check, reads: true } } },
  { match: 'GET /m', space: 'NONE', filter: { field: '' } },
  { match: 'POST /m', space: 'NONE', filter: { list: '/a/b', field: '/id', keep: ['next'], reads: true } },
];

const text = (route: Case['route']): string =>
  JSON.stringify(
    {
      name: 'test',
      space: {
        pattern: '^[a-z0-9_-]{3,64}$',
        absent: 'refuse',
        unknown: 'free',
        carriers: [{ header: 'X-Space' }],
      },
      routes: [{ id: 'r', ...base, ...route }],
    },
    null,
    1,
  );

for (const { name, route, want } of cases) {
  t.test(`loadProfile() refuses ${name}, with its place`, async (t) => {
    const loaded = await loadProfile(`${t.testdir({ 'profile.yaml': text(route) })}/profile.yaml`);
    if (loaded.ok) return void t.fail('it was taken');
    const [path, message] = want;
    t.ok(
      loaded.why.some((one) => one.path.startsWith(`routes.0.${path}`) && message.test(one.message) && one.line > 1),
      JSON.stringify(loaded.why),
    );
  });
}

t.test('loadProfile() takes what fits together', async (t) => {
  for (const route of accepted) {
    const loaded = await loadProfile(`${t.testdir({ 'profile.yaml': text(route) })}/profile.yaml`);
    t.ok(loaded.ok, JSON.stringify(loaded.ok ? null : loaded.why));
  }
});

import t from 'tap';
import { RouteTable, templateProblem } from '../../src/resolve/route-table.js';
import { createPass, profileOf } from './fixtures/pass.js';

function table(...matches: readonly string[]): RouteTable<string> {
  const made = new RouteTable<string>();
  for (const match of matches) {
    const [method = '', template = ''] = match.split(' ');
    made.add(method, template, match);
  }
  return made;
}

const routes = table(
  'GET /m',
  'POST /m',
  'GET /m/recall',
  'GET /m/{id}',
  'DELETE /m/{key}',
  'GET /m/{id}/parts',
  'GET /m/{id}/parts/{part}',
  'PUT /m/recall/parts',
  'GET /docs',
  'GET /docs/',
  'GET /docs/{*path}',
  'POST /docs/{*rest}',
  'GET /a.b/c~d',
);

const found: readonly { method?: string; path: string; want: string; params?: Record<string, string> }[] = [
  { path: '/m', want: 'GET /m' },
  { path: '/m', method: 'POST', want: 'POST /m' },
  { path: '/m/recall', want: 'GET /m/recall' },
  { path: '/m/x', want: 'GET /m/{id}', params: { id: 'x' } },
  { path: '/m/x', method: 'DELETE', want: 'DELETE /m/{key}', params: { key: 'x' } },
  { path: '/m/%C3%A4', want: 'GET /m/{id}', params: { id: '%C3%A4' } },
  { path: '/m/RECALL', want: 'GET /m/{id}', params: { id: 'RECALL' } },
  { path: '/m/constructor', want: 'GET /m/{id}', params: { id: 'constructor' } },
  { path: '/m/x/parts', want: 'GET /m/{id}/parts', params: { id: 'x' } },
  { path: '/m/recall/parts/1', want: 'GET /m/{id}/parts/{part}', params: { id: 'recall', part: '1' } },
  { path: '/m/recall/parts', method: 'PUT', want: 'PUT /m/recall/parts' },
  { path: '/docs', want: 'GET /docs' },
  { path: '/docs/', want: 'GET /docs/' },
  { path: '/docs/a', want: 'GET /docs/{*path}', params: { path: 'a' } },
  { path: '/docs/a/b/c', want: 'GET /docs/{*path}', params: { path: 'a/b/c' } },
  { path: '/docs/a', method: 'POST', want: 'POST /docs/{*rest}', params: { rest: 'a' } },
  { path: '/a.b/c~d', want: 'GET /a.b/c~d' },
  { path: `/m/${'x'.repeat(1_024)}`, want: 'GET /m/{id}', params: { id: 'x'.repeat(1_024) } },
];

t.test('find() takes the fixed segment before the parameter, and the parameter before the rest', async (t) => {
  for (const { method = 'GET', path, want, params = {} } of found)
    t.strictSame(routes.find(method, path), { value: want, params }, `${method} ${path.slice(0, 40)}`);
});

t.test('find() names the methods of a path that has others', async (t) => {
  t.strictSame(routes.find('DELETE', '/m'), ['GET', 'POST']);
  t.strictSame(routes.find('POST', '/m/x'), ['GET', 'DELETE']);
  t.strictSame(routes.find('DELETE', '/m/recall'), ['GET'], 'the parameter does not take over');
  t.strictSame(routes.find('GET', '/m/recall/parts'), ['PUT'], 'the fixed path is the one that is there');
});

t.test('find() knows no other path', async (t) => {
  const others = [
    '/',
    '',
    '/m/',
    '/M',
    '/m/x/',
    '/m/x/part',
    '/m/x/parts/',
    '/m/x/parts/1/2',
    '/doc',
    '/docs//',
    '/aXb/c~d',
    '/m%2Frecall',
    '/{id}',
    '/m/{id}/x',
    '/__proto__',
    '/constructor',
    `/m/${'x'.repeat(1_025)}`,
  ];
  for (const path of others) t.equal(routes.find('GET', path), null, path.slice(0, 40));
});

t.test('templateProblem() accepts segments, names and one rest at the end', async (t) => {
  for (const template of ['/', '/a', '/a/', '/a/{b}', '/a/{b}/{c_1}', '/a/{*b}', '/a.b~c/:d', '/a@b/$&+,='])
    t.equal(templateProblem(template), null, template);
  const wrong: [string, RegExp][] = [
    ['//', /not a path segment/],
    ['/a//b', /not a path segment/],
    ['/a b', /not a path segment/],
    ['/a%20b', /not a path segment/],
    ['/a;b', /not a path segment/],
    ['/{a}b', /not a path segment/],
    ['/{A}', /not a path segment/],
    ['/{}', /not a path segment/],
    ['/{1}', /not a path segment/],
    ['/{a}/{a}', /occurs twice/],
    ['/{*a}/b', /at the end only/],
    ['/{*a}/', /at the end only/],
  ];
  for (const [template, want] of wrong) t.match(templateProblem(template), want, template);
});

t.test('createResolve() tells unknown path, other method and HEAD apart', async (t) => {
  const pass = createPass(
    profileOf({
      routes: [
        { match: 'GET /m', space: 'NONE' },
        { match: 'POST /m', space: 'NONE' },
        { match: 'DELETE /m/{id}', space: 'NONE' },
      ],
    }),
  );
  t.match(pass.head({ target: '/x' }), { why: { code: 'resolve.unknown-route' } });
  t.match(pass.head({ target: '/m/' }), { why: { code: 'resolve.unknown-route' } }, 'an empty parameter is none');
  t.match(pass.head({ target: `/m/${'x'.repeat(1_025)}`, method: 'DELETE' }), {
    why: { code: 'resolve.unknown-route' },
  });
  t.strictSame(pass.head({ target: '/m', method: 'PUT' }), {
    ok: false,
    why: { code: 'resolve.method', detail: 'a method that the route does not have', allow: ['GET', 'POST', 'HEAD'] },
  });
  t.match(
    pass.head({ target: '/m/x' }),
    { why: { code: 'resolve.method', allow: ['DELETE'] } },
    'no HEAD where there is no GET',
  );
  t.match(pass.head({ target: '/m/x', method: 'HEAD' }), { why: { code: 'resolve.method', allow: ['DELETE'] } });
  const head = await pass.all({ target: '/m', method: 'HEAD' });
  t.match(
    head,
    { ok: true, value: { facts: { route: { id: 'route.r0' }, forwardTarget: '/m' } } },
    'HEAD is decided as GET',
  );
});

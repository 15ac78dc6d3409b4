import t from 'tap';
import { anonymous, type Subject } from '../../src/model/subject.js';
import { createPass, profileOf, summary, type Sent } from './fixtures/pass.js';

/*
 * Every kind of carrier with a route of its own. The rules that hold for all of them are in resolve.test.ts; what a carrier reads,
 * what it refuses, and what goes upstream of it is here.
 */

const profile = profileOf({
  space: {
    absent: 'refuse',
    default: 'default',
    carriers: [{ header: 'X-Space' }, { 'header-tail': 'X-Namespace' }, { claim: 'tenant' }],
    body_carriers: [],
  },
  refuse_body_keys: ['_tenant'],
  object_body_keys: ['prefetch'],
  json_query: ['filters'],
  top_keys: ['run_id'],
  routes: [
    { match: 'GET /tail', space: ['header-tail:X-Namespace'] },
    { match: 'GET /tail-behind', space: ['header:X-Space', 'header-tail:X-Namespace'] },
    { match: 'GET /label', space: ['query-first:namespace'] },
    { match: 'GET /label-behind', space: ['query:space', 'query-first:namespace'] },
    { match: 'GET /json', space: ['query-json:where/user_id'] },
    { match: 'GET /json-all', space: ['query-json:where/groups'], empty: 'ALL', strict_keys: true },
    { match: 'GET /crn/{crn}', space: ['path-head:crn'] },
    { match: 'POST /list', space: ['body-list:groups'], empty: 'ALL', absent: 'ALL' },
    { match: 'POST /list-only', space: ['body-list:groups'] },
    { match: 'POST /any', space: ['body-any:groups'], empty: 'ALL' },
    { match: 'POST /labels', space: ['body-first:namespace'], empty: 'ALL' },
    { match: 'POST /uri', space: ['header:X-Space', 'body-uri:url'], absent: 'default' },
    { match: 'POST /inner', space: ['body:/params/arguments/project'] },
    { match: 'POST /strict', space: ['body:user_id'], strict_keys: true },
    { match: 'POST /loose', space: ['body:user_id'] },
    { match: 'POST /mixed', space: ['header:X-Space', 'body-list:groups'] },
    { match: 'POST /form', space: ['form:user_id'], body: 'form' },
    { match: 'GET /own', space: ['query:space'], absent: 'own' },
    { match: 'GET /token', space: ['claim:sub'], absent: 'own' },
    { match: 'GET /claim', space: ['claim:sub'] },
  ],
});

interface Row {
  readonly name: string;
  readonly sent: Sent;
  readonly want: string | object;
  readonly subject?: Subject;
}

const plain = (spaces: string, target: string): object => ({ spaces, target, headers: {} });
const body = (target: string, value: unknown): Sent => ({ target, body: value });
const caller = (over: Partial<Subject>): Subject => ({ ...anonymous, ...over });
const refusedBodies = (target: string, values: Readonly<Record<string, unknown>>, want = 'space.malformed'): Row[] =>
  Object.entries(values).map(([name, value]) => ({ name, sent: body(target, value), want }));

const rows: Readonly<Record<string, readonly Row[]>> = {
  'header-tail: what follows the last colon': [
    {
      name: 'written as the caller sent it',
      sent: { target: '/tail', headers: ['X-Namespace', 'team:sub:alpha'] },
      want: { spaces: 'alpha', target: '/tail', headers: { 'X-Namespace': 'team:sub:alpha' } },
    },
    {
      name: 'without a colon it is all of it',
      sent: { target: '/tail', headers: ['X-Namespace', 'alpha'] },
      want: { spaces: 'alpha', target: '/tail', headers: { 'X-Namespace': 'alpha' } },
    },
    {
      name: 'the space alone where another header states it',
      sent: { target: '/tail', headers: ['X-Space', 'alpha'] },
      want: { spaces: 'alpha', target: '/tail', headers: { 'X-Namespace': 'alpha' } },
    },
    {
      name: 'cut where another carrier is written',
      sent: { target: '/tail-behind', headers: ['X-Namespace', 'team:alpha'] },
      want: { spaces: 'alpha', target: '/tail-behind', headers: { 'X-Space': 'alpha' } },
    },
    {
      name: 'nothing behind the colon',
      sent: { target: '/tail', headers: ['X-Namespace', 'alpha:'] },
      want: 'space.malformed',
    },
    {
      name: 'another space in front of the colon counts for nothing, behind it it counts',
      sent: { target: '/tail-behind', headers: ['X-Space', 'alpha', 'X-Namespace', 'alpha:beta'] },
      want: 'space.conflict',
    },
  ],
  'query-first: the first dotted label': [
    {
      name: 'passed on with what is behind it',
      sent: { target: '/label?a=1&namespace=alpha.notes.x&b=2' },
      want: plain('alpha', '/label?a=1&namespace=alpha.notes.x&b=2'),
    },
    {
      name: 'escaped',
      sent: { target: '/label?n%61mespace=%61lpha.n' },
      want: plain('alpha', '/label?namespace=alpha.n'),
    },
    { name: 'one label', sent: { target: '/label?namespace=alpha' }, want: plain('alpha', '/label?namespace=alpha') },
    {
      name: 'written where another carrier states it',
      sent: { target: '/label', headers: ['X-Space', 'alpha'] },
      want: plain('alpha', '/label?namespace=alpha'),
    },
    {
      name: 'cut where another carrier is written',
      sent: { target: '/label-behind?namespace=alpha.n' },
      want: plain('alpha', '/label-behind?space=alpha'),
    },
    { name: 'an empty label', sent: { target: '/label?namespace=.alpha' }, want: 'space.malformed' },
    { name: 'nothing', sent: { target: '/label?namespace=' }, want: 'space.malformed' },
    { name: 'twice', sent: { target: '/label?namespace=alpha&namespace=alpha.n' }, want: 'space.conflict' },
  ],
  'query-json: JSON text in the query': [
    {
      name: 'stays as it came',
      sent: { target: '/json?where=%7B%22user_id%22%3A%22alpha%22%7D' },
      want: plain('alpha', '/json?where=%7B%22user_id%22%3A%22alpha%22%7D'),
    },
    {
      name: 'a list of one',
      sent: { target: '/json?where={"user_id":["alpha"]}'.replaceAll('"', '%22') },
      want: plain('alpha', '/json?where={%22user_id%22:[%22alpha%22]}'),
    },
    {
      name: 'a set',
      sent: { target: '/json?where={%22user_id%22:[%22beta%22,%22alpha%22]}' },
      want: plain('alpha,beta', '/json?where={%22user_id%22:[%22beta%22,%22alpha%22]}'),
    },
    { name: 'without the key', sent: { target: '/json?where={}' }, want: 'space.absent' },
    { name: 'no object', sent: { target: '/json?where=[1]' }, want: 'resolve.query' },
    { name: 'broken', sent: { target: '/json?where={%22user_id%22:alpha' }, want: 'resolve.query' },
    {
      name: 'a key twice',
      sent: { target: '/json?where={%22user_id%22:%22alpha%22,%22user_id%22:%22beta%22}' },
      want: 'resolve.query',
    },
    {
      name: 'the text twice',
      sent: { target: '/json?where={%22user_id%22:%22alpha%22}&where={}' },
      want: 'space.conflict',
    },
    { name: 'a number', sent: { target: '/json?where={%22user_id%22:7}' }, want: 'space.malformed' },
    { name: 'null', sent: { target: '/json?where={%22user_id%22:null}' }, want: 'space.malformed' },
    {
      name: 'null where that is all',
      sent: { target: '/json-all?where={%22groups%22:null}' },
      want: plain('ALL', '/json-all?where={%22groups%22:null}'),
    },
    {
      name: 'inside an operator, strictly',
      sent: { target: '/json-all?where={%22groups%22:%22alpha%22,%22OR%22:[{%22groups%22:%22beta%22}]}' },
      want: 'space.malformed',
    },
    {
      name: 'a refused key',
      sent: { target: '/json?where={%22user_id%22:%22alpha%22,%22_tenant%22:%22beta%22}' },
      want: 'resolve.query',
    },
    {
      name: 'text that holds no carrier, plain',
      sent: { target: '/own?space=alpha&filters={%22owner%22:%22x%22}' },
      want: plain('alpha', '/own?space=alpha&filters={%22owner%22:%22x%22}'),
    },
    {
      name: 'an operator in its key',
      sent: { target: '/own?space=alpha&filters={%22owner__regex%22:%22x%22}' },
      want: 'resolve.query',
    },
    {
      name: 'an operator deep in it',
      sent: { target: '/own?space=alpha&filters={%22a%22:{%22$ne%22:1}}' },
      want: 'resolve.query',
    },
    { name: 'no object where one is wanted', sent: { target: '/own?space=alpha&filters=[]' }, want: 'resolve.query' },
  ],
  'path-head: what stands before the first colon': [
    { name: 'of a resource name', sent: { target: '/crn/alpha:db:c' }, want: plain('alpha', '/crn/alpha:db:c') },
    { name: 'escaped', sent: { target: '/crn/alpha%3Adb' }, want: plain('alpha', '/crn/alpha%3Adb') },
    { name: 'without a colon', sent: { target: '/crn/beta' }, want: plain('beta', '/crn/beta') },
    { name: 'nothing in front', sent: { target: '/crn/:alpha' }, want: 'space.malformed' },
  ],
  'body-list, body-any: sets, and everything': [
    { name: 'one', sent: body('/list', { groups: ['alpha'] }), want: plain('alpha', '/list') },
    {
      name: 'two, sorted, once each',
      sent: body('/list', { groups: ['beta', 'alpha', 'beta'] }),
      want: plain('alpha,beta', '/list'),
    },
    {
      name: 'an unknown member is marked',
      sent: body('/list', { groups: ['alpha', 'ghost'] }),
      want: plain('alpha,ghost unknown', '/list'),
    },
    { name: 'null is everything', sent: body('/list', { groups: null }), want: plain('ALL', '/list') },
    { name: 'the empty list is everything', sent: body('/list', { groups: [] }), want: plain('ALL', '/list') },
    { name: 'absent is everything', sent: body('/list', {}), want: plain('ALL implied', '/list') },
    {
      name: 'everything, and a header says one',
      sent: { ...body('/list', { groups: [] }), headers: ['X-Space', 'alpha'] },
      want: 'space.conflict',
    },
    {
      name: 'absent, and a header says one',
      sent: { ...body('/list', {}), headers: ['X-Space', 'alpha'] },
      want: 'space.conflict',
    },
    {
      name: 'a set, and a header says one of it',
      sent: { ...body('/list', { groups: ['alpha', 'beta'] }), headers: ['X-Space', 'alpha'] },
      want: 'space.conflict',
    },
    {
      name: 'the same in both',
      sent: { ...body('/list', { groups: ['alpha', 'alpha'] }), headers: ['X-Space', 'alpha'] },
      want: plain('alpha', '/list'),
    },
    {
      name: 'a list where the server does not widen',
      sent: body('/list-only', { groups: ['alpha'] }),
      want: plain('alpha', '/list-only'),
    },
    {
      name: 'a set behind a header that is not sent: nothing is written',
      sent: body('/mixed', { groups: ['alpha', 'beta'] }),
      want: plain('alpha,beta', '/mixed'),
    },
    {
      name: 'one behind a header that is not sent: the header is written',
      sent: body('/mixed', { groups: ['alpha'] }),
      want: { spaces: 'alpha', target: '/mixed', headers: { 'X-Space': 'alpha' } },
    },
    { name: 'a string where either is taken', sent: body('/any', { groups: 'alpha' }), want: plain('alpha', '/any') },
    {
      name: 'a list where either is taken',
      sent: body('/any', { groups: ['alpha', 'beta'] }),
      want: plain('alpha,beta', '/any'),
    },
    {
      name: '256 are a set',
      sent: body('/any', { groups: Array.from({ length: 256 }, (_, at) => `s-${String(at + 100)}`) }),
      want: plain(`${Array.from({ length: 256 }, (_, at) => `s-${String(at + 100)}`).join()} unknown`, '/any'),
    },
    ...refusedBodies('/list', {
      'a string': { groups: 'alpha' },
      'an object': { groups: { 0: 'alpha' } },
      'a list with a number': { groups: ['alpha', 7] },
      'a list with null': { groups: ['alpha', null] },
      'a list in a list': { groups: [['alpha']] },
      'a member that is none': { groups: ['alpha', 'ALPHA'] },
      'a star': { groups: ['*'] },
      'an empty member': { groups: [''] },
      'another case': { Groups: ['alpha'] },
      '257 members': { groups: Array.from({ length: 257 }, (_, at) => `s-${String(at + 100)}`) },
    }),
    ...refusedBodies('/list-only', { null: { groups: null }, 'the empty list': { groups: [] } }),
    ...refusedBodies('/list-only', { 'no list': {} }, 'space.absent'),
    ...refusedBodies('/any', { 'the empty string': { groups: '' }, true: { groups: true } }),
  ],
  'body-first: the first of a list of labels': [
    { name: 'of two', sent: body('/labels', { namespace: ['alpha', 'notes'] }), want: plain('alpha', '/labels') },
    { name: 'none is everything', sent: body('/labels', { namespace: [] }), want: plain('ALL', '/labels') },
    { name: 'null is everything', sent: body('/labels', { namespace: null }), want: plain('ALL', '/labels') },
    ...refusedBodies('/labels', {
      'a string': { namespace: 'alpha.notes' },
      'a label that is none': { namespace: ['alpha', 7] },
      'a dotted label': { namespace: ['alpha.beta'] },
      'an empty label': { namespace: ['', 'alpha'] },
    }),
  ],
  'body-uri: the authority of a URI': [
    {
      name: 'of another scheme',
      sent: { ...body('/uri', { url: 'https://alpha/x' }) },
      want: { spaces: 'alpha', target: '/uri', headers: { 'X-Space': 'alpha' } },
    },
    {
      name: 'without a path',
      sent: body('/uri', { url: 'memory://alpha' }),
      want: { spaces: 'alpha', target: '/uri', headers: { 'X-Space': 'alpha' } },
    },
    {
      name: 'against the header',
      sent: { ...body('/uri', { url: 'memory://beta/n' }), headers: ['X-Space', 'alpha'] },
      want: 'space.conflict',
    },
    {
      name: 'a title is none',
      sent: { ...body('/uri', { url: 'beta/notes' }), headers: ['X-Space', 'alpha'] },
      want: { spaces: 'alpha', target: '/uri', headers: { 'X-Space': 'alpha' } },
    },
    {
      name: 'null is none',
      sent: { ...body('/uri', { url: null }), headers: ['X-Space', 'alpha'] },
      want: { spaces: 'alpha', target: '/uri', headers: { 'X-Space': 'alpha' } },
    },
    ...refusedBodies('/uri', {
      'a URI inside a text': { url: 'see memory://beta/n' },
      'a blank in front': { url: ' memory://beta/n' },
      'two slashes more': { url: 'memory:////beta' },
      'a name with a user': { url: 'memory://x@beta/n' },
      'an escaped name': { url: 'memory://%62eta/n' },
      'a list': { url: ['memory://alpha'] },
      'a number': { url: 7 },
    }),
  ],
  'body: a JSON pointer': [
    {
      name: 'inside objects',
      sent: body('/inner', { params: { arguments: { project: 'alpha', x: [1] } } }),
      want: plain('alpha', '/inner'),
    },
    {
      name: 'elsewhere it is none',
      sent: body('/inner', { project: 'beta', params: { project: 'beta', arguments: { project: 'alpha' } } }),
      want: plain('alpha', '/inner'),
    },
    { name: 'null on the way', sent: body('/inner', { params: null }), want: 'space.absent' },
    ...refusedBodies('/inner', {
      'a list on the way': { params: [{ arguments: { project: 'alpha' } }] },
      'a string on the way': { params: { arguments: 'alpha' } },
      'another case on the way': { Params: { arguments: { project: 'beta' } } },
      'another case beside it': { params: { arguments: { project: 'alpha', Project: 'beta' } } },
      'a number': { params: { arguments: { project: 7 } } },
    }),
  ],
  'strict_keys: the key stands at its place, or nowhere': [
    {
      name: 'at its place',
      sent: body('/strict', { user_id: 'alpha', filters: { AND: [{ agent_id: 'beta' }] } }),
      want: plain('alpha', '/strict'),
    },
    {
      name: 'not strict: elsewhere it is a word',
      sent: body('/loose', { user_id: 'alpha', filters: { user_id: 'beta' } }),
      want: plain('alpha', '/loose'),
    },
    ...refusedBodies('/strict', {
      'in a filter': { user_id: 'alpha', filters: { user_id: 'alpha' } },
      'in an operator': { user_id: 'alpha', filters: { AND: [{ user_id: 'beta' }] } },
      'as a wildcard': { filters: { user_id: '*' } },
      'in another case': { user_id: 'alpha', filters: { USER_ID: 'beta' } },
      'with a long s': { u: 1, user_id: 'alpha', filters: { 'u\u017fer_id': 'beta' } },
      'as part of a path': { user_id: 'alpha', filters: { 'payload.user_id': 'beta' } },
      'with an operator behind it': { user_id: 'alpha', filters: { user_id__in: ['beta'] } },
      'with a sign in front': { user_id: 'alpha', filters: { $user_id: 'beta' } },
      'deep in lists': { user_id: 'alpha', a: [[[{ b: [{ user_id: 'beta' }] }]]] },
    }),
    {
      name: 'escaped',
      sent: body('/strict', '{"user_id":"alpha","filters":{"\\u0075ser_id":"beta"}}'),
      want: 'space.malformed',
    },
  ],
  'top_keys: a string at the top, or nowhere': [
    {
      name: 'at the top',
      sent: body('/loose', { user_id: 'alpha', run_id: 'r1', filters: { run: 'x' } }),
      want: plain('alpha', '/loose'),
    },
    { name: 'it is no space', sent: body('/loose', { run_id: 'alpha' }), want: 'space.absent' },
    ...refusedBodies('/loose', {
      'in a filter': { user_id: 'alpha', filters: { run_id: 'r1' } },
      'in a list': { user_id: 'alpha', filters: { OR: [{ run_id: 'r1' }] } },
      'with an operator behind it': { user_id: 'alpha', run_id__in: ['r1'] },
      'in another case': { user_id: 'alpha', Run_Id: 'r1' },
      'a number': { user_id: 'alpha', run_id: 7 },
      'an operator': { user_id: 'alpha', run_id: { ne: '' } },
      'a list of them': { user_id: 'alpha', run_id: ['r1'] },
      null: { user_id: 'alpha', run_id: null },
    }),
    {
      name: 'in JSON text in the query',
      sent: { target: `/json?where=${encodeURIComponent('{"user_id":"alpha","run_id":"r1"}')}` },
      want: 'resolve.query',
    },
  ],
  'object_body_keys: objects and lists of them': [
    ...refusedBodies(
      '/loose',
      {
        'values in a row': { user_id: 'alpha', prefetch: [null, 1, ['beta']] },
        'in a list': { user_id: 'alpha', prefetch: [{ limit: 1 }, [null, { collection: 'beta' }]] },
        'further down': { user_id: 'alpha', a: [{ prefetch: { Prefetch: [[1]] } }] },
        'a text': { user_id: 'alpha', prefetch: 'beta' },
      },
      'resolve.body',
    ),
    ...[null, {}, [], { prefetch: [{ query: [[1, 2]] }] }, [{ query: [1] }, {}]].map((prefetch) => ({
      name: `${JSON.stringify(prefetch)} passes`,
      sent: body('/loose', { user_id: 'alpha', prefetch }),
      want: plain('alpha', '/loose'),
    })),
  ],
  'refuse_body_keys: nowhere, in any case': [
    ...refusedBodies(
      '/loose',
      {
        'at the top': { user_id: 'alpha', _tenant: 'beta' },
        'in an object': { user_id: 'alpha', metadata: { _tenant: 'alpha' } },
        'in a list': { user_id: 'alpha', a: [{ b: { _tenant: 1 } }] },
        'in another case': { user_id: 'alpha', metadata: { _TENANT: 'beta' } },
        'in a path': { user_id: 'alpha', 'metadata._tenant': 'beta' },
      },
      'resolve.body',
    ),
    {
      name: 'a word beside it',
      sent: body('/loose', { user_id: 'alpha', tenant: 'x', my_tenant: 'y', note: '_tenant' }),
      want: plain('alpha', '/loose'),
    },
    {
      name: 'in a form',
      sent: {
        target: '/form',
        headers: ['Content-Type', 'application/x-www-form-urlencoded'],
        body: 'user_id=alpha&_tenant=beta',
      },
      want: 'resolve.body',
    },
  ],
  'form: fields of a form': [
    ...(
      [
        ['once', 'user_id=alpha&x=1', plain('alpha', '/form')],
        ['escaped', '%75ser_id=%61lpha&x=a+b', plain('alpha', '/form')],
        ['empty pieces', '&user_id=alpha&&x', plain('alpha', '/form')],
        ['absent', 'x=1', 'space.absent'],
        ['twice', 'user_id=alpha&user_id=alpha', 'space.conflict'],
        ['in brackets', 'user_id=alpha&user_id[]=beta', 'space.malformed'],
        ['inside another', 'user_id=alpha&filter[user_id]=beta', 'space.malformed'],
        ['in another case', 'User_Id=alpha', 'space.malformed'],
        ['a blank', 'user_id=alpha+', 'space.malformed'],
        ['a semicolon', 'user_id=alpha;user_id=beta', 'resolve.body'],
        ['no ASCII', 'user_id=alph\u00e4', 'resolve.body'],
        ['no UTF-8', 'user_id=%ff', 'resolve.body'],
        ['a NUL', 'user_id=alpha%00', 'resolve.body'],
        ['a stray sign', 'user_id=alpha%2', 'resolve.body'],
        ['a line end', 'user_id=alpha\n', 'resolve.body'],
        ['too many fields', 'x&'.repeat(1_000), 'resolve.body'],
      ] as const
    ).map(([name, text, want]): Row => ({
      name,
      sent: {
        target: '/form',
        headers: ['Content-Type', 'application/x-www-form-urlencoded; charset=UTF-8'],
        body: text,
      },
      want,
    })),
    { name: 'JSON on a route of forms', sent: body('/form', { user_id: 'alpha' }), want: 'resolve.content-type' },
    {
      name: 'several parts',
      sent: { target: '/form', headers: ['Content-Type', 'multipart/form-data; boundary=x'], body: 'user_id=alpha' },
      want: 'resolve.content-type',
    },
    {
      name: 'a form on a route of JSON',
      sent: { target: '/loose', headers: ['Content-Type', 'application/x-www-form-urlencoded'], body: 'user_id=alpha' },
      want: 'resolve.content-type',
    },
  ],
  'claim: what the credential says': [
    {
      name: 'the route obeys it',
      sent: { target: '/claim' },
      subject: caller({ claims: { sub: 'alpha' } }),
      want: plain('alpha', '/claim'),
    },
    {
      name: 'another is compared',
      sent: { target: '/claim' },
      subject: caller({ claims: { sub: 'alpha', tenant: 'beta' } }),
      want: 'space.conflict',
    },
    {
      name: 'against a header',
      sent: { target: '/claim', headers: ['X-Space', 'beta'] },
      subject: caller({ claims: { sub: 'alpha' } }),
      want: 'space.conflict',
    },
    {
      name: 'a list',
      sent: { target: '/claim' },
      subject: caller({ claims: { sub: ['beta', 'alpha'] } }),
      want: plain('alpha,beta', '/claim'),
    },
    {
      name: 'absent, a header states it: the server is told by its token',
      sent: { target: '/claim', headers: ['X-Space', 'alpha'] },
      want: plain('alpha', '/claim'),
    },
    { name: 'absent', sent: { target: '/claim' }, want: 'space.absent' },
    ...[7, '', ' ', [], [7], null, { a: 1 }, ['alpha', 7]].map((sub): Row => ({
      name: JSON.stringify(sub),
      sent: { target: '/claim', headers: ['X-Space', 'alpha'] },
      subject: caller({ claims: { sub } }),
      want: 'space.malformed',
    })),
  ],
  'own: the only space of the key': [
    {
      name: 'written for the server',
      sent: { target: '/own' },
      subject: caller({ spaces: ['alpha'] }),
      want: plain('alpha implied', '/own?space=alpha'),
    },
    {
      name: 'in the token',
      sent: { target: '/token' },
      subject: caller({ spaces: ['alpha'] }),
      want: plain('alpha implied', '/token'),
    },
    {
      name: 'another that is stated',
      sent: { target: '/own?space=beta' },
      subject: caller({ spaces: ['alpha'] }),
      want: plain('beta', '/own?space=beta'),
    },
    ...[[], ['*'], ['alpha', 'beta'], ['*', 'alpha'], ['ALPHA']].map((spaces): Row => ({
      name: `a key of ${JSON.stringify(spaces)}`,
      sent: { target: '/own' },
      subject: caller({ spaces }),
      want: 'space.absent',
    })),
  ],
};

for (const [rule, cases] of Object.entries(rows)) {
  t.test(`createResolve() ${rule}`, async (t) => {
    for (const { name, sent, want, subject } of cases) {
      const pass = createPass(profile, subject === undefined ? {} : { subject });
      t.strictSame(summary(await pass.all(sent)), want, name);
    }
  });
}

t.test('a server-wide carrier is compared on routes that do not obey it, in every place that they have', async (t) => {
  const wide = profileOf({
    space: {
      carriers: [{ path: 'tenant' }, { body: '/a/b' }, { form: 'f' }, { 'query-json': 'q/u' }, { header: 'X-Space' }],
    },
    routes: [
      { match: 'POST /t/{tenant}', space: ['header:X-Space'] },
      { match: 'POST /form', space: ['header:X-Space'], body: 'form' },
    ],
  });
  const A = ['X-Space', 'alpha'];
  const form = [...A, 'Content-Type', 'application/x-www-form-urlencoded'];
  const sents: readonly (readonly [Sent, string])[] = [
    [{ target: '/t/beta', method: 'POST', headers: A }, 'space.conflict'],
    [{ target: '/t/alpha', headers: A, body: { a: { b: 'beta' } } }, 'space.conflict'],
    [{ target: '/t/alpha', headers: A, body: { a: { b: null } } }, 'space.malformed'],
    [{ target: '/t/alpha?q={%22u%22:%22beta%22}', method: 'POST', headers: A }, 'space.conflict'],
    [{ target: '/form', headers: form, body: 'f=beta' }, 'space.conflict'],
    [{ target: '/form', headers: form, body: 'space_id=beta' }, 'space.conflict'],
  ];
  for (const [sent, want] of sents) t.equal(summary(await createPass(wide).all(sent)), want, JSON.stringify(sent));
  const passed = await createPass(wide).all({
    target: '/t/alpha',
    headers: A,
    body: { a: { b: 'alpha' }, space_id: 'alpha' },
  });
  t.ok(passed.ok);
});

t.test('a name that leads elsewhere is none, even where the pattern has the characters', async (t) => {
  const paths = profileOf({
    space: { pattern: '^[a-z/.]{1,64}$', default: '/a', carriers: [{ header: 'X-Space' }], body_carriers: [] },
    routes: [{ match: 'GET /m', space: ['header:X-Space'] }],
  });
  for (const name of ['.', '..', '/a/..', '../a', '/a/./b', './/.', '/..'])
    t.equal(
      summary(await createPass(paths).all({ target: '/m', headers: ['X-Space', name] })),
      'space.malformed',
      name,
    );
  for (const name of ['/a', 'a.b', '...', '/a..b/.c'])
    t.ok((await createPass(paths).all({ target: '/m', headers: ['X-Space', name] })).ok, name);
});

const rewriting = profileOf({
  rewrite_body: true,
  space: { absent: 'own', carriers: [{ header: 'X-Space' }], body_carriers: ['space_id'] },
  routes: [
    { match: 'POST /body', space: ['body:user_id'] },
    { match: 'POST /inner', space: ['body:/a/b'] },
    { match: 'POST /list', space: ['body-list:groups'], empty: 'ALL' },
    { match: 'POST /labels', space: ['body-first:namespace'] },
    { match: 'POST /header', space: ['header:X-Space'] },
  ],
});

t.test('rewrite_body writes the body anew from what was read', async (t) => {
  const rewritten = async (sent: Sent, spaces: readonly string[] = []): Promise<string | undefined> => {
    const passed = await createPass(rewriting, { subject: caller({ spaces }) }).all(sent);
    return passed.ok ? passed.value.facts.body?.toString() : passed.why.code;
  };
  const A = ['X-Space', 'alpha'];
  t.equal(
    await rewritten(
      body(
        '/body',
        ' {"user_id" : "\\u0061lpha", "n":[1.50,1e400,-0, 12345678901234567890], "t": "\\ud83d\\ude00\\n" }\n',
      ),
    ),
    '{"user_id":"alpha","n":[1.50,1e400,-0,12345678901234567890],"t":"😀\\n"}',
    'one spelling, the text of numbers',
  );
  t.equal(
    await rewritten({ target: '/body', headers: A, body: { x: null } }),
    '{"x":null,"user_id":"alpha"}',
    'the header stated it',
  );
  t.equal(await rewritten(body('/body', {}), ['alpha']), '{"user_id":"alpha"}', 'the key has one');
  t.equal(
    await rewritten(body('/inner', { a: { c: 1 } }), ['alpha']),
    '{"a":{"c":1,"b":"alpha"}}',
    'inside what is there',
  );
  t.equal(await rewritten(body('/inner', {}), ['alpha']), '{"a":{"b":"alpha"}}', 'with all around it');
  t.equal(await rewritten(body('/list', {}), ['alpha']), '{"groups":["alpha"]}', 'as a list');
  t.equal(await rewritten(body('/list', { groups: [] })), '{"groups":[]}', 'everything stays everything');
  t.equal(
    await rewritten(body('/list', { groups: ['beta', 'alpha'] })),
    '{"groups":["beta","alpha"]}',
    'a set stays as it came',
  );
  t.equal(
    await rewritten(body('/body', { space_id: 'alpha', user_id: 'alpha' })),
    '{"user_id":"alpha"}',
    'a carrier that the route does not obey is left out',
  );
  t.equal(
    await rewritten(body('/body', { space_id: 'beta', user_id: 'alpha' })),
    'space.conflict',
    'and compared before',
  );
  t.equal(
    await rewritten({ target: '/body', method: 'POST', headers: A }, ['alpha']),
    'space.absent',
    'no body, nothing to write into',
  );
  t.equal(
    await rewritten(body('/labels', { namespace: ['alpha', 'notes'] })),
    '{"namespace":["alpha","notes"]}',
    'what stands there stays with all that is around it',
  );
  t.equal(await rewritten(body('/header', ' {}'), ['alpha']), ' {}', 'a route that obeys no body keeps its bytes');
});

t.test('the head alone tells a set in no header from nothing', async (t) => {
  const preview = (sent: Sent): unknown => {
    const opened = createPass(profile).head(sent);
    return opened.ok ? (opened.value.preview?.spaces.ids ?? null) : opened.why.code;
  };
  t.strictSame(preview({ target: '/mixed', headers: ['X-Space', 'alpha'], body: {} }), ['alpha']);
  t.equal(preview(body('/mixed', { groups: ['alpha'] })), null);
});

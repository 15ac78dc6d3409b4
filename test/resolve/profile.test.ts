import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import t, { type Test } from 'tap';
import { describeProblem } from '../../src/base/document.js';
import { loadProfile } from '../../src/resolve/resolve.js';

/** A small profile, line by line; a case replaces or adds lines. */
const lines: readonly string[] = [
  'name: small', // 1
  'space:', // 2
  "  pattern: '^[a-z0-9_-]{3,64}$'", // 3
  '  absent: default', // 4
  '  default: default', // 5
  '  unknown: refuse', // 6
  '  carriers:', // 7
  '    - header: X-Space', // 8
  '    - query: space', // 9
  'routes:', // 10
  '  - id: memories.get', // 11
  '    match: GET /m/{id}', // 12
  '    action: memory:read', // 13
  '    permission: MemoryRead', // 14
  '    class: content', // 15
  '    space: [header:X-Space, query:space]', // 16
  '  - id: memories.write', // 17
  '    match: POST /m', // 18
  '    action: memory:write', // 19
  '    permission: MemoryWrite', // 20
  '    class: content', // 21
  '    space: { fixed: alpha }', // 22
];

async function load(t: Test, changes: Readonly<Record<number, string>>): Promise<string | readonly string[]> {
  const file = join(t.testdir(), 'small.yaml');
  writeFileSync(file, `${lines.map((line, index) => changes[index + 1] ?? line).join('\n')}\n`);
  const profile = await loadProfile(file);
  return profile.ok ? 'loaded' : profile.why.map((problem) => describeProblem(problem).slice(file.length));
}

t.test('loadProfile() loads a small profile', async (t) => {
  t.equal(await load(t, {}), 'loaded');
});

const accepted: Readonly<Record<string, Record<number, string>>> = {
  'a pattern with other characters': { 3: "  pattern: '^[a-z&@.:/+=-]{1,256}$'" },
  'a pattern of a negated class that leaves visible characters': {
    3: "  pattern: '^[^\\x00-\\x20*,\\x7f-\\uffff]{3,9}$'",
  },
  'no default where one is not taken': { 4: '  absent: refuse', 5: '  # none' },
  'other names for the parameter of another method': { 18: '    match: DELETE /m/{key}' },
  'a parameter and a rest on one level': { 18: '    match: GET /m/{*rest}' },
  'no routes at all': Object.fromEntries([
    [10, 'routes: []'],
    ...Array.from({ length: 12 }, (_, index) => [index + 11, '']),
  ]),
  'what it says about the server': {
    1: "name: small\nabout: { server: Small 1, port: 80, summary: 'A space is a user.' }\nupstream_credential: { kind: static, header: X-Key }\ndenied: [{ match: '* /admin/{*rest}', why: 'not for callers' }]",
  },
  'a path carrier': { 16: '    space: [path:id]' },
  'every kind of carrier for the whole server': {
    8: [
      '    - header: X-Space',
      '    - header-tail: X-Namespace',
      '    - query-first: namespace',
      '    - query-json: filters/user_id',
      '    - path: id',
      '    - path-head: crn',
      '    - body: /a/b',
      '    - body-list: groups',
      '    - body-any: group_ids',
      '    - body-first: prefix',
      '    - body-uri: url',
      '    - form: user_id',
      '    - claim: sub',
    ].join('\n'),
  },
  'the only space of the key, with nothing for the whole server': {
    4: '  absent: own',
    7: '  carriers: []',
    8: '  # none',
    9: '  # none',
    16: '    space: [claim:sub]',
  },
  'own where the body is written anew': {
    1: 'name: small\nrewrite_body: true',
    18: '    match: POST /m',
    22: '    space: [body:user_id]\n    absent: own',
  },
  'a narrower route beside a wider one': {
    12: '    match: GET /m/{id}/x',
    18: '    match: GET /m/{id}/{other}',
  },
  'a narrower route beside a rest': { 12: '    match: GET /m/{id}/x', 18: '    match: GET /{*rest}' },
  'routes that cross, of two methods': { 12: '    match: GET /m/{id}/x', 18: '    match: POST /m/y/{other}' },
  'routes of other lengths': { 12: '    match: GET /m/{id}/x', 18: '    match: GET /{all}/y' },
  'a body that is streamed, with its reason': {
    22: '    space: { fixed: alpha }\n    body: stream\n    body_reason: an upload',
  },
};

for (const [name, changes] of Object.entries(accepted)) {
  t.test(`loadProfile() accepts ${name}`, async (t) => {
    t.equal(await load(t, changes), 'loaded');
  });
}

const wrong: readonly { name: string; changes: Record<number, string>; want: readonly RegExp[] }[] = [
  { name: 'an alias', changes: { 1: 'name: *small' }, want: [/^:1:\d+: /] },
  {
    name: 'an unknown name',
    changes: { 6: '  unknown: refuse\n  patern: x' },
    want: [/^:7:3: space\.patern: unknown name; did you mean "pattern"\?$/],
  },
  { name: 'a name twice', changes: { 6: '  unknown: refuse\n  absent: refuse' }, want: [/^:7:\d+: /] },
  {
    name: 'a pattern without anchors',
    changes: { 3: "  pattern: '[a-z]{3,64}'" },
    want: [/^:3:12: space\.pattern: .*anchored character class/],
  },
  {
    name: 'a pattern of more than one class',
    changes: { 3: "  pattern: '^[a-z]{1,2}[0-9]{1,2}$'" },
    want: [/^:3:12: space\.pattern: .*anchored character class/],
  },
  {
    name: 'a pattern whose range runs backwards',
    changes: { 3: "  pattern: '^[z-a]{3,64}$'" },
    want: [/^:3:12: space\.pattern: .*out of order/],
  },
  {
    name: 'a pattern whose length runs backwards',
    changes: { 3: "  pattern: '^[a-z]{64,3}$'" },
    want: [/^:3:12: space\.pattern: .*out of order/],
  },
  {
    name: 'a pattern that matches line ends',
    changes: { 3: "  pattern: '^[^/]{3,64}$'" },
    want: [/^:3:12: space\.pattern: .*visible ASCII/],
  },
  {
    name: 'a pattern that matches blanks',
    changes: { 3: "  pattern: '^[\\s\\w]{3,64}$'" },
    want: [/^:3:12: space\.pattern: .*visible ASCII/],
  },
  {
    name: 'a pattern that matches *',
    changes: { 3: "  pattern: '^[a-z*]{1,64}$'" },
    want: [/^:3:12: space\.pattern: .*neither \*/],
  },
  {
    name: 'a pattern that matches a comma',
    changes: { 3: "  pattern: '^[+-z]{1,64}$'" },
    want: [/^:3:12: space\.pattern: .*neither \*/],
  },
  { name: 'no default where one is taken', changes: { 5: '  # none' }, want: [/absent: default needs default/] },
  {
    name: 'a default that has not the form',
    changes: { 5: '  default: Default' },
    want: [/^:5:12: space\.default: is "Default", must match space\.pattern/],
  },
  {
    name: 'a fixed space that has not the form',
    changes: { 22: '    space: { fixed: Alpha }' },
    want: [/^:22:21: routes\.1\.space\.fixed: is "Alpha", must match space\.pattern/],
  },
  {
    name: 'a carrier that is two',
    changes: { 8: '    - { header: X-Space, query: s }' },
    want: [/^:8:\d+: space\.carriers\.0: needs exactly one of header, /],
  },
  {
    name: 'a carrier that is none',
    changes: { 8: '    - {}' },
    want: [/^:8:\d+: space\.carriers\.0: needs exactly one of header, /],
  },
  {
    name: 'a header that is no name',
    changes: { 8: '    - header: "X Space"' },
    want: [/^:8:15: space\.carriers\.0\.header: .*must be a header name/],
  },
  {
    name: 'a route carrier of another kind',
    changes: { 16: '    space: [cookie:space]' },
    want: [/^:16:13: routes\.0\.space\.0: is "cookie:space", must be one of header:NAME, header-tail:NAME, /],
  },
  {
    name: 'a route without carriers',
    changes: { 16: '    space: []' },
    want: [/^:16:\d+: routes\.0\.space: .*(?:≥ 1 items|ALL)/],
  },
  {
    name: 'an unknown word for the space',
    changes: { 16: '    space: EVERY' },
    want: [/^:16:12: routes\.0\.space: .*ALL, UNSCOPED, NONE/],
  },
  {
    name: 'a path carrier that the template lacks',
    changes: { 16: '    space: [path:key]' },
    want: [/^:16:13: routes\.0\.space\.0: path:key is not a segment of "GET \/m\/\{id\}"/],
  },
  {
    name: 'a path carrier that is a rest',
    changes: { 12: '    match: GET /m/{*id}', 16: '    space: [path:id]' },
    want: [/path:id is not a segment/],
  },
  {
    name: 'a method that routes have not',
    changes: { 12: '    match: HEAD /m/{id}' },
    want: [/^:12:12: routes\.0\.match: .*METHOD \/path/],
  },
  {
    name: 'a template with a pattern',
    changes: { 12: '    match: GET /m/.*/{id}x' },
    want: [/^:12:12: routes\.0\.match: .*not a path segment/],
  },
  {
    name: 'a template with an encoded segment',
    changes: { 12: '    match: GET /m/%7Bid' },
    want: [/^:12:12: routes\.0\.match: .*not a path segment/],
  },
  {
    name: 'two routes for one request',
    changes: { 18: '    match: GET /m/{other}' },
    want: [/^:18:12: routes\.1\.match: "GET \/m\/\{other\}" matches the same requests as another route/],
  },
  {
    name: 'a rest of another name',
    changes: { 12: '    match: GET /m/{*id}', 16: '    space: [header:X-Space]', 18: '    match: GET /m/{*rest}' },
    want: [/^:18:12: routes\.1\.match: .*"GET \/m\/\{\*id\}" \(memories\.get\)/],
  },
  {
    name: 'routes that cross',
    changes: { 12: '    match: GET /m/{id}/x', 18: '    match: GET /m/y/{other}' },
    want: [
      /^:18:12: routes\.1\.match: "GET \/m\/y\/\{other\}" matches the same requests .*narrower segment by segment/,
    ],
  },
  {
    name: 'a rest that crosses a parameter',
    changes: { 12: '    match: GET /{id}/x', 18: '    match: GET /m/{*rest}' },
    want: [/^:18:12: routes\.1\.match: /],
  },
  {
    name: 'a dot segment for a space',
    changes: { 3: "  pattern: '^[a-z.]{1,64}$'", 5: '  default: ..', 22: '    space: { fixed: . }' },
    want: [/^:5:12: space\.default: is "\.\.", must not be a dot segment/, /^:22:21: .*must not be a dot segment/],
  },
  {
    name: 'a default that means everything',
    changes: { 5: "  default: '*'" },
    want: [/^:5:12: space\.default: is "\*", must be a space name/],
  },
  {
    name: 'a default with a comma',
    changes: { 5: '  default: a,b' },
    want: [/^:5:12: space\.default: .*must be a space name/],
  },
  {
    name: 'a default of another script',
    changes: { 5: '  default: d\u00e9fault' },
    want: [/^:5:12: space\.default: .*must be a space name/],
  },
  {
    name: 'a fixed space with a control',
    changes: { 22: '    space: { fixed: "a\\tb" }' },
    want: [/^:22:21: .*must be a space name/],
  },
  {
    name: 'own where the server cannot be told',
    changes: { 18: '    match: POST /m', 22: '    space: [body:user_id]\n    absent: own' },
    want: [/^:23:13: routes\.1\.absent: own needs a header, query or claim carrier/],
  },
  {
    name: 'own for the whole server where one route cannot be told',
    changes: { 4: '  absent: own', 22: '    space: [body:user_id]' },
    want: [/^:17:\d+: routes\.1(?:\.absent)?: own needs/],
  },
  {
    name: 'a default of a route of a server without one',
    changes: { 4: '  absent: refuse', 5: '  # none', 16: '    space: [query:space]\n    absent: default' },
    want: [/^:17:13: routes\.0\.absent: default needs space\.default/],
  },
  {
    name: 'a body carrier on a streamed body',
    changes: { 22: '    space: [header:X-Space, body:id]\n    body: stream\n    body_reason: an upload' },
    want: [/^:22:29: routes\.1\.space\.1: body:id needs body: json; .*passed on unread/],
  },
  {
    name: 'a body carrier on a form',
    changes: { 22: '    space: [body:id]\n    body: form' },
    want: [/^:22:13: routes\.1\.space\.0: body:id needs body: json/],
  },
  {
    name: 'a form carrier on a JSON body',
    changes: { 22: '    space: [form:id]' },
    want: [/^:22:13: routes\.1\.space\.0: form:id needs body: form/],
  },
  {
    name: 'a body carrier on GET',
    changes: { 16: '    space: [body:id]' },
    want: [/^:16:13: routes\.0\.space\.0: body:id stands in a body, and GET has none/],
  },
  {
    name: 'empty: ALL without a document',
    changes: { 16: '    space: [query:space]\n    empty: ALL' },
    want: [/^:17:12: routes\.0\.empty: ALL needs a carrier in a document/],
  },
  {
    name: 'refused keys of a body that nobody reads',
    changes: {
      22: '    space: [header:X-Space]\n    body: stream\n    body_reason: an upload\n    refuse_body_keys: [x]',
    },
    want: [/^:23:11: routes\.1\.body: stream is passed on unread/],
  },
  {
    name: 'rules of a body that is a form',
    changes: {
      22: '    space: [form:u]\n    body: form\n    body_rules: [{ field: q, matches_word: [X], action: a:b, permission: MemoryRead }]',
    },
    want: [/^:24:\d+: routes\.1\.body_rules: needs body: json/],
  },
  {
    name: 'a pattern that matches what a carrier is cut at',
    changes: { 3: "  pattern: '^[a-z:.]{3,64}$'", 16: '    space: [header-tail:X-Names, query-first:name]' },
    want: [/^:16:13: .*header-tail:X-Names is cut at ":"/, /^:16:34: .*query-first:name is cut at "\."/],
  },
  {
    name: 'one header with two readings',
    changes: { 16: '    space: [header-tail:x-space]' },
    want: [/^:16:13: .*header-tail:x-space and header:X-Space read one place in two ways/],
  },
  {
    name: 'one query key with two readings',
    changes: { 16: '    space: [query-json:space/id]' },
    want: [/^:16:13: .*read one place in two ways/],
  },
  {
    name: 'a key that no reader accepts',
    changes: { 22: '    space: [body:/a/__proto__]' },
    want: [/^:22:13: .*such a key is never accepted/],
  },
  {
    name: 'a pointer that is none',
    changes: { 22: '    space: ["body:/a//b"]' },
    want: [/^:22:13: routes\.1\.space\.0: .*must be one of header:NAME/],
  },
  {
    name: 'JSON in a query without a place in it',
    changes: { 8: '    - query-json: filters' },
    want: [/^:8:\d+: space\.carriers\.0\.query-json: .*must be NAME\/POINTER/],
  },
  {
    name: 'one id for two routes',
    changes: { 17: '  - id: memories.get' },
    want: [/^:17:9: routes\.1\.id: "memories\.get" is the id of another route too/],
  },
  {
    name: 'an action that is none',
    changes: { 13: '    action: read' },
    want: [/^:13:13: routes\.0\.action: .*AREA:VERB/],
  },
  {
    name: 'a permission that is none',
    changes: { 14: '    permission: Read' },
    want: [/^:14:17: routes\.0\.permission: .*MemoryRead/],
  },
  {
    name: 'a streamed body without a reason',
    changes: { 22: '    space: { fixed: alpha }\n    body: stream' },
    want: [/body: stream needs body_reason/],
  },
  {
    name: 'a denied route that is allowed',
    changes: { 1: "name: small\ndenied: [{ match: 'GET /m/{key}', why: none }, { match: '* /m', why: none }]" },
    want: [
      /^:2:19: denied\.0\.match: "GET \/m\/\{key\}" stands among the routes too/,
      /^:2:\d+: denied\.1\.match: "\* \/m" stands/,
    ],
  },
  {
    name: 'a denied route that is none',
    changes: { 1: "name: small\ndenied: [{ match: 'GET /m/.*/x{', why: none }]" },
    want: [/^:2:19: denied\.0\.match: .*not a path segment/],
  },
  {
    name: 'several things at once',
    changes: { 5: '  default: Default', 12: '    match: GET /m//{id}', 22: '    space: { fixed: no }' },
    want: [/^:5:12: /, /^:12:12: /, /^:22:21: /],
  },
];

for (const { name, changes, want } of wrong) {
  t.test(`loadProfile() tells the place of ${name}`, async (t) => {
    const told = await load(t, changes);
    t.equal(told.length, want.length, JSON.stringify(told));
    t.match(told, want);
  });
}

t.test('loadProfile() tells of a file that is not there', async (t) => {
  t.match(await loadProfile(join(t.testdir(), 'none.yaml')), {
    ok: false,
    why: [{ line: 0, message: 'does not exist' }],
  });
});

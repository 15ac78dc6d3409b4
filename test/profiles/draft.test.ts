import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { describeProblem } from '../../src/base/document.js';
import { draftProfile, readProfile, viewRoutes, type ProfileContent } from '../../src/profiles/profiles.js';

const notes = 'test/profiles/fixtures/notes.openapi.yaml';

interface Drafted {
  readonly text: string;
  readonly profile: ProfileContent;
}

async function drafted(t: Test, file: string, spaceNames: readonly string[] = []): Promise<Drafted> {
  const draft = await draftProfile({ file, name: 'notes', spaceNames });
  if (!draft.ok) throw new Error(draft.why.map(describeProblem).join('\n'));
  const { text, operations, allowed } = draft.value;
  const place = join(t.testdir(), 'draft.yaml');
  writeFileSync(place, text);
  const profile = await readProfile(place);
  if (!profile.ok) throw new Error(profile.why.map(describeProblem).join('\n'));
  t.equal(profile.value.routes.length, allowed, 'what is allowed stands among the routes');
  t.equal([...text.matchAll(/^# {2}- id: /gm)].length, operations - allowed, 'the rest in comments');
  return { text, profile: profile.value };
}

t.test('draftProfile() makes routes of what the document says enough about', async (t) => {
  const { profile, text } = await drafted(t, notes);
  t.strictSame(
    viewRoutes(profile).map(({ match, action, permission, space }) => [match, action, permission, space]),
    [
      ['GET /v2/health', 'system:health', 'SystemHealth', 'NONE'],
      ['GET /v2/notes', 'memory:read', 'MemoryRead', 'header:X-Tenant-Id'],
      ['POST /v2/notes', 'memory:write', 'MemoryWrite', 'header:X-Tenant-Id'],
      ['POST /v2/notes/search', 'memory:search', 'MemoryRead', 'body:userId'],
      ['POST /v2/notes/query', 'memory:write', 'MemoryWrite', 'body-list:group_ids'],
      ['POST /v2/notes/any', 'memory:write', 'MemoryWrite', 'body-any:group_ids'],
      ['POST /v2/notes/forget/{user_id}/all', 'memory:write', 'MemoryWrite', 'path:user_id'],
      ['GET /v2/tenants/{tenant}', 'memory:read', 'MemoryRead', 'path:tenant'],
    ],
  );
  t.match(profile, { name: 'notes', health: { live: '/v2/health' }, space: { absent: 'refuse', unknown: 'refuse' } });
  t.equal(profile.strict_keys, true, 'a space that stands deeper in a body is refused');
  t.match(viewRoutes(profile)[3]?.notes, [/stream: sse/]);
  t.notMatch(text, /\u001b/, 'nothing of the document steers a terminal');
});

const left: readonly (readonly [match: RegExp, why: RegExp])[] = [
  [/HEAD \/v2\/notes"/, /HEAD is decided as the GET/],
  [/DELETE \/v2\/tenants\/\{tenant\}"/, /changes the space itself/],
  [/GET \/v2\/tenants\/\{tenant\}\/notes\/\{id\}"/, /\{id\} names an object/],
  [/GET \/v2\/both"/, /user_id and namespace may each name the space/],
  [/GET \/v2\/number"/, /user_id is neither text nor a list/],
  [/GET \/v2\/nothing"/, /names a space/],
  [/POST \/v2\/free"/, /not an object with named fields/],
  [/POST \/v2\/upload"/, /not application\/json/],
  [/GET \/v2\/away"/, /another document/],
  [/GET \/v2\/files\/\{user_id\}\.json"/, /neither fixed text nor one whole/],
  [/GET \/v2\/admin\/notes"/, /"admin" in the path/],
  [/GET \/v2\/bad path: \[x"/, /neither fixed text nor one whole/],
];

t.test('draftProfile() leaves out what it cannot tell, each with the reason above it', async (t) => {
  const { text } = await drafted(t, notes);
  const lines = text.split('\n');
  for (const [match, why] of left) {
    const at = lines.findIndex((line) => line.startsWith('#    match:') && match.test(line));
    t.ok(at > 0, String(match));
    t.match(lines[at - 2], why, String(match));
  }
  t.equal(left.length, [...text.matchAll(/^# {2}- id: /gm)].length, 'and nothing else');
  t.notMatch(text, 'routes: []', 'it has routes, and tells nobody to change an empty list');
});

t.test('draftProfile() takes the names of spaces that it is told, and no others', async (t) => {
  const { profile } = await drafted(t, notes, ['user-id']);
  t.strictSame(
    viewRoutes(profile).map(({ match, space }) => [match, space]),
    [
      ['GET /v2/health', 'NONE'],
      ['POST /v2/notes/search', 'body:userId'],
      ['GET /v2/both', 'query:user_id'],
      ['POST /v2/notes/forget/{user_id}/all', 'path:user_id'],
    ].sort(([one = ''], [other = '']) => order(one) - order(other)),
  );
});

const source = readFileSync(notes, 'utf8');
const order = (match: string): number =>
  source.indexOf(match.slice(match.indexOf('/v2') + 3).replace('{user_id}', '{userId}'));

t.test('draftProfile() loads with no route at all, and says so', async (t) => {
  const file = join(t.testdir({ 'o.json': '{"openapi":"3.0.0","paths":{"/x":{"get":{}}}}' }), 'o.json');
  const { text, profile } = await drafted(t, file);
  t.strictSame(profile.routes, []);
  t.match(text, /nothing is allowed yet/);
  t.match(text, '`routes: []` above becomes `routes:`');
});

t.test('draftProfile() keeps one of two operations for the same requests', async (t) => {
  const one = (name: string): object => ({ get: { parameters: [{ in: 'path', name, schema: { type: 'string' } }] } });
  const document = {
    openapi: '3.1.0',
    paths: { '/u/{user_id}/m': one('user_id'), '/u/{group_id}/m': one('group_id') },
  };
  const file = join(t.testdir({ 'o.json': JSON.stringify(document) }), 'o.json');
  const { profile, text } = await drafted(t, file);
  t.equal(profile.routes.length, 1);
  t.match(text, /another operation above matches the same requests/);
});

const loop = {
  openapi: '3.1.0',
  paths: { '/x': { get: { parameters: [{ $ref: '#/a' }] } } },
  a: { $ref: '#/b' },
  b: { $ref: '#/a' },
};
const deep = {
  openapi: '3.1.0',
  paths: { '/x': { post: { requestBody: { content: { 'application/json': { schema: { $ref: '#/a' } } } } } } },
  a: { type: 'array', items: { $ref: '#/a' }, anyOf: [{ $ref: '#/a' }], properties: { user_id: { $ref: '#/a' } } },
};

for (const [name, document] of Object.entries({ loop, deep })) {
  t.test(`draftProfile() comes to an end with references that go round (${name})`, async (t) => {
    const file = join(t.testdir({ 'o.json': JSON.stringify(document) }), 'o.json');
    t.strictSame((await drafted(t, file)).profile.routes, []);
  });
}

const refused: readonly { name: string; text: string; want: RegExp; as?: string }[] = [
  { name: 'another format', text: '{"swagger":"2.0","paths":{}}', want: /no OpenAPI document of version 3/ },
  { name: 'no paths', text: '{"openapi":"3.0.0"}', want: /has no paths/ },
  { name: 'broken JSON', text: '{"openapi":', want: /is not JSON/ },
  { name: 'broken YAML', text: 'openapi: [', want: /./ },
  { name: 'an unfit name', text: '{"openapi":"3.0.0","paths":{}}', want: /--name: is "A B"/, as: 'A B' },
];

for (const { name, text, want, as = 'x' } of refused) {
  t.test(`draftProfile() refuses ${name}`, async (t) => {
    const file = join(t.testdir({ 'o.json': text }), 'o.json');
    const draft = await draftProfile({ file, name: as, spaceNames: [] });
    t.notOk(draft.ok);
    if (!draft.ok) t.match(draft.why.map(describeProblem).join(), want);
  });
}

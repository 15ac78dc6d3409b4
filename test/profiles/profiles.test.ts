import { readdirSync } from 'node:fs';
import { resolve } from 'node:path';
import t from 'tap';
import { describeProblem } from '../../src/base/document.js';
import { findProfile } from '../../src/resolve/resolve.js';
import {
  readBuiltIn,
  readProfile,
  viewCalls,
  viewRoutes,
  viewServer,
  viewTools,
  type ProfileContent,
} from '../../src/profiles/profiles.js';

const names = readdirSync('config/profiles').map((file) => file.replace(/\.yaml$/, ''));
const built = await readBuiltIn();
const profiles: readonly ProfileContent[] = built.ok ? built.value : [];

t.test('every profile loads, under the name of its file', async (t) => {
  t.strictSame(built.ok ? [] : built.why.map(describeProblem), []);
  t.strictSame(
    profiles.map(({ name }) => name),
    [...names].sort(),
  );
});

t.test('findProfile() tells a name from a file', async (t) => {
  t.match(await readProfile('engram'), { ok: true, value: { name: 'engram' } });
  t.match(await readProfile('config/profiles/engram.yaml'), { ok: true, value: { name: 'engram' } });
  const seen: string[] = [];
  await findProfile('./engram.yaml', (path) => {
    seen.push(path);
    return resolve('config/profiles', path);
  });
  t.strictSame(seen, ['./engram.yaml'], 'a file is looked for where its configuration is');
  const missing = await readProfile('engramm');
  t.match(missing.ok ? [] : missing.why.map(describeProblem), [/^engramm: is none of .*engram.*dot or a slash/]);
});

t.test('viewRoutes() says what is particular about a route', async (t) => {
  const engram = profiles.find(({ name }) => name === 'engram');
  const routes = engram === undefined ? [] : viewRoutes(engram);
  const of = (id: string): object | undefined => routes.find((route) => route.id === id);
  t.match(of('query.run'), { notes: [/^CONSOLIDATE in the body's query_text makes it memory:write \(MemoryWrite\)$/] });
  t.match(of('system.health'), { space: 'query:space', absent: 'ALL' });
  t.match(of('memories.list'), { absent: 'the space default' });
  t.match(of('stream.memories'), { space: 'always default', absent: null, notes: ['stream: sse'] });
});

t.test('viewCalls() tells of every gRPC method what it obeys', async (t) => {
  for (const profile of profiles)
    t.strictSame(
      viewCalls(profile).map(({ id, match }) => [id, match]),
      profile.grpc.map(({ id, method }) => [id, `gRPC ${method}`]),
      profile.name,
    );
  const engram = profiles.find(({ name }) => name === 'engram');
  const calls = engram === undefined ? [] : viewCalls(engram);
  const of = (id: string): object | undefined => calls.find((call) => call.id === id);
  t.match(of('grpc.remember'), { space: 'field 1', absent: 'the space default', notes: [] });
  t.match(of('grpc.introspect'), { space: 'ALL', absent: null, notes: ['never with field 1'] });
  t.match(of('grpc.execute-query'), { notes: ['CONSOLIDATE in field 2 makes it memory:write (MemoryWrite)'] });
  t.match(of('grpc.memory-flow'), {
    space: 'field 1, field 2.1, field 3.1',
    notes: [/^field 2 makes it/, /3/, /4/, /5/, 'streaming: bidi'],
  });
  t.match(of('grpc.observe-stream'), { absent: 'that of the first message, which must name one' });
});

t.test('viewTools() tells of every tool what it needs, and what may be done beside tools', async (t) => {
  for (const profile of profiles) {
    const calls = viewTools(profile).filter(({ match }) => match.startsWith('tools/call '));
    t.strictSame(
      calls.map(({ match }) => match.slice('tools/call '.length)),
      Object.keys(profile.mcp?.tools ?? {}),
      profile.name,
    );
    const post = profile.routes.find(({ protocol, match }) => protocol === 'mcp' && match.startsWith('POST '));
    const compiled = await findProfile(profile.name, (path) => path);
    const found = compiled.ok ? compiled.value.table.find('POST', post?.match.slice('POST '.length) ?? '') : null;
    const known = found !== null && 'value' in found ? (found.value.mcp?.routes ?? []) : [];
    const ids = new Set(known.map(({ facts }) => facts.id));
    for (const { id, match } of viewTools(profile)) t.ok(ids.has(id), `${match} has the id that records have`);
  }
  const of = (name: string, match: string): object | undefined => {
    const profile = profiles.find((one) => one.name === name);
    return profile === undefined ? undefined : viewTools(profile).find((one) => one.match === match);
  };
  t.match(of('mcp-memory', 'tools/call delete_entities'), {
    action: 'tools/call:delete_entities',
    permission: 'MemoryDelete',
    space: 'always default',
    absent: null,
  });
  t.match(of('mcp-memory', 'resources/read'), { action: 'resources/read', space: 'always default' });
  t.match(of('graphiti-mcp', 'tools/call search_nodes'), {
    space: 'body-any:/params/arguments/group_ids',
    absent: 'refuse',
    notes: ['center_node_uuid: forbidden'],
  });
  t.strictSame(profiles.filter(({ mcp }) => mcp === undefined).flatMap(viewTools), []);
});

t.test('every profile says which server it is for, and what credential that takes', async (t) => {
  for (const { name, about, upstream_credential: credential } of profiles) {
    t.ok(about?.summary !== undefined && about.server !== '', name);
    t.ok(credential !== undefined || name === 'generic', name); // a pattern for others
  }
});

t.test('viewServer() leaves nothing out that a profile says', async (t) => {
  for (const profile of profiles) {
    const said = Object.fromEntries(viewServer(profile));
    t.equal(said['profile'], profile.name);
    t.equal(said['routes'], String(profile.routes.length));
    for (const { port } of profile.side_doors)
      t.match(said['side doors'], String(port), `${profile.name}: ${String(port)}`);
  }
});

import t from 'tap';
import { H, wireCase } from './support/cases.js';
import { mcpProfile, pingOf, post, rpc } from './support/mcp.js';
import { startProgram } from './support/program.js';
import { send } from './support/wire.js';

const profile = `${t.testdir({ 'mcp.yaml': mcpProfile })}/mcp.yaml`;
const resource = { url: 'https://memory.example.org/team', authorization_servers: ['https://id.example.org'] };
const program = await startProgram(t, { config: { profile, gateway: { protected_resource: resource } } });
const good = pingOf(program);
const allow = { good, routes: /^(?:mcp\.[a-z_.]+|published)$/ };
const wellKnown = '/.well-known/oauth-protected-resource/team';

await wireCase(
  t,
  program,
  { name: 'where a credential is had is told to everybody, and nothing else', allow },
  async (one) => {
    const get = async (target: string, more = '', method = 'GET') =>
      (await send(program.port, `${method} ${target} HTTP/1.1\r\n${H}${more}\r\n`, { head: method === 'HEAD' }))
        .answers[0];
    for (const [target, path] of [
      [wellKnown, ''],
      [`${wellKnown}/mcp`, '/mcp'],
    ] as const) {
      const answer = await get(target);
      one.t.equal(answer?.status, 200, target);
      one.t.equal(answer?.header('content-type'), 'application/json');
      one.t.match(answer?.json(), {
        resource: `https://memory.example.org/team${path}`,
        authorization_servers: ['https://id.example.org'],
        bearer_methods_supported: ['header'],
      });
      one.t.ok((answer?.json() as { scopes_supported: string[] }).scopes_supported.includes('MemoryDelete'));
      one.t.equal((await get(target, '', 'HEAD'))?.body.length, 0, 'HEAD');
    }
    const { answers } = await one.refused('no credential', good.replace(/Authorization: [^\r]*\r\n/, ''), {
      status: 401,
    });
    one.t.equal(
      answers[0]?.header('www-authenticate'),
      'Bearer resource_metadata="https://memory.example.org/.well-known/oauth-protected-resource/team/mcp"',
    );
    const denied = await one.refused(
      'no right',
      post(one, rpc('tools/call', { name: 'write_note', arguments: { project: 'alpha', title: 'x' } }), '', 'KR'),
      { status: 403 },
    );
    one.t.equal(
      denied.answers[0]?.header('www-authenticate'),
      'Bearer error="insufficient_scope", scope="MemoryWrite", resource_metadata="https://memory.example.org/.well-known/oauth-protected-resource/team/mcp"',
    );
    const bare = (line: string, more = ''): string => `${line} HTTP/1.1\r\n${H}${more}\r\n`;
    for (const line of [
      `GET ${wellKnown}?x=1`,
      `GET ${wellKnown}/`,
      `GET ${wellKnown}/other`,
      `DELETE ${wellKnown}`,
      'GET /.well-known/openid-configuration',
    ])
      await one.refused(line, bare(line), { status: 401 });
    await one.refused('with a body', `${bare(`POST ${wellKnown}`, 'Content-Length: 1\r\n')}x`, { status: 401 });
    one.t.equal(
      await program.metric('http_requests_total{method="GET",route="published",status="200"}'),
      2,
      'each is counted',
    );
  },
);

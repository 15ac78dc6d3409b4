import t from 'tap';
import { wireCase, H } from './support/cases.js';
import { accepts, call, json, mcpProfile, pingOf, post, postModern, postRaw, rpc, sessions } from './support/mcp.js';
import { startProgram } from './support/program.js';
import { reload } from './support/steps.js';

const profile = `${t.testdir({ 'mcp.yaml': mcpProfile })}/mcp.yaml`;
const program = await startProgram(t, {
  config: { profile, gateway: { allowed_origins: ['https://app.example.org'] } },
});

const alpha = { project: 'alpha' };
const good = pingOf(program);
const allow = {
  good,
  routes: /^mcp(?:\.(?:ping|initialize|stream|end|tools\.list|tools\.call\.[a-z_]+|resources\.read|prompts\.get))?$/,
};

const rpcError = (body: unknown): { id: unknown; code: number; data: Record<string, unknown> } => {
  const { id, error } = body as { id: unknown; error: { code: number; data: Record<string, unknown> } };
  return { id, code: error.code, data: error.data };
};

await wireCase(t, program, { name: 'SP-18 batches are refused whole', allow }, async (one) => {
  const batch = (count: number): string =>
    JSON.stringify(Array.from({ length: count }, (_, at) => (at === 0 ? rpc('tools/list') : call('wipe', {}, at))));
  for (const [name, body] of [
    ['a list and a deletion', batch(2)],
    ['an empty one', '[]'],
    ['a thousand', batch(1_000)],
    ['behind blanks', ` \r\n\t${batch(2)}`],
  ] as const) {
    const { answers } = await one.refused(name, postRaw(one, body, '', 'KR'), { status: 400, code: 'mcp.batch' });
    one.t.match(rpcError(answers[0]?.json()), { id: null, code: -32600 }, name);
  }
});

await wireCase(t, program, { name: 'SP-19 a message has one reading', allow }, async (one) => {
  const listing = '"params":{"name":"read_notes","arguments":{"project":"alpha"}}';
  const bad: readonly (readonly [string, string, string])[] = [
    ['method twice', `{"jsonrpc":"2.0","id":1,"method":"tools/list","method":"tools/call",${listing}}`, 'resolve.body'],
    [
      'name twice',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_notes","name":"wipe"}}',
      'resolve.body',
    ],
    [
      'Method beside method',
      `{"jsonrpc":"2.0","id":1,"method":"tools/list","Method":"tools/call",${listing}}`,
      'mcp.message',
    ],
    ['method in capitals alone', '{"jsonrpc":"2.0","id":1,"METHOD":"tools/list"}', 'mcp.message'],
    ['a method that is an array', '{"jsonrpc":"2.0","id":1,"method":["tools/list"]}', 'mcp.message'],
    ['no method: an answer', '{"jsonrpc":"2.0","id":1,"result":{}}', 'mcp.message'],
    ['a key beside', '{"jsonrpc":"2.0","id":1,"method":"tools/list","extra":1}', 'mcp.message'],
    ['jsonrpc 1.0', '{"jsonrpc":"1.0","id":1,"method":"tools/list"}', 'mcp.message'],
    ['jsonrpc as a number', '{"jsonrpc":2.0,"id":1,"method":"tools/list"}', 'mcp.message'],
    ['id null', '{"jsonrpc":"2.0","id":null,"method":"tools/list"}', 'mcp.message'],
    ['id of fractions', '{"jsonrpc":"2.0","id":1.5,"method":"tools/list"}', 'mcp.message'],
    ['id an object', '{"jsonrpc":"2.0","id":{},"method":"tools/list"}', 'mcp.message'],
    ['a call without an id', `{"jsonrpc":"2.0","method":"tools/call",${listing}}`, 'mcp.message'],
    ['a notification with an id', '{"jsonrpc":"2.0","id":1,"method":"notifications/initialized"}', 'mcp.message'],
    ['params as an array', '{"jsonrpc":"2.0","id":1,"method":"tools/list","params":[]}', 'mcp.params'],
    [
      'Name beside name',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_notes","Name":"wipe"}}',
      'mcp.params',
    ],
    ['a name that is a number', '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":7}}', 'mcp.params'],
    [
      'arguments as text',
      '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"read_notes","arguments":"{}"}}',
      'mcp.params',
    ],
    ['two documents', '{"jsonrpc":"2.0","id":1,"method":"ping"}{}', 'resolve.body'],
    ['nothing', '', 'resolve.body'],
  ];
  for (const [name, body, code] of bad) await one.refused(name, postRaw(one, body), { status: 400, code });
});

await wireCase(t, program, { name: 'SP-19 headers that lie', allow }, async (one) => {
  const lies: readonly (readonly [string, string, string])[] = [
    ['Mcp-Method of another revision', post(one, call('wipe', {}), 'Mcp-Method: tools/list\r\n'), 'Mcp-Method'],
    ['Mcp-Name of another revision', post(one, call('wipe', {}), 'Mcp-Name: read_notes\r\n'), 'Mcp-Name'],
    ['Mcp-Method', postModern(one, 'tools/call', { name: 'wipe' }, { method: 'tools/list' }), 'Mcp-Method'],
    ['no Mcp-Method', postModern(one, 'tools/call', { name: 'wipe' }, { method: null }), 'Mcp-Method'],
    ['Mcp-Name', postModern(one, 'tools/call', { name: 'wipe' }, { name: 'read_notes' }), 'Mcp-Name'],
    ['no Mcp-Name', postModern(one, 'tools/call', { name: 'wipe' }, { name: null }), 'Mcp-Name'],
    [
      'Mcp-Name of a resource',
      postModern(one, 'resources/read', { uri: 'memory://beta/notes' }, { name: 'memory://alpha/notes' }),
      'Mcp-Name',
    ],
    ['Mcp-Name where none belongs', postModern(one, 'ping', {}, { name: 'read_notes' }), 'Mcp-Name'],
    [
      'Mcp-Name in broken base64',
      postModern(one, 'tools/call', { name: 'wipe' }, { name: '=?base64?d2lwZQ?=' }),
      'Mcp-Name',
    ],
    ['a version in the body alone', postModern(one, 'ping', {}, { version: null }), 'MCP-Protocol-Version'],
    ['two versions', postModern(one, 'ping', {}, { version: '2025-11-25' }), 'MCP-Protocol-Version'],
    [
      'a parameter that is none',
      postModern(one, 'tools/call', { name: 'read_notes', arguments: alpha }, { more: 'Mcp-Param-Project: beta\r\n' }),
      'Mcp-Param-*',
    ],
    [
      'a parameter of a list',
      postModern(one, 'tools/list', {}, { more: 'Mcp-Param-Project: alpha\r\n' }),
      'Mcp-Param-*',
    ],
    [
      'a parameter that the profile knows',
      postModern(
        one,
        'tools/call',
        { name: 'write_note', arguments: { ...alpha, title: 'x', kind: 'note' } },
        { more: 'Mcp-Param-Kind: task\r\n' },
      ),
      'Mcp-Param-kind',
    ],
    [
      'one that is wanted',
      postModern(one, 'tools/call', { name: 'write_note', arguments: { ...alpha, title: 'x', kind: 'note' } }),
      'Mcp-Param-kind',
    ],
  ];
  for (const [name, bytes, header] of lies) {
    const { answers } = await one.refused(name, bytes, { status: 400, code: 'mcp.header-mismatch' });
    one.t.match(rpcError(answers[0]?.json()), { id: 1, code: -32020, data: { mismatch: { header } } }, name);
  }
  await one.refused('two lines', post(one, rpc('ping'), 'Mcp-Method: ping\r\nMcp-Method: tools/list\r\n'), {
    status: 400,
    code: 'gate.header',
  });
  await one.refused('an alias', post(one, rpc('ping'), 'Mcp_Method: tools/list\r\n'), {
    status: 400,
    code: 'gate.header',
  });
  await one.refused(
    'a header of 2026-07-28 without _meta',
    post(one, rpc('ping'), 'MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: ping\r\n'),
    { status: 400, code: 'mcp.params' },
  );
  for (const version of ['1900-01-01', '2024-11-05', '2026-07-28 ']) {
    const { answers } = await one.refused(
      `version ${version}`,
      post(one, rpc('ping'), `MCP-Protocol-Version: ${version}x\r\n`),
      { status: 400, code: 'mcp.version' },
    );
    one.t.match(rpcError(answers[0]?.json()), {
      code: -32022,
      data: { supported: ['2025-03-26', '2025-06-18', '2025-11-25', '2026-07-28'] },
    });
  }
  await one.refused('a version in initialize', post(one, rpc('initialize', { protocolVersion: '2024-11-05' })), {
    status: 400,
    code: 'mcp.version',
  });
});

await wireCase(t, program, { name: 'headers that say what the body says pass', allow }, async (one) => {
  const encoded = `=?base64?${Buffer.from('read_notes').toString('base64')}?=`;
  const args = { name: 'read_notes', arguments: alpha };
  const { body } = await one.passes('plain', postModern(one, 'tools/call', args));
  one.t.match(
    JSON.parse(body.toString()),
    { method: 'tools/call', params: { name: 'read_notes' } },
    'the body as it was',
  );
  await one.passes('base64', postModern(one, 'tools/call', args, { name: encoded }));
  await one.passes('a parameter', postModern(one, 'tools/call', args, { more: 'Mcp-Param-Project: alpha\r\n' }));
  const wanted = { name: 'write_note', arguments: { ...alpha, title: 'x', kind: true } };
  await one.passes('one that is wanted', postModern(one, 'tools/call', wanted, { more: 'Mcp-Param-Kind: true\r\n' }));
  await one.passes('a resource', postModern(one, 'resources/read', { uri: 'memory://alpha/notes' }));
  await one.passes('another revision', post(one, call('read_notes', alpha), 'MCP-Protocol-Version: 2025-11-25\r\n'));
  const { headers } = await one.passes(
    'Last-Event-ID',
    post(one, rpc('ping'), 'Last-Event-ID: 7\r\nOrigin: https://app.example.org\r\n'),
  );
  const names = headers.map(([name]) => name.toLowerCase());
  one.t.notOk(names.includes('last-event-id'), 'is not passed on: events of others might come back');
  one.t.notOk(names.includes('origin'), 'nor is an origin that we have judged');
});

await wireCase(t, program, { name: 'tools are decided by name, arguments and space', allow }, async (one) => {
  const request = await one.passes('an own space', post(one, call('read_notes', alpha)));
  const record = await program.audit.find(one.from.audit, ({ id, effect }) => id === request.id && effect === 'allow');
  one.t.match(record, {
    action: 'tools/call:read_notes',
    route: 'mcp.tools.call.read_notes',
    permission: 'MemoryRead',
    input: { request: { tool: 'read_notes' } },
    spaces: { ids: ['alpha'] },
  });
  const no = (name: string, message: unknown, status: number, code: string, key: 'KA' | 'KR' = 'KA') =>
    one.refused(name, post(one, message, '', key), { status, code });
  await no('a foreign space', call('read_notes', { project: 'beta' }), 403, 'authorize.denied');
  await no('no space', call('read_notes'), 400, 'space.absent');
  await no('a space that is no text', call('read_notes', { project: 7 }), 400, 'space.malformed');
  await no('another spelling of it', call('read_notes', { ...alpha, Project: 'beta' }), 400, 'space.malformed');
  await no('a tool that nobody listed', call('shutdown', {}), 403, 'mcp.unlisted');
  await no('a tool in another case', call('Read_notes', alpha), 403, 'mcp.unlisted');
  await no('a method that nobody listed', rpc('tasks/list'), 403, 'mcp.method');
  await no('a method that is denied', rpc('logging/setLevel', { level: 'debug' }), 403, 'mcp.method');
  await no('every space', call('wipe', {}), 403, 'authorize.denied');
  await no('null for every space', call('move_notes', { projects: null }), 403, 'authorize.denied');
  await no('one foreign of two', call('move_notes', { projects: ['alpha', 'beta'] }), 403, 'authorize.denied');
  await one.passes('a list of own ones', post(one, call('move_notes', { projects: ['alpha'] })));
  const { answers } = await one.refused('no right', post(one, call('write_note', { ...alpha, title: 'x' }), '', 'KR'), {
    status: 403,
    code: 'authorize.denied',
  });
  one.t.match(rpcError(answers[0]?.json()), { id: 1, code: 403, data: { missing: ['MemoryWrite'], status: 403 } });
  one.t.equal(answers[0]?.header('www-authenticate'), 'Bearer error="insufficient_scope", scope="MemoryWrite"');
  await one.passes('a resource', post(one, rpc('resources/read', { uri: 'memory://alpha/notes' })));
  await no(
    'a resource of another space',
    rpc('resources/read', { uri: 'memory://beta/notes' }),
    403,
    'authorize.denied',
  );
  await no('a resource that nobody listed', rpc('resources/read', { uri: 'memory://alpha/all' }), 403, 'mcp.unlisted');
  await no('a prompt that nobody listed', rpc('prompts/get', { name: 'other', arguments: alpha }), 403, 'mcp.unlisted');
  await one.passes('a prompt', post(one, rpc('prompts/get', { name: 'summary', arguments: alpha })));
});

await wireCase(t, program, { name: 'arguments are checked by the rules of their tool', allow }, async (one) => {
  const fine = { ...alpha, title: 'x' };
  const no = (name: string, args: unknown, code = 'mcp.params') =>
    one.refused(name, post(one, call('write_note', args)), { status: 400, code });
  await no('one is missing', alpha);
  await no('one is too long', { ...alpha, title: 'much too long' });
  await no('one is no text', { ...alpha, title: 7 });
  await no('one is none of the values', { ...fine, kind: 'secret' });
  await no('another type', { ...fine, kind: '7' });
  await no('one is forbidden', { ...fine, secret: 'x' });
  await no('one is not listed', { ...fine, other: 'x' });
  await no('another spelling', { ...fine, Kind: 'note' });
  for (const kind of ['note', 7, true])
    await one.passes(`kind ${String(kind)}`, post(one, call('write_note', { ...fine, kind })));
  await one.passes(
    '7.0 is 7',
    postRaw(one, JSON.stringify(call('write_note', { ...fine, kind: 'K' })).replace('"K"', '7.0')),
  );
  const request = await one.passes(
    'one that is shown',
    post(one, call('write_note', { ...fine, directory: 'drafts' })),
  );
  const record = await program.audit.find(one.from.audit, ({ id, effect }) => id === request.id && effect === 'allow');
  one.t.strictSame(
    (record as { input?: { request?: { params?: unknown } } }).input?.request?.params,
    { 'argument:directory': 'drafts' },
    'the policy sees it',
  );
});

await wireCase(
  t,
  program,
  { name: 'a session belongs to whoever opened it', allow: { ...allow, memoryMib: 128 } },
  async (one) => {
    const ids = ['session-of-ka-0001', 'session-of-kb-0002'];
    one.recorder.script({ request: sessions(ids) });
    const open = async (key: 'KA' | 'KB'): Promise<string> => {
      const { answers } = await one.send(post(one, rpc('initialize', { protocolVersion: '2025-11-25' }), '', key));
      return answers[0]?.header('mcp-session-id') ?? '';
    };
    const [a, b] = [await open('KA'), await open('KB')];
    one.t.strictSame([a, b], ids, 'each is told its own');
    const line = (id: string): string => `Mcp-Session-Id: ${id}\r\n`;
    const bare = (method: string, id: string, key: 'KA' | 'KB'): string =>
      `${method} /mcp HTTP/1.1\r\n${H}${one.key(key)}${accepts}${line(id)}\r\n`;
    await one.passes('its own', post(one, rpc('ping'), line(a)));
    await one.passes('its own stream', bare('GET', a, 'KA'));
    for (const [name, bytes] of [
      ['POST', post(one, rpc('ping'), line(a), 'KB')],
      ['GET', bare('GET', a, 'KB')],
      ['DELETE', bare('DELETE', a, 'KB')],
      ['unknown', post(one, rpc('ping'), line('session-of-nobody'))],
      ['in another case', post(one, rpc('ping'), line(a.toUpperCase()))],
      ['not a session', post(one, rpc('ping'), line('a b'))],
    ] as const) {
      const { answers } = await one.refused(`a foreign ${name}`, bytes, { status: 404, code: 'mcp.session' });
      one.t.match(rpcError(answers[0]?.json()), { code: -32001 }, name);
    }
    await one.refused('two sessions', post(one, rpc('ping'), line(a) + line(b)), { status: 400, code: 'gate.header' });
    one.recorder.script({ request: sessions([a]) });
    const { answers } = await one.send(post(one, rpc('initialize', { protocolVersion: '2025-11-25' }), '', 'KB'));
    one.t.equal(
      answers[0]?.header('mcp-session-id'),
      undefined,
      "a server that gives out somebody's session again does not give it away",
    );
    await one.refused('and it is not theirs', post(one, rpc('ping'), line(a), 'KB'), {
      status: 404,
      code: 'mcp.session',
    });
    await reload(one);
    await one.passes('a reload changes nothing', post(one, rpc('ping'), line(a)));
    one.recorder.script({
      request: (_, reply) => reply.write('HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nOK'),
    });
    await one.passes('its end, whatever is said of it', bare('DELETE', a, 'KA'));
    await one.refused('is the end', post(one, rpc('ping'), line(a)), { status: 404, code: 'mcp.session' });
    one.t.notOk(program.stderr.includes(a), 'no session in the process log');
    one.t.notOk(program.audit.textSince(one.from.audit).includes(a), 'nor in the audit log');
  },
);

await wireCase(t, program, { name: 'other ways in', allow }, async (one) => {
  const of = (method: string, target: string, more = ''): string =>
    `${method} ${target} HTTP/1.1\r\n${H}${one.key('KA')}${more}\r\n`;
  await one.refused('a second transport', of('GET', '/sse'), { status: 404, code: 'resolve.unknown-route' });
  await one.refused('and its messages', of('POST', '/messages?sessionId=x', 'Content-Length: 0\r\n'), {
    status: 404,
    code: 'resolve.unknown-route',
  });
  await one.refused('a preflight', of('OPTIONS', '/mcp'), { status: 405, code: 'resolve.method' });
  const asBrowsersDo = `OPTIONS /mcp HTTP/1.1\r\n${H}Origin: https://app.example.org\r\nAccess-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization,content-type\r\n\r\n`;
  for (const [name, bytes, status] of [
    ['a preflight, which brings no credential', asBrowsersDo, 401],
    ['and one with a credential', asBrowsersDo.replace('Origin', `${one.key('KA')}Origin`), 405],
  ] as const) {
    const [answer] = (await one.refused(name, bytes, { status })).answers;
    const allowing = answer?.headers.filter(([header]) => /^access-control-/i.test(header));
    one.t.strictSame(allowing, [], `${name}: no page is let in by it, not even one of an allowed origin`);
  }
  await one.refused('/mcp/', of('GET', '/mcp/'), { status: 404 });
  await one.refused(
    'another type',
    post(one, rpc('ping')).replace('application/json\r\nAccept', 'text/plain\r\nAccept'),
    { status: 415, code: 'resolve.content-type' },
  );
  for (const origin of ['https://evil.example.org', 'null', 'http://app.example.org', 'https://app.example.org:8443'])
    await one.refused(origin, post(one, rpc('ping'), `Origin: ${origin}\r\n`), { status: 403, code: 'mcp.origin' });
  const { answers } = await one.refused(
    'no credential',
    post(one, rpc('ping')).replace(/Authorization: [^\r]*\r\n/, ''),
    { status: 401 },
  );
  one.t.match(rpcError(answers[0]?.json()), { id: null, code: 401, data: { status: 401 } });
  one.t.equal(answers[0]?.header('www-authenticate'), 'Bearer');
  await one.refused('nothing is published', of('GET', '/.well-known/oauth-protected-resource'), { status: 404 });
});

await wireCase(t, program, { name: 'an id goes back where it is plain', allow }, async (one) => {
  for (const [id, wanted] of [
    [7, 7],
    [-1, -1],
    ['abc', 'abc'],
    ['a\u0000b', null],
    ['é', null],
    ['x'.repeat(200), null],
  ] as const) {
    const { answers } = await one.refused(JSON.stringify(id).slice(0, 12), post(one, rpc('nothing', {}, id)), {
      status: 403,
      code: 'mcp.method',
    });
    one.t.equal(rpcError(answers[0]?.json()).id, wanted);
  }
});

await wireCase(
  t,
  program,
  { name: "which pages may read an answer is not the server's to say", allow },
  async (one) => {
    one.recorder.script({
      request: (_, reply) =>
        reply.write(
          json(
            {},
            'Access-Control-Allow-Origin: *\r\nAccess-Control-Expose-Headers: mcp-session-id\r\nX-Kept: yes\r\n',
          ),
        ),
    });
    const { answers } = await one.send(post(one, rpc('ping')));
    one.t.equal(answers[0]?.header('access-control-allow-origin'), undefined);
    one.t.equal(answers[0]?.header('access-control-expose-headers'), undefined);
    one.t.equal(answers[0]?.header('x-kept'), 'yes');
  },
);

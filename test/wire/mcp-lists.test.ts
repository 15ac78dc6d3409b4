import t from 'tap';
import { H, wireCase } from './support/cases.js';
import { accepts, json, mcpProfile, pingOf, post, postModern, rpc } from './support/mcp.js';
import { startProgram } from './support/program.js';
import type { Reply } from './support/recorder.js';
import { reload } from './support/steps.js';

const dir = t.testdir({
  'mcp.yaml': mcpProfile,
  policy: {
    'tools.yaml': 'roles: {}\nsubjects: {}\nblocked: {}\narguments: { write_note: { directory: { drafts: true } } }\n',
  },
});
const profile = `${dir}/mcp.yaml`;
const data = `${dir}/policy`;
const program = await startProgram(t, {
  config: { profile, upstream: { objects: { answer_max_bytes: 16_384, answer_bytes_in_progress: 16_384 } } },
});
const good = pingOf(program);
const allow = {
  good,
  memoryMib: 128, // keys are hashed for the first time, and each thread of it keeps 19 MiB
  routes: /^mcp(?:\.(?:ping|stream|tools\.list|tools\.call\.write_note|resources\.[a-z.]+|prompts\.list))?$/,
};

const tool = (name: string) => ({ name, description: 'x', inputSchema: { type: 'object', maximum: 12 } });
const all = ['read_notes', 'write_note', 'move_notes', 'wipe', 'status', 'shutdown'].map(tool);
const listed = {
  jsonrpc: '2.0',
  id: 1,
  result: { tools: [...all, { description: 'nameless' }, 'text'], nextCursor: 'c' },
};
const names = (body: unknown): string[] =>
  (body as { result: { tools: { name: string }[] } }).result.tools.map(({ name }) => name);
const eventOf = (value: unknown, end = '\n'): string =>
  `event: message${end}id: 7${end}data: ${JSON.stringify(value)}${end}${end}`;
const streamHead = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const stream =
  (...parts: string[]) =>
  (_: unknown, reply: Reply) => {
    reply.write(streamHead + parts.map(chunk).join('') + '0\r\n\r\n');
  };
const dataOf = (body: Buffer): unknown[] =>
  body
    .toString('utf8')
    .split('\n')
    .filter((line) => line.startsWith('data: ') && line.length > 6)
    .map((line) => JSON.parse(line.slice(6)));

await wireCase(t, program, { name: 'a list shows what its reader may call', allow }, async (one) => {
  one.recorder.script({ request: (_, reply) => reply.write(json(listed, 'ETag: "x"\r\n')) });
  const ask = async (key: 'KA' | 'KR' | 'KALL'): Promise<unknown> => {
    const { answers } = await one.send(post(one, rpc('tools/list'), 'Accept-Encoding: gzip\r\n', key));
    one.t.equal(answers[0]?.status, 200, key);
    one.t.equal(answers[0]?.header('etag'), undefined, 'no tag of another text');
    return answers[0]?.json();
  };
  one.t.strictSame(
    names(await ask('KA')),
    ['read_notes', 'write_note', 'move_notes', 'status'],
    'a writer of one space',
  );
  one.t.strictSame(names(await ask('KR')), ['read_notes', 'status'], 'a reader');
  one.t.strictSame(
    names(await ask('KALL')),
    ['read_notes', 'write_note', 'move_notes', 'wipe', 'status'],
    'everything but what is not listed',
  );
  const body = (await ask('KA')) as { result: { cacheScope: string; nextCursor: string; tools: unknown[] } };
  one.t.match(body.result, { cacheScope: 'private', nextCursor: 'c' });
  one.t.strictSame(body.result.tools[0], all[0], 'what stays is as it was');
  one.t.strictSame(one.forwarded[0]?.values('accept-encoding'), ['identity'], 'the answer must be legible');
});

await wireCase(t, program, { name: 'a list in a stream of events', allow }, async (one) => {
  const progress = { jsonrpc: '2.0', method: 'notifications/progress', params: { progress: 1 } };
  const ask = async (...parts: string[]): Promise<Buffer> => {
    one.recorder.script({ request: stream(...parts) });
    const { answers } = await one.send(post(one, rpc('tools/list'), '', 'KR'));
    one.t.equal(answers[0]?.header('content-type'), 'text/event-stream');
    return answers[0]?.body ?? Buffer.alloc(0);
  };
  const whole = await ask(': hello\n\n', 'id: 0\ndata: \n\n', eventOf(progress), eventOf(listed));
  const [first, second] = dataOf(whole);
  one.t.strictSame(first, progress, 'what is no list passes');
  one.t.strictSame(names(second), ['read_notes', 'status']);
  one.t.match(whole.toString(), /^: hello\n\nid: 0\n/, 'comments, ids and names stay');
  one.t.match(whole.toString(), /event: message\nid: 7\ndata: /);
  for (const end of ['\r\n', '\r', '\n']) {
    const text = eventOf(listed, end);
    const split = await ask(
      ...[...Array(Math.ceil(text.length / 50)).keys()].map((at) => text.slice(at * 50, at * 50 + 50)),
      ': x\n\n',
    );
    one.t.strictSame(names(dataOf(split)[0]), ['read_notes', 'status'], `in pieces, with ${JSON.stringify(end)}`);
  }
  const lines = JSON.stringify(listed, null, 1)
    .split('\n')
    .map((line) => `data:${line}`)
    .join('\n');
  one.t.strictSame(names(dataOf(await ask(`${lines}\n\n`))[0]), ['read_notes', 'status'], 'data over many lines');
  const cut = await ask(eventOf(listed).slice(0, -1));
  one.t.equal(dataOf(cut).length, 0, 'an event without an end is none');
});

await wireCase(
  t,
  program,
  { name: 'lists of resources, templates and prompts, and what a stream repeats', allow },
  async (one) => {
    const result = {
      resources: [{ uri: 'memory://alpha/notes' }, { uri: 'memory://beta/notes' }, { uri: 'memory://alpha/other' }],
      resourceTemplates: [{ uriTemplate: 'memory://{space}' }],
      prompts: [{ name: 'summary' }, { name: 'other' }],
    };
    one.recorder.script({ request: (_, reply) => reply.write(json({ jsonrpc: '2.0', id: 1, result })) });
    for (const method of ['resources/list', 'resources/templates/list', 'prompts/list']) {
      const { answers } = await one.send(post(one, rpc(method)));
      one.t.strictSame(
        answers[0]?.json().result,
        {
          resources: result.resources.slice(0, 1),
          resourceTemplates: [],
          prompts: [{ name: 'summary' }],
          cacheScope: 'private',
        },
        method,
      );
    }
    one.recorder.script({ request: stream(eventOf(listed)) });
    const { answers } = await one.send(`GET /mcp HTTP/1.1\r\n${H}${one.key('KR')}${accepts}\r\n`);
    one.t.strictSame(
      names(dataOf(answers[0]?.body ?? Buffer.alloc(0))[0]),
      ['read_notes', 'status'],
      'a list on the stream of the session',
    );
  },
);

await wireCase(t, program, { name: 'a list that cannot be read is not passed on', allow }, async (one) => {
  const long = {
    ...listed,
    result: { tools: Array.from({ length: 400 }, (_, at) => tool(`tool_${at}${'x'.repeat(40)}`)) },
  };
  const cases: readonly (readonly [string, string])[] = [
    ['no JSON', 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 3\r\n\r\n{x}'],
    ['a list of messages', json([listed])],
    ['tools that are no list', json({ jsonrpc: '2.0', id: 1, result: { tools: {} } })],
    ['another type', 'HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi'],
    ['an encoding', json(listed, 'Content-Encoding: gzip\r\n')],
    ['too long', json(long)],
    ['not UTF-8', 'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 4\r\n\r\n"\xff\xfe"'],
  ];
  for (const [name, bytes] of cases) {
    one.recorder.script({ request: (_, reply) => reply.write(bytes) });
    const { answers } = await one.send(post(one, rpc('tools/list')));
    one.t.equal(answers[0]?.status, 502, name);
    one.t.match(
      answers[0]?.json(),
      { id: 1, error: { code: 502, data: { type: 'urn:memgate:refusal:upstream.unchecked' } } },
      name,
    );
  }
  one.recorder.script({ request: stream(eventOf(long)) });
  const { answers } = await one.send(post(one, rpc('tools/list')));
  one.t.equal(answers[0]?.status, 502, 'an event that is too long');
  one.t.notOk(answers[0]?.body.includes('tool_1'), 'and holds nothing of it');
  one.recorder.script({ request: (_, reply) => reply.write('HTTP/1.1 500 X\r\nContent-Length: 2\r\n\r\nno') });
  const failed = await one.send(post(one, rpc('tools/list')));
  one.t.equal(failed.answers[0]?.status, 500, 'an error is an error');
});

await wireCase(t, program, { name: 'lists that are held are held up to the bound', allow }, async (one) => {
  const text = JSON.stringify({ ...listed, result: { ...listed.result, _meta: { padding: 'x'.repeat(10_000) } } });
  const ways = {
    'as one answer': [
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n`,
      text,
    ],
    'as an event': [streamHead, chunk(`data: ${text}\n\n`) + '0\r\n\r\n'],
  } as const;
  for (const [name, [head, body]] of Object.entries(ways)) {
    const begun: Reply[] = [];
    one.recorder.script({
      request: (_, reply) => {
        begun.push(reply);
        reply.write(head + body.slice(0, 9_000));
      },
    });
    const first = one.send(post(one, rpc('tools/list')));
    await one.recorder.until(() => begun.length === 1);
    const [second] = (await one.send(post(one, rpc('tools/list')))).answers;
    one.t.match(second?.json(), { error: { data: { status: 503, type: 'urn:memgate:refusal:upstream.busy' } } }, name);
    begun[0]?.write(body.slice(9_000));
    one.t.equal((await first).answers[0]?.status, 200, `${name}: the first one is whole, and passes`);
    one.recorder.script({ request: (_, reply) => reply.write(head + body) });
    for (let n = 0; n < 3; n += 1)
      one.t.equal((await one.send(post(one, rpc('tools/list')))).answers[0]?.status, 200, `${name}: all is given back`);
  }
});

await wireCase(t, program, { name: 'rules about arguments are policy data, and hide no tool', allow }, async (one) => {
  await program.writeConfig({ profile, policy: { data } });
  await reload(one);
  one.recorder.script({ request: (_, reply) => reply.write(json(listed)) });
  const { answers } = await one.send(post(one, rpc('tools/list')));
  one.t.ok(names(answers[0]?.json()).includes('write_note'), 'it is listed');
  one.recorder.script({});
  const write = (directory?: string): string =>
    post(
      one,
      rpc('tools/call', {
        name: 'write_note',
        arguments: { project: 'alpha', title: 'x', ...(directory !== undefined && { directory }) },
      }),
    );
  await one.passes('a value of the data', write('drafts'));
  await one.refused('another value', write('private'), { status: 403, code: 'authorize.denied' });
  await one.refused('none', write(), { status: 403, code: 'authorize.denied' });
  await one.passes('2026-07-28', postModern(one, 'ping', {}));
});

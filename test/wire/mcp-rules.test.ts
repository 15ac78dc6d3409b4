import t from 'tap';
import { H, wireCase } from './support/cases.js';
import { accepts, call, pingOf, post, rpc } from './support/mcp.js';
import { startProgram } from './support/program.js';

/*
 * Rules of the section `mcp` that no server of ours needs: the carriers argument-uri and argument-first, completion, and streams that
 * may be taken up again. What is refused where a profile does not say them is in mcp.test.ts.
 */

const mcpProfile = `
name: mcp-rules
space:
  pattern: '^[a-z0-9_-]{3,64}$'
  absent: refuse
  unknown: free
  carriers: []
mcp:
  resumable: true
  tools:
    open_note: { permission: MemoryRead, space: ['argument-uri:url'] }
    list_labels: { permission: MemoryRead, space: ['argument-first:namespace'] }
  completion: { permission: MemoryRead, space: ['uri:ref/uri'] }
routes:
  - { id: mcp, match: POST /mcp, protocol: mcp, action: 'mcp:message', permission: MemoryRead, class: content, space: NONE }
  - { id: mcp.stream, match: GET /mcp, protocol: mcp, action: 'mcp:stream', permission: MemoryRead, class: content, space: NONE, stream: sse }
`;
const profile = `${t.testdir({ 'mcp.yaml': mcpProfile })}/mcp.yaml`;
const program = await startProgram(t, { config: { profile } });
const good = pingOf(program);
const allow = { good, routes: /^mcp\.(?:ping|stream|completion\.complete|tools\.call\.[a-z_]+)$/, memoryMib: 64 };

interface Rule {
  readonly name: string;
  readonly message: (value: unknown) => unknown;
  readonly own: unknown;
  readonly foreign: unknown;
  readonly malformed: readonly unknown[];
}

const rules: readonly Rule[] = [
  {
    name: 'argument-uri: the space in a URI of an argument',
    message: (url) => call('open_note', { url }),
    own: 'memory://alpha/notes/1',
    foreign: 'memory://beta/notes/1',
    malformed: ['see memory://alpha/notes', 'memory://x@alpha/notes', 7],
  },
  {
    name: 'argument-first: the first label of an argument',
    message: (namespace) => call('list_labels', { namespace }),
    own: ['alpha', 'beta'],
    foreign: ['beta', 'alpha'],
    malformed: ['alpha', [7, 'alpha'], []],
  },
  {
    name: 'completion: the space in the URI of its reference',
    message: (uri) =>
      rpc('completion/complete', { ref: { type: 'ref/resource', uri }, argument: { name: 'id', value: '1' } }),
    own: 'memory://alpha/{id}',
    foreign: 'memory://beta/{id}',
    malformed: ['memory://{id}', 7],
  },
];

for (const { name, message, own, foreign, malformed } of rules)
  await wireCase(t, program, { name, allow }, async (one) => {
    await one.passes('the own space', post(one, message(own)));
    await one.refused('a foreign one', post(one, message(foreign)), { status: 403, code: 'authorize.denied' });
    for (const value of malformed)
      await one.refused(JSON.stringify(value), post(one, message(value)), { status: 400, code: 'space.malformed' });
    await one.refused('none', post(one, message(undefined)), { status: 400, code: 'space.absent' });
  });

await wireCase(t, program, { name: 'resumable: the server is told what the client has seen', allow }, async (one) => {
  const events = ': nothing yet\n\n';
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: ${String(events.length)}\r\n\r\n`;
  one.recorder.script({ request: (_, reply) => reply.write(head + events) });
  const { headers } = await one.passes(
    'a stream that is taken up again',
    `GET /mcp HTTP/1.1\r\n${H}${one.key('KA')}${accepts}Last-Event-ID: 7\r\n\r\n`,
  );
  one.t.strictSame(
    headers.filter(([name]) => name.toLowerCase() === 'last-event-id').map(([, value]) => value),
    ['7'],
  );
});

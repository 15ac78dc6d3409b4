import t from 'tap';
import { H, J, SA } from './support/cases.js';
import { startProgram } from './support/program.js';
import { send } from './support/wire.js';

const claims = [
  'X-Auth-Subject: root',
  'X-Auth-Key-Id: root',
  'X-Auth-Spaces: *',
  'X-Auth-Scheme: langsmith',
  'X-Forwarded-For: 10.0.0.1',
  'X-Real-IP: 10.0.0.1',
  'X-HTTP-Method-Override: DELETE',
  'X-Original-URL: /api/v1/spaces',
];

const observing = { enforcement: 'observe' };
const open = { auth_mode: 'none', static_tokens: [] };

for (const [mode, config, args] of [
  ['observe', observing, []],
  ['open', open, ['--i-know-this-is-open']],
] as const) {
  t.test(`${mode}: what a caller claims to be never goes upstream, its own credential and carriers do`, async (t) => {
    const program = await startProgram(t, { config, args: [...args], warm: false });
    const mark = program.recorder.mark();
    const own = 'Authorization: Bearer theirs\r\nX-Memory-Space: alpha\r\nX-Memory-Space-Id: beta\r\n';
    const bytes = `GET /api/v1/memories/recall?q=x HTTP/1.1\r\n${H}${own}${claims.join('\r\n')}\r\n\r\n`;
    t.equal((await send(program.port, bytes)).answers[0]?.status, 200);
    const [request] = program.recorder.requestsSince(mark);
    const text = request?.headers.map(([name, value]) => `${name.toLowerCase()}: ${value}`) ?? [];
    for (const claim of claims) {
      const [name = ''] = claim.toLowerCase().split(':');
      const sent = text.filter((line) => line.startsWith(`${name}:`));
      t.strictSame(sent, name === 'x-forwarded-for' ? ['x-forwarded-for: 127.0.0.1'] : [], name);
    }
    t.ok(text.includes('authorization: Bearer theirs'), 'its own credential');
    t.ok(text.includes('x-memory-space: alpha') && text.includes('x-memory-space-id: beta'), 'its own carriers');
  });
}

t.test('a refusal before the body is recorded with all that the head said', async (t) => {
  const program = await startProgram(t, { warm: false });
  const record = async (expect: string): Promise<Record<string, unknown> | undefined> => {
    const mark = program.audit.mark();
    const head = `POST /api/v1/memories/remember HTTP/1.1\r\n${H}Authorization: Bearer ${program.keys.KR.text}\r\n${SA}${J}`;
    const bytes = `${head}${expect}Content-Length: 15\r\n\r\n{"content":"x"}`;
    const [answer] = (await send(program.port, bytes)).answers;
    t.equal(answer?.status, 403);
    return program.audit.find(mark, ({ id }) => id === answer?.header('x-request-id'));
  };
  const plain = await record('');
  const waiting = await record('Expect: 100-continue\r\n');
  for (const name of ['route', 'action', 'permission', 'spaces', 'tier', 'missing', 'reasons', 'code']) {
    t.strictSame(waiting?.[name], plain?.[name], name);
  }
  t.ok(waiting?.['input'], 'what the policy was asked');
  t.match(waiting?.['decision'], { allow: false });
});

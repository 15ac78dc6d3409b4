import { writeFileSync } from 'node:fs';
import t from 'tap';
import { wireCase, type Case } from './support/cases.js';
import { call, json, mcpProfile, pingOf, post } from './support/mcp.js';
import { startProgram } from './support/program.js';
import { reload } from './support/steps.js';
import { Client } from './support/wire.js';

const streaming = mcpProfile
  .replace('read_notes: { permission: MemoryRead,', 'read_notes: { permission: MemoryRead, stream: sse,')
  .replace('status: { permission: SystemHealth,', 'status: { permission: MemoryRead, stream: sse,');
const profile = `${t.testdir({ 'mcp.yaml': streaming })}/mcp.yaml`;
const program = await startProgram(t, { config: { profile } });
const good = pingOf(program);
const allow = { good, hashes: true, untracked: true, routes: /^mcp\.(?:ping|tools\.call\.(?:read_notes|status))$/ };

const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n';
const event = (text: string): string => `${(text.length + 8).toString(16)}\r\ndata: ${text}\n\n\r\n`;

/** An open answer to a call of a tool. */
async function openCall(one: Case, tool: string, args: object): Promise<Client> {
  const client = await Client.open({ port: program.port });
  one.t.teardown(() => client.close());
  client.write(post(one, call(tool, args)));
  one.t.ok(await client.until(() => client.bytes.includes('data: 001')), `${tool} answers with a stream`);
  return client;
}

/** What the profile says of tools, from the next reload on. */
async function changed(one: Case, from: string, to: string): Promise<void> {
  one.t.ok(streaming.includes(from), 'the profile says that now');
  writeFileSync(profile, streaming.replace(from, to));
  await reload(one);
}

const ways = {
  'a tool that the profile has no more': { from: /\n {4}read_notes:[^\n]*/.exec(streaming)?.[0] ?? '?', to: '' },
  'a tool that needs another right by now': {
    from: 'read_notes: { permission: MemoryRead,',
    to: 'read_notes: { permission: SystemShutdown,',
  },
};
for (const [name, { from, to }] of Object.entries(ways))
  await wireCase(t, program, { name: `an open answer to ${name}`, allow }, async (one) => {
    one.recorder.script({
      request: ({ body }, reply) =>
        reply.write(body.includes('tools/call') ? head + event('001') : json({ jsonrpc: '2.0', id: 1, result: {} })),
    });
    const reading = await openCall(one, 'read_notes', { project: 'alpha' });
    const other = await openCall(one, 'status', {});
    await changed(one, from, to);
    one.t.ok(await reading.until(() => reading.answers[0]?.isWhole === true, 3_000), 'it ends');
    one.t.match(reading.answers[0]?.body.toString(), /event: memgate-closed\ndata: \{"code":"lease\.denied"/);
    const id = reading.answers[0]?.header('x-request-id');
    const outcome = await program.audit.find(one.from.audit, (one) => one.id === id && one['ended_by'] !== undefined);
    one.t.match(outcome, { ended_by: 'gateway', code: 'lease.denied' }, 'recorded');
    one.t.notOk(other.isClosed, 'one of another tool goes on');
    other.close();
    writeFileSync(profile, streaming);
    await reload(one);
  });

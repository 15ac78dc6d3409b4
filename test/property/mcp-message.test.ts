import fc from 'fast-check';
import t from 'tap';
import { parse } from 'yaml';
import { z } from 'zod';
import { readMessage, type Message } from '../../src/resolve/mcp-message.js';
import { compileProfile, profileSchema } from '../../src/resolve/resolve.js';
import { messageBytes, plain } from '../resolve/fixtures/messages.js';
import { mcpProfile } from '../wire/support/mcp.js';

const seed = Number(process.env['MEMGATE_TEST_SEED'] ?? 20_261_121);
const numRuns = 20_000;
t.comment(`fast-check seed ${String(seed)}`);

/** As the protocol's own schema has them. test/servers/mcp-memory.test.ts asks the official one. */
const id = z.union([z.string(), z.int()]);
const wanted = z.strictObject({
  jsonrpc: z.literal('2.0'),
  id: id.optional(),
  method: z.string(),
  params: z.looseObject({ _meta: z.looseObject({ progressToken: id.optional() }).optional() }).optional(),
});

/** @returns what JSON.parse makes of it; undefined where it throws */
function lenient(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}

/** What is wrong with taking this message; null where nothing is. */
function complaint(bytes: Buffer, message: Message): string | null {
  const parsed = lenient(bytes);
  if (parsed === undefined) return 'JSON.parse refuses it';
  const read = wanted.safeParse(parsed);
  if (!read.success) return z.prettifyError(read.error);
  if (read.data.method !== message.method) return `method ${message.method}`;
  if (message.isNotification !== !('id' in read.data)) return 'a notification';
  const [ours, theirs] = [JSON.stringify(plain(message.fields)), JSON.stringify(parsed)];
  return ours === theirs ? null : `${ours} and ${theirs}`;
}

t.test('readMessage() never throws, and what it takes has one reading, which the protocol knows', async (t) => {
  const seen = { taken: 0, refused: 0 };
  fc.assert(
    fc.property(messageBytes, (bytes) => {
      const message = readMessage(bytes);
      seen[message.ok ? 'taken' : 'refused'] += 1;
      const wrong = message.ok ? complaint(bytes, message.value) : null;
      if (wrong !== null) throw new Error(wrong);
    }),
    { seed, numRuns },
  );
  t.comment(JSON.stringify(seen));
  t.ok(seen.taken > numRuns / 10, `${seen.taken} were taken`);
  t.ok(seen.refused > numRuns / 10, `${seen.refused} were refused`);
});

const endpoint = compileProfile(profileSchema.parse(parse(mcpProfile))).table.find('POST', '/mcp');
const table = endpoint !== null && 'value' in endpoint ? endpoint.value.mcp : null;

t.test('a call is decided as the tool, and with the arguments, that JSON.parse reads', async (t) => {
  const seen: Record<string, number> = {};
  fc.assert(
    fc.property(messageBytes, (bytes) => {
      const message = readMessage(bytes);
      const call = message.ok ? table?.call(message.value) : undefined;
      if (call?.ok !== true || call.value.tool === null) return;
      const { tool, params } = call.value;
      seen[tool] = (seen[tool] ?? 0) + 1;
      const { name, arguments: given = {} } = (
        lenient(bytes) as { params: { name: string; arguments?: Record<string, unknown> } }
      ).params;
      if (name !== tool) throw new Error(`${tool}, and JSON.parse reads ${name}`);
      for (const [key, value] of Object.entries(params))
        if (given[key.replace('argument:', '')] !== value) throw new Error(`${key} is ${value}`);
    }),
    { seed, numRuns },
  );
  t.comment(JSON.stringify(seen));
  t.ok((seen['read_notes'] ?? 0) > 100, 'calls were among them');
});

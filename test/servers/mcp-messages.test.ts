import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import fc from 'fast-check';
import t from 'tap';
import { readMessage } from '../../src/resolve/mcp-message.js';
import { messageBytes } from '../resolve/fixtures/messages.js';

const home = resolve('.cache/servers/mcp-memory');
if (!existsSync(join(home, 'installed.json')))
  throw new Error(
    "The protocol's own schema comes with the MCP memory server: npm run test:servers -- mcp-memory mcp-messages",
  );

interface Schema {
  safeParse(value: unknown): { readonly success: boolean; readonly error?: { readonly message: string } };
}
const inHome = createRequire(join(home, 'package.json'));
const sdk = (await import(pathToFileURL(inHome.resolve('@modelcontextprotocol/sdk/types.js')).href)) as {
  readonly JSONRPCMessageSchema: Schema;
  readonly CallToolRequestSchema: Schema;
};

const seed = Number(process.env['MEMGATE_TEST_SEED'] ?? 20_261_121);
const numRuns = 20_000;
t.comment(`fast-check seed ${String(seed)}`);

t.test('what is taken as a message the official schema takes as well', async (t) => {
  const seen = { messages: 0, calls: 0 };
  fc.assert(
    fc.property(messageBytes, (bytes) => {
      const message = readMessage(bytes);
      if (!message.ok) return;
      const parsed: unknown = JSON.parse(bytes.toString('utf8'));
      const read = sdk.JSONRPCMessageSchema.safeParse(parsed);
      if (!read.success) throw new Error(`${bytes.toString()}: ${String(read.error?.message)}`);
      seen.messages += 1;
      if (sdk.CallToolRequestSchema.safeParse(parsed).success) seen.calls += 1;
    }),
    { seed, numRuns },
  );
  t.comment(JSON.stringify(seen));
  t.ok(seen.messages > numRuns / 20 && seen.calls > 100, 'many were taken, and calls were among them');
});

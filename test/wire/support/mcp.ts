import { H, type Case } from './cases.js';
import type { KeyName } from './keys.js';
import type { Program } from './program.js';
import type { RecordedRequest, Reply } from './recorder.js';

/** A profile that has every kind of rule that the `mcp` section knows. */
export const mcpProfile = `
name: mcp-test
space:
  pattern: '^[a-z0-9_-]{3,64}$'
  absent: refuse
  unknown: free
  carriers: []
mcp:
  tools:
    read_notes: { permission: MemoryRead, space: [argument:project] }
    write_note:
      permission: MemoryWrite
      space: [argument:project]
      headers: { Kind: kind }
      other_arguments: refuse
      arguments:
        project: { required: true }
        kind: { values: [note, task, 7, true] }
        title: { required: true, max_characters: 8 }
        directory: { shown: true }
        secret: { forbidden: true }
    move_notes: { permission: MemoryWrite, space: ['argument-any:projects'], empty: ALL }
    wipe: { permission: MemoryDelete, space: ALL }
    status: { permission: SystemHealth, class: metadata, space: NONE }
  resources: { permission: MemoryRead, space: ['uri:uri'], names: ['memory://alpha/notes', 'memory://beta/notes', 'memory://alpha'] }
  prompts: { permission: MemoryRead, space: [argument:project], names: [summary] }
  methods:
    logging/setLevel: deny
    subscriptions/listen: { permission: MemoryRead, class: content, space: ALL, stream: sse }
routes:
  - { id: mcp, match: POST /mcp, protocol: mcp, action: 'mcp:message', permission: MemoryRead, class: content, space: ['body:/params/arguments/project'] }
  - { id: mcp.stream, match: GET /mcp, protocol: mcp, action: 'mcp:stream', permission: MemoryRead, class: content, space: NONE, stream: sse }
  - { id: mcp.end, match: DELETE /mcp, protocol: mcp, action: 'mcp:end', permission: MemoryRead, class: metadata, space: NONE }
`;

export const accepts = 'Accept: application/json, text/event-stream\r\n';

/** Who sends: it knows the header line of a key. */
type Sender = Pick<Case, 'key'>;

/** A POST to /mcp with these bytes. */
export function postRaw(one: Sender, body: string, more = '', key: KeyName = 'KA'): string {
  const length = Buffer.byteLength(body, 'latin1');
  return `POST /mcp HTTP/1.1\r\n${H}${one.key(key)}Content-Type: application/json\r\n${accepts}${more}Content-Length: ${length}\r\n\r\n${body}`;
}

/** One message, of a revision that has sessions. */
export const post = (one: Sender, message: unknown, more = '', key: KeyName = 'KA'): string =>
  postRaw(one, Buffer.from(JSON.stringify(message)).toString('latin1'), more, key);

export const rpc = (method: string, params?: unknown, id: unknown = 1): Readonly<Record<string, unknown>> => ({
  jsonrpc: '2.0',
  id,
  method,
  ...(params !== undefined && { params }),
});

/** A message that every profile lets through, outside of a case. */
export const pingOf = ({ keys }: Pick<Program, 'keys'>): string =>
  post({ key: () => `Authorization: Bearer ${keys.KA.text}\r\n` }, rpc('ping'));

export const call = (name: string, args?: unknown, id: unknown = 1): Readonly<Record<string, unknown>> =>
  rpc('tools/call', { name, ...(args !== undefined && { arguments: args }) }, id);

const modern = '2026-07-28';
const meta = {
  'io.modelcontextprotocol/protocolVersion': modern,
  'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  'io.modelcontextprotocol/clientCapabilities': {},
};

export interface Mirrored {
  readonly method?: string | null;
  readonly name?: string | null;
  readonly version?: string | null;
  readonly more?: string;
}

/** One message of 2026-07-28; headers as given, or left out where null. */
export function postModern(
  one: Sender,
  method: string,
  params: object,
  headers: Mirrored = {},
  key: KeyName = 'KA',
): string {
  const named = (params as { name?: string; uri?: string }).name ?? (params as { uri?: string }).uri ?? null;
  const { method: inMethod = method, name = named, version = modern, more = '' } = headers;
  const lines = [
    ...(version === null ? [] : [`MCP-Protocol-Version: ${version}`]),
    ...(inMethod === null ? [] : [`Mcp-Method: ${inMethod}`]),
    ...(name === null ? [] : [`Mcp-Name: ${name}`]),
  ];
  return post(
    one,
    rpc(method, { ...params, _meta: meta }),
    `${lines.map((line) => `${line}\r\n`).join('')}${more}`,
    key,
  );
}

/** An answer of the upstream. */
export const json = (value: unknown, more = ''): string => {
  const body = JSON.stringify(value);
  return `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
};

/** An upstream that opens a session `id` with each `initialize`, and says yes to everything else. */
export const sessions =
  (ids: readonly string[]) =>
  (request: RecordedRequest, reply: Reply): void => {
    const text = request.body.toString('utf8');
    const isOpening = text.includes('"initialize"');
    const opened = isOpening ? `Mcp-Session-Id: ${ids[sessionCount++ % ids.length] ?? ''}\r\n` : '';
    reply.write(json({ jsonrpc: '2.0', id: 1, result: {} }, opened));
  };
let sessionCount = 0;

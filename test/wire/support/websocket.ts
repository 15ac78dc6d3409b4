import { createHash, randomBytes } from 'node:crypto';
import type { Recorder, Reply } from './recorder.js';
import { Client } from './wire.js';

// Written for the tests alone: no code is shared with the program, so that two wrongs cannot agree.

export interface FrameWish {
  readonly opcode?: number;
  readonly fin?: boolean;
  readonly rsv?: number;
  readonly masked?: boolean;
  /** Length bytes other than the shortest. */
  readonly length?: 'medium' | 'long';
}

/** A frame as a client sends it, right or wrong. */
export function frame(payload: string | Buffer, wish: FrameWish = {}): Buffer {
  const { opcode = 1, fin = true, rsv = 0, masked = true, length } = wish;
  const bytes = Buffer.from(payload);
  const size = bytes.length;
  const form = length ?? (size < 126 ? 'short' : size < 65_536 ? 'medium' : 'long');
  const mark = form === 'short' ? size : form === 'medium' ? 126 : 127;
  const head = Buffer.from([(fin ? 0x80 : 0) | (rsv << 4) | opcode, (masked ? 0x80 : 0) | mark]);
  const extended = Buffer.alloc(form === 'short' ? 0 : form === 'medium' ? 2 : 8);
  if (form === 'medium') extended.writeUInt16BE(size);
  if (form === 'long') extended.writeBigUInt64BE(BigInt(size));
  const mask = masked ? randomBytes(4) : Buffer.alloc(0);
  const body = masked ? bytes.map((byte, at) => byte ^ (mask[at % 4] ?? 0)) : bytes;
  return Buffer.concat([head, extended, mask, body]);
}

export interface ReadFrame {
  readonly opcode: number;
  readonly fin: boolean;
  readonly masked: boolean;
  readonly payload: Buffer;
}

/** All whole frames, and how many bytes they took. */
export function readFrames(bytes: Buffer): { readonly frames: readonly ReadFrame[]; readonly taken: number } {
  const frames: ReadFrame[] = [];
  let at = 0;
  for (;;) {
    const rest = bytes.subarray(at);
    if (rest.length < 2) break;
    const masked = ((rest[1] ?? 0) & 0x80) !== 0;
    const mark = (rest[1] ?? 0) & 0x7f;
    const lengthBytes = mark === 126 ? 2 : mark === 127 ? 8 : 0;
    const headBytes = 2 + lengthBytes + (masked ? 4 : 0);
    if (rest.length < headBytes) break;
    const size = mark === 126 ? rest.readUInt16BE(2) : mark === 127 ? Number(rest.readBigUInt64BE(2)) : mark;
    if (rest.length < headBytes + size) break;
    const mask = rest.subarray(headBytes - 4, headBytes);
    const raw = rest.subarray(headBytes, headBytes + size);
    const payload = masked ? Buffer.from(raw.map((byte, i) => byte ^ (mask[i % 4] ?? 0))) : Buffer.from(raw);
    frames.push({ opcode: (rest[0] ?? 0) & 0x0f, fin: ((rest[0] ?? 0) & 0x80) !== 0, masked, payload });
    at += headBytes + size;
  }
  return { frames, taken: at };
}

export const acceptFor = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

export const clientKey = 'dGhlIHNhbXBsZSBub25jZQ==';

/** The four lines of an upgrade that a client needs; each can be replaced or left out. */
export const upgradeLines = (over: Readonly<Record<string, string | null>> = {}): string =>
  Object.entries<string | null>({
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': clientKey,
    ...over,
  })
    .filter((line): line is [string, string] => line[1] !== null)
    .map(([name, value]) => `${name}: ${value}\r\n`)
    .join('');

/** A client of a tunnel on a raw connection. */
export class SocketClient {
  readonly client: Client;

  private constructor(client: Client) {
    this.client = client;
  }

  static async open(port: number, request: string): Promise<SocketClient> {
    const client = await Client.open({ port });
    client.write(request);
    await client.until(() => client.isClosed || client.bytes.includes('\r\n\r\n'));
    return new SocketClient(client);
  }

  get head(): string {
    const { bytes } = this.client;
    return bytes.toString('latin1', 0, Math.max(0, bytes.indexOf('\r\n\r\n')));
  }

  get status(): number {
    return Number(/^HTTP\/1\.1 (\d{3})/.exec(this.head)?.[1] ?? 0);
  }

  get id(): string {
    return /^x-request-id: (.*)$/im.exec(this.head)?.[1]?.trim() ?? '';
  }

  get frames(): readonly ReadFrame[] {
    const { bytes } = this.client;
    return readFrames(bytes.subarray(bytes.indexOf('\r\n\r\n') + 4)).frames;
  }

  get texts(): readonly string[] {
    return this.frames.filter(({ opcode }) => opcode === 1).map(({ payload }) => payload.toString());
  }

  /** Code and reason of the close frame; undefined where there is none. */
  get closed(): string | undefined {
    const payload = this.frames.find(({ opcode }) => opcode === 8)?.payload;
    return payload && `${payload.length < 2 ? 0 : payload.readUInt16BE(0)} ${payload.toString('utf8', 2)}`;
  }

  send(payload: string | Buffer, wish?: FrameWish): void {
    this.client.write(frame(payload, wish));
  }

  async say(value: unknown, answers = this.texts.length + 1): Promise<string | undefined> {
    this.send(JSON.stringify(value));
    await this.client.until(() => this.texts.length >= answers || this.client.isClosed);
    return this.texts[answers - 1];
  }
}

/** What a server of Engram's kind has on one connection. */
export interface Obeying {
  space: string;
  readonly reply: Reply;
  readonly seen: ReadFrame[];
  /** Headers of the handshake, lower-case names. */
  readonly headers: ReadonlyMap<string, string>;
  say(text: string): void;
}

/** An upstream that switches the space with every `init`, as Engram does, and tells which one it writes to. */
export function obeyInits(
  recorder: Recorder,
  answer: { readonly head?: string; readonly accept?: string } = {},
): Obeying[] {
  const all: Obeying[] = [];
  recorder.script({
    request: (request, reply) => {
      const [key] = request.values('sec-websocket-key');
      if (key === undefined) {
        reply.write('HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"ok":true}');
        return;
      }
      const say = (text: string): void => reply.write(frame(text, { masked: false }));
      const headers = new Map(request.headers.map(([name, value]) => [name.toLowerCase(), value]));
      const one: Obeying = { space: 'default', reply, seen: [], headers, say };
      all.push(one);
      let rest = Buffer.alloc(0);
      let parts: Buffer[] = [];
      reply.takeOver((bytes) => {
        const { frames, taken } = readFrames((rest = Buffer.concat([rest, bytes])));
        rest = rest.subarray(taken);
        for (const got of frames) {
          one.seen.push(got);
          if (got.opcode === 8) reply.write(frame(got.payload, { opcode: 8, masked: false }));
          if (got.opcode > 2) continue;
          parts.push(got.payload);
          if (!got.fin) continue;
          const message = JSON.parse(Buffer.concat(parts).toString());
          parts = [];
          if (message.type === 'init') one.space = message.memory_space_id ?? 'default';
          say(JSON.stringify({ type: `${String(message.type)}-ack`, space: one.space }));
        }
      });
      reply.write(
        `HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${answer.accept ?? acceptFor(key)}\r\n${answer.head ?? ''}\r\n`,
      );
    },
  });
  return all;
}

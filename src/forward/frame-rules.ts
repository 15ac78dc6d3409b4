import { isUtf8 } from 'node:buffer';
import type { RefusalCode } from '../model/codes.js';

/** Why a tunnel ends: our code, and the one that the peer is told in the close frame. */
export class TunnelFault extends Error {
  readonly code: Extract<RefusalCode, `tunnel.${string}` | 'gate.overloaded'>;
  readonly closeCode: number;

  constructor(code: TunnelFault['code'], closeCode: number, detail: string) {
    super(detail);
    this.name = 'TunnelFault';
    this.code = code;
    this.closeCode = closeCode;
  }
}

export const protocolFault = (detail: string): TunnelFault => new TunnelFault('tunnel.protocol', 1002, detail);

export const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 } as const;
const known: ReadonlySet<number> = new Set(Object.values(opcodes));

export const isControl = (opcode: number): boolean => opcode >= opcodes.close;

/** The head of a frame. */
export interface FrameHead {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly headBytes: number;
  readonly payloadBytes: number;
  /** Four bytes; null where the side does not mask. */
  readonly mask: Buffer | null;
}

export interface FrameOptions {
  /** Clients mask, servers do not. */
  readonly isMasked: boolean;
  /** An extension may set the first reserved bit. */
  readonly mayCompress: boolean;
}

const controlBytesMax = 125;
const shortMax = 125;
const mediumMark = 126;
const mediumMax = 0xffff;
const maskBytes = 4;

/**
 * The rules of one direction of a WebSocket, frame by frame.
 *
 * @see RFC 6455 §5
 */
export class FrameRules {
  readonly #options: FrameOptions;
  #isWithinMessage = false;
  #isClosed = false;

  constructor(options: FrameOptions) {
    this.#options = options;
  }

  /** True when this side has said that it closes: nothing may come behind that. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** @returns null where the head is not whole yet. @throws TunnelFault for a frame that must not be */
  head(bytes: Buffer): FrameHead | null {
    if (bytes.length < 2) return null;
    const [first = 0, second = 0] = bytes;
    const opcode = first & 0x0f;
    const isFinal = (first & 0x80) !== 0;
    const isMasked = (second & 0x80) !== 0;
    this.#checkFirst(first, opcode);
    if (isMasked !== this.#options.isMasked)
      throw protocolFault('a frame that is masked, or not, as its side must not');
    const mark = second & 0x7f;
    if (isControl(opcode) && (mark > controlBytesMax || !isFinal)) throw protocolFault('a long or split control frame');
    const lengthBytes = mark < mediumMark ? 0 : mark === mediumMark ? 2 : 8;
    const headBytes = 2 + lengthBytes + (isMasked ? maskBytes : 0);
    if (bytes.length < headBytes) return null;
    const payloadBytes = lengthBytes === 0 ? mark : longLength(bytes, lengthBytes);
    const mask = isMasked ? bytes.subarray(headBytes - maskBytes, headBytes) : null;
    return { opcode, isFinal, headBytes, payloadBytes, mask };
  }

  /** The head was taken: the next frame is judged behind it. */
  took({ opcode, isFinal }: FrameHead): void {
    if (opcode === opcodes.close) this.#isClosed = true;
    if (!isControl(opcode)) this.#isWithinMessage = !isFinal;
  }

  #checkFirst(first: number, opcode: number): void {
    if (this.#isClosed) throw protocolFault('a frame behind the close frame');
    const reserved = first & 0x70;
    const mayReserve = this.#options.mayCompress && (opcode === opcodes.text || opcode === opcodes.binary);
    if (reserved !== 0 && !(mayReserve && reserved === 0x40)) throw protocolFault('a reserved bit');
    if (!known.has(opcode)) throw protocolFault('an unknown kind of frame');
    if (isControl(opcode)) return;
    if ((opcode === opcodes.continuation) !== this.#isWithinMessage)
      throw protocolFault('a part without a message, or a message within another');
  }
}

/** Lengths have one spelling: the shortest. */
function longLength(bytes: Buffer, lengthBytes: 2 | 8): number {
  const length = lengthBytes === 2 ? bytes.readUInt16BE(2) : Number(bytes.readBigUInt64BE(2));
  if (length > Number.MAX_SAFE_INTEGER || length <= (lengthBytes === 2 ? shortMax : mediumMax))
    throw protocolFault('a length that is not in its shortest form');
  return length;
}

export function unmasked(payload: Buffer, mask: Buffer | null): Buffer {
  const plain = Buffer.from(payload);
  if (mask !== null) for (let i = 0; i < plain.length; i += 1) plain[i] = (plain[i] ?? 0) ^ (mask[i % maskBytes] ?? 0);
  return plain;
}

const mayBeSent = (code: number): boolean =>
  (code >= 1000 && code <= 1003) || (code >= 1007 && code <= 1014) || (code >= 3000 && code <= 4999);

/** @throws TunnelFault for a close frame that says nothing well-formed */
export function checkClose(payload: Buffer): void {
  if (payload.length === 0) return;
  if (payload.length === 1 || !mayBeSent(payload.readUInt16BE(0)) || !isUtf8(payload.subarray(2)))
    throw protocolFault('a close frame without a proper code and reason');
}

/** A close frame of ours. The mask towards a server is zeros: it hides nothing, and nothing of it is chosen by anybody. */
export function closeFrame(code: number, reason: string, isMasked: boolean): Buffer {
  const payload = Buffer.alloc(2 + Buffer.byteLength(reason));
  payload.writeUInt16BE(code, 0);
  payload.write(reason, 2);
  const mask = isMasked ? Buffer.alloc(maskBytes) : Buffer.alloc(0);
  return Buffer.concat([Buffer.from([0x80 | opcodes.close, (isMasked ? 0x80 : 0) | payload.length]), mask, payload]);
}

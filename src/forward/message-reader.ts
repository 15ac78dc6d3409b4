import { checkClose, FrameRules, isControl, opcodes, TunnelFault, unmasked, type FrameHead } from './frame-rules.js';

/** What a client has said: a whole text message, or a control frame. */
export interface Piece {
  /** Null for a control frame. */
  readonly text: Buffer | null;
  /** The frames as they came. */
  readonly raw: Buffer;
}

/** Frames that one message may be split into. */
const framesMax = 1_024;

/** Reads the messages of a client whole, for somebody who decides on them. Nothing of a message is given out before its last byte. */
export class MessageReader {
  readonly #rules = new FrameRules({ isMasked: true, mayCompress: false });
  readonly #bytesMax: number;
  #rest: Buffer = Buffer.alloc(0);
  #parts: Buffer[] = [];
  #raw: Buffer[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get isClosed(): boolean {
    return this.#rules.isClosed;
  }

  /** Of what was pushed and not given out yet. */
  get heldBytes(): number {
    return this.#rest.length + this.#bytes;
  }

  push(chunk: Buffer): void {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
  }

  /** Takes away what was not read yet. */
  left(): Buffer {
    const rest = this.#rest;
    this.#rest = Buffer.alloc(0);
    return rest;
  }

  /** @returns null where more must come. @throws TunnelFault */
  next(): Piece | null {
    for (;;) {
      const head = this.#rules.head(this.#rest);
      if (head === null) return null;
      this.#check(head);
      const end = head.headBytes + head.payloadBytes;
      if (this.#rest.length < end) return null;
      const raw = Buffer.from(this.#rest.subarray(0, end));
      this.#rest = this.#rest.subarray(end);
      this.#rules.took(head);
      const piece = this.#take(head, raw);
      if (piece !== null) return piece;
    }
  }

  #check({ opcode, payloadBytes }: FrameHead): void {
    if (isControl(opcode)) return;
    if (opcode === opcodes.binary) throw new TunnelFault('tunnel.message', 1003, 'a binary message');
    if (this.#bytes + payloadBytes > this.#bytesMax)
      throw new TunnelFault('tunnel.too-large', 1009, `a message over ${String(this.#bytesMax)} bytes`);
    if (this.#raw.length >= framesMax)
      throw new TunnelFault('tunnel.too-large', 1009, `a message in over ${String(framesMax)} frames`);
  }

  #take({ opcode, isFinal, headBytes, mask }: FrameHead, raw: Buffer): Piece | null {
    const payload = unmasked(raw.subarray(headBytes), raw.subarray(headBytes - (mask?.length ?? 0), headBytes));
    if (isControl(opcode)) {
      if (opcode === opcodes.close) checkClose(payload);
      return { text: null, raw };
    }
    this.#parts.push(payload);
    this.#raw.push(raw);
    this.#bytes += payload.length;
    if (!isFinal) return null;
    const piece = { text: Buffer.concat(this.#parts), raw: Buffer.concat(this.#raw) };
    this.#parts = [];
    this.#raw = [];
    this.#bytes = 0;
    return piece;
  }
}

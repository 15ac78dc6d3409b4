import type { Socket } from 'node:net';
import { Fault, type Refusal } from '../model/codes.js';
import type { MessageVerdict, TunnelMessage } from '../model/lease.js';
import type { HeldMessages } from './context.js';
import { FrameWalk } from './frame-walk.js';
import { TunnelFault } from './frame-rules.js';
import { MessageReader, type Piece } from './message-reader.js';

export interface InletOptions {
  readonly messages: 'none' | 'first' | 'each';
  readonly mayCompress: boolean;
  readonly bytesMax: number;
  readonly held: HeldMessages;
  readonly decide: (message: TunnelMessage) => Promise<MessageVerdict>;
  /** @returns false where no more is taken for now */
  readonly pass: (bytes: Buffer) => boolean;
  readonly refused: (why: TunnelFault | Refusal | Fault) => void;
  /** The first message is there. */
  readonly first: () => void;
}

const overloaded = (): TunnelFault =>
  new TunnelFault('gate.overloaded', 1013, 'gateway.inspect_max_bytes_in_progress is reached');

/** What comes from the client of a tunnel: passed on as it comes, or read message by message, one after the other. */
export class Inlet {
  readonly #options: InletOptions;
  readonly #walk: FrameWalk;
  /** Null where nothing is read, or nothing any more. */
  #reader: MessageReader | null;
  #client: Socket | null = null;
  #isWorking = false;
  #isBlocked = false;
  #isFirst = true;
  #isOver = false;
  #heldBytes = 0;
  passedBytes = 0;

  constructor(options: InletOptions) {
    this.#options = options;
    this.#walk = new FrameWalk({ isMasked: true, mayCompress: options.mayCompress });
    this.#reader = options.messages === 'none' ? null : new MessageReader(options.bytesMax);
  }

  get isClosed(): boolean {
    return this.#walk.isClosed;
  }

  /** Of what was passed on. */
  get isBetweenFrames(): boolean {
    return this.#walk.isBetweenFrames;
  }

  begin(client: Socket): void {
    this.#client = client;
    client.resume();
  }

  end(): void {
    this.#hold(0);
    this.#isOver = true;
  }

  readonly take = (chunk: Buffer): void => {
    if (this.#isOver) return;
    if (this.#reader === null) {
      this.#guarded(() => {
        this.#pass(chunk);
      });
      return;
    }
    this.#reader.push(chunk);
    this.#hold(this.#heldBytes + chunk.length);
    if (this.#options.held.held > this.#options.held.max) this.#failed(overloaded());
    else if (!this.#isWorking) void this.#work(this.#reader);
  };

  drained(): void {
    this.#isBlocked = false;
    if (!this.#isWorking) this.#client?.resume();
  }

  /** No byte is read while a message waits for its decision, and none goes on before it. */
  async #work(reader: MessageReader): Promise<void> {
    this.#isWorking = true;
    this.#client?.pause();
    try {
      for (let piece = reader.next(); piece !== null && !this.#isOver; piece = reader.next()) {
        await this.#judge(piece);
        this.#hold(reader.heldBytes);
        if (this.#options.messages === 'first' && !this.#isFirst) break;
      }
      if (this.#options.messages === 'first' && !this.#isFirst && !this.#isOver) this.#readNoMore(reader);
    } catch (thrown) {
      this.#failed(thrown);
    }
    this.#isWorking = false;
    if (!this.#isOver && !this.#isBlocked) this.#client?.resume();
  }

  async #judge({ text, raw }: Piece): Promise<void> {
    if (text === null) {
      this.#pass(raw);
      return;
    }
    if (this.#isFirst) this.#options.first();
    const verdict = await this.#options.decide({ text, isFirst: this.#isFirst });
    if (!verdict.ok) {
      if (!this.#isOver) this.#options.refused(verdict.why);
      return;
    }
    this.#isFirst = false;
    if (!this.#isOver) this.#pass(raw);
    verdict.value(!this.#isOver);
  }

  /** Counts with what bodies hold: many slow messages are as much as one large body. */
  #hold(bytes: number): void {
    if (this.#isOver) return;
    this.#options.held.held += bytes - this.#heldBytes;
    this.#heldBytes = bytes;
  }

  #readNoMore(reader: MessageReader): void {
    this.#hold(0);
    this.#reader = null;
    const rest = reader.left();
    if (rest.length > 0) this.#pass(rest);
  }

  #pass(bytes: Buffer): void {
    this.#walk.passed(bytes);
    this.passedBytes += bytes.length;
    if (this.#options.pass(bytes)) return;
    this.#isBlocked = true;
    this.#client?.pause();
  }

  #guarded(run: () => void): void {
    try {
      run();
    } catch (thrown) {
      this.#failed(thrown);
    }
  }

  #failed(thrown: unknown): void {
    if (this.#isOver) return;
    const isKnown = thrown instanceof TunnelFault || thrown instanceof Fault;
    this.#options.refused(isKnown ? thrown : new Fault('self.bug', 'a message was not decided', { cause: thrown }));
  }
}

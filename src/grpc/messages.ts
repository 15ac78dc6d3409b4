import type { ServerHttp2Stream } from 'node:http2';
import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { InspectBudget } from '../gateway/gateway.js';

/** A flag and the length in four bytes. @see https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md */
const prefixBytes = 5;

export interface MessageLimits {
  readonly maxBytes: number;
  /** Longest time for one message. */
  readonly timeoutMs: number;
  readonly budget: InspectBudget;
}

type Message = Result<Buffer | null, Refusal>;

const tooSlow = refuse('gate.timeout', 'the message came too slowly');
const broken = refuse('gate.malformed', 'the call was broken off');

/** The messages of a call, one at a time: what comes behind one waits in the connection until it is asked for. */
export class Messages {
  readonly #stream: ServerHttp2Stream;
  readonly #limits: MessageLimits;
  #chunks: Buffer[] = [];
  #held = 0;
  #handedOut = 0;
  #hasEnded = false;
  #wake: (() => void) | null = null;
  #isFirst = true;

  constructor(stream: ServerHttp2Stream, limits: MessageLimits) {
    this.#stream = stream;
    this.#limits = limits;
    const wake = (): void => {
      this.#wake?.();
    };
    stream
      .on('readable', wake)
      .on('close', wake)
      .on('end', () => {
        this.#hasEnded = true;
        wake();
      });
  }

  /** The next one, with its prefix; null when there is no more. */
  next(): Promise<Message> {
    return this.#within(() => this.#whole());
  }

  /** The only one. */
  async single(): Promise<Result<Buffer, Refusal>> {
    const message = await this.next();
    if (!message.ok) return message;
    if (message.value === null) return no(refuse('resolve.body', 'a call without a message'));
    const rest = await this.#within(() => this.#nothingMore());
    return rest.ok ? ok(message.value) : rest;
  }

  /** Gives back what it held of the budget. */
  release(): void {
    this.#give(this.#held + this.#handedOut);
    this.#held = 0;
    this.#handedOut = 0;
    this.#chunks = [];
  }

  /** Tries again whenever something has come, until there is an answer or no time left. */
  async #within(attempt: () => Message | null): Promise<Message> {
    this.#give(this.#handedOut);
    this.#handedOut = 0;
    const watch = { isLate: false };
    let timer: NodeJS.Timeout | undefined;
    try {
      for (;;) {
        if (watch.isLate) return no(tooSlow);
        const message = attempt();
        if (message !== null) return message;
        if (this.#stream.destroyed || this.#stream.closed) return no(broken);
        if (this.#isFirst || this.#held > 0)
          timer ??= setTimeout(() => {
            watch.isLate = true;
            this.#wake?.();
          }, this.#limits.timeoutMs);
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.#wake = null;
      clearTimeout(timer);
    }
  }

  #whole(): Message | null {
    const { maxBytes } = this.#limits;
    if (!this.#has(prefixBytes)) return this.#atEnd();
    const prefix = this.#joined();
    const flag = prefix[0] ?? 0;
    if (flag > 1) return no(refuse('gate.framing', 'a message with an unknown flag'));
    if (flag === 1) return no(refuse('resolve.content-type', 'compressed messages cannot be read'));
    const length = prefix.readUInt32BE(1);
    if (length > maxBytes) return no(refuse('gate.body-too-large', `a message over ${String(maxBytes)} bytes`));
    if (!this.#has(prefixBytes + length)) return this.#isOverBudget() ?? this.#atEnd();
    const all = this.#joined();
    const message = all.subarray(0, prefixBytes + length);
    const rest = all.subarray(prefixBytes + length);
    this.#chunks = rest.length === 0 ? [] : [rest];
    this.#held -= message.length;
    this.#handedOut = message.length;
    this.#isFirst = false;
    return ok(message);
  }

  #nothingMore(): Message | null {
    if (this.#has(1)) return no(refuse('gate.framing', 'more than one message in a call that has one'));
    return this.#hasEnded ? ok(null) : null;
  }

  #atEnd(): Message | null {
    if (!this.#hasEnded) return null;
    return this.#held === 0 ? ok(null) : no(refuse('gate.framing', 'the call ended within a message'));
  }

  #isOverBudget(): Message | null {
    const { held, max } = this.#limits.budget;
    if (held <= max) return null;
    return no(refuse('gate.overloaded', 'gateway.inspect_max_bytes_in_progress is reached', { retryAfterS: 1 }));
  }

  /** Reads on until so much is there, and no further. */
  #has(bytes: number): boolean {
    while (this.#held < bytes) {
      const chunk = this.#stream.read() as Buffer | null;
      if (chunk === null) return false;
      this.#chunks.push(chunk);
      this.#held += chunk.length;
      this.#limits.budget.held += chunk.length;
    }
    return true;
  }

  #joined(): Buffer {
    const [first = Buffer.alloc(0), ...others] = this.#chunks;
    const all = others.length === 0 ? first : Buffer.concat(this.#chunks);
    this.#chunks = [all];
    return all;
  }

  #give(bytes: number): void {
    this.#limits.budget.held -= bytes;
  }
}

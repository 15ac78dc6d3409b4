import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Readable } from 'node:stream';
import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import type { RequestBody } from '../model/request.js';
import { BodyStream } from './body-stream.js';

/** How long the rest of an unwanted body is read away, in ms; a refused connection is to be closed within a second. */
const discardMs = 500;
/** And so much of it at most: who goes on sending after that finds nobody reading. */
const discardBytesMax = 4 * 1_048_576;
const rateGraceMs = 5_000;
const watchIntervalMs = 1_000;
/** A chunk of one byte takes six. Chunk extensions beyond that are work for us and nothing for anybody else. */
const framingBytesPerByte = 16;
const framingBytesFree = 65_536;

/** Bytes of bodies that are held for decisions by all requests together. */
export interface InspectBudget {
  held: number;
  max: number;
}

export interface BodyLimits {
  /** Longest time for a body that the decision waits for. */
  readonly timeoutMs: number;
  /** Slowest accepted upload after the first 5 s; 0 for none. */
  readonly minBytesPerSecond: number;
  readonly budget: InspectBudget;
  readonly monotonicMs: () => number;
}

/** The body of one incoming request, read at most once. */
export class IncomingBody implements RequestBody {
  readonly framing: RequestBody['framing'];
  readonly length: number | null;
  readonly #request: IncomingMessage;
  readonly #reply: ServerResponse;
  readonly #limits: BodyLimits;
  #awaitsContinue: boolean;
  #collected: Buffer[] = [];
  #held = 0;
  #received = 0;
  readonly #wireBytesBefore: number;

  constructor(request: IncomingMessage, reply: ServerResponse, limits: BodyLimits) {
    // The gate judges the framing from the raw lines; whatever it refuses is never read.
    const { 'transfer-encoding': encoding, 'content-length': length, expect } = request.headers;
    this.framing = encoding !== undefined ? 'chunked' : length !== undefined ? 'length' : 'none';
    this.length = this.framing === 'chunked' ? null : Number(length ?? 0);
    this.#request = request;
    this.#reply = reply;
    this.#limits = limits;
    this.#awaitsContinue = expect !== undefined;
    this.#wireBytesBefore = request.socket.bytesRead;
  }

  get isComplete(): boolean {
    return this.#request.complete || this.framing === 'none' || this.length === 0;
  }

  get received(): number {
    return this.#received;
  }

  collect(maxBytes: number): Promise<Result<Buffer, Refusal>> {
    this.#begin();
    return new Promise((resolve) => {
      const startedMs = this.#limits.monotonicMs();
      const settle = (result: Result<Buffer, Refusal>): void => {
        clearInterval(watch);
        this.#request.off('data', onData).off('end', onEnd).off('close', onClose);
        if (!result.ok) this.#request.pause();
        resolve(result);
      };
      const onData = (chunk: Buffer): void => {
        const wrong = this.#keep(chunk, maxBytes);
        if (wrong !== null) settle(no(wrong));
      };
      const onEnd = (): void => {
        settle(
          ok(
            this.#collected.length === 1 && this.#collected[0] !== undefined
              ? this.#collected[0]
              : Buffer.concat(this.#collected),
          ),
        );
      };
      const onClose = (): void => {
        settle(no(refuse('gate.malformed', 'the connection ended before the body')));
      };
      const watch = setInterval(
        () => {
          const elapsedMs = this.#limits.monotonicMs() - startedMs;
          if (elapsedMs >= this.#limits.timeoutMs || this.#isTooSlow(elapsedMs))
            settle(no(refuse('gate.timeout', 'the body came too slowly')));
        },
        Math.min(watchIntervalMs, this.#limits.timeoutMs),
      );
      if (this.#request.destroyed && !this.#request.complete) onClose();
      else this.#request.on('data', onData).on('end', onEnd).on('close', onClose);
    });
  }

  stream(): Readable {
    this.#begin();
    const early = this.#collected;
    this.#collected = [];
    return new BodyStream(this.#request, {
      early,
      onChunk: (bytes) => (this.#received += bytes),
      isTooSlow: (elapsedMs) => this.#isTooSlow(elapsedMs),
      monotonicMs: this.#limits.monotonicMs,
    });
  }

  discard(): Promise<void> {
    if (this.isComplete || this.#awaitsContinue || this.#request.destroyed) return Promise.resolve();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#request.off('data', onData).off('end', done).off('close', done);
        resolve();
      };
      let left = discardBytesMax;
      const onData = (chunk: Buffer): void => {
        left -= chunk.length;
        if (left <= 0) this.#request.pause();
      };
      const timer = setTimeout(done, discardMs);
      this.#request.on('data', onData).on('end', done).on('close', done).resume();
    });
  }

  /** Gives back what the body held of the budget; called when the exchange is over. */
  release(): void {
    this.#limits.budget.held -= this.#held;
    this.#held = 0;
    this.#collected = [];
  }

  #begin(): void {
    if (!this.#awaitsContinue) return;
    this.#awaitsContinue = false;
    this.#reply.writeContinue();
  }

  #keep(chunk: Buffer, maxBytes: number): Refusal | null {
    const { budget } = this.#limits;
    this.#received += chunk.length;
    this.#collected.push(chunk);
    this.#held += chunk.length;
    budget.held += chunk.length;
    if (this.#isMostlyFraming()) return refuse('gate.body-too-large', 'chunks that are mostly framing');
    if (this.#received > maxBytes) return refuse('gate.body-too-large', `over ${String(maxBytes)} bytes`);
    if (budget.held > budget.max)
      return refuse('gate.overloaded', 'gateway.inspect_max_bytes_in_progress is reached', { retryAfterS: 1 });
    return null;
  }

  #isMostlyFraming(): boolean {
    const wireBytes = this.#request.socket.bytesRead - this.#wireBytesBefore;
    return this.framing === 'chunked' && wireBytes > framingBytesFree + framingBytesPerByte * this.#received;
  }

  #isTooSlow(elapsedMs: number): boolean {
    const { minBytesPerSecond } = this.#limits;
    return minBytesPerSecond > 0 && elapsedMs > rateGraceMs && (this.#received * 1_000) / elapsedMs < minBytesPerSecond;
  }
}

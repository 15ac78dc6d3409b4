import { BodyFailure } from '../model/body-failure.js';
import { Fault, type FaultCode } from '../model/codes.js';
import type { UpstreamCall, UpstreamSink } from './port.js';

const timeouts: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);
const malformed: ReadonlySet<string> = new Set([
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  // Node does not write what it was given to pass on.
  'ERR_INVALID_CHAR',
  'ERR_INVALID_HTTP_TOKEN',
  'ERR_HTTP_INVALID_HEADER_VALUE',
]);

export const refusedRequest = (cause: unknown): Fault =>
  new Fault('self.bug', 'the upstream client refused a request', { cause });

function codeOf(error: Error): FaultCode {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (timeouts.has(code)) return 'upstream.timeout';
  // undici's parser tells the kind of its errors by their name alone, and of an upgrade that nobody asked for by a sentence.
  const isMalformed = error.name === 'HTTPParserError' || error.message === 'bad upgrade' || malformed.has(code);
  return isMalformed ? 'upstream.invalid' : 'upstream.unreachable';
}

/** Interim answers before the one that counts. */
const interimMax = 16;

/**
 * One request in the raw form of undici's handler: header lines arrive as they were sent, without a merged object in between.
 * However the client ends it, the sink is told once.
 */
export class Call implements UpstreamCall {
  readonly #sink: UpstreamSink;
  #freed: (() => void) | null;
  #abort: ((error?: Error) => void) | null = null;
  #resume: (() => void) | null = null;
  #interims = 0;
  #isOver = false;

  /** @param freed told once, when the call needs no connection any more */
  constructor(sink: UpstreamSink, freed: () => void) {
    this.#sink = sink;
    this.#freed = freed;
  }

  abort(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#abort?.(new Error('the call was aborted'));
  }

  resume(): void {
    this.#resume?.();
  }

  onConnect(abort: (error?: Error) => void): void {
    this.#abort = abort;
    if (!this.#isOver && this.#sink.begin()) return;
    this.#isOver = true;
    abort(new Error('not wanted any more'));
  }

  onHeaders(status: number, raw: readonly Buffer[], resume: () => void): boolean {
    if (this.#isOver) return true;
    if (status < 200) {
      this.#interims += 1;
      if (this.#interims > interimMax)
        throw new Fault('upstream.invalid', `over ${String(interimMax)} interim answers`);
      return true; // they are ours to give, not the memory server's
    }
    this.#resume = resume;
    this.#sink.head(
      status,
      raw.map((part) => part.toString('latin1')),
    );
    return true;
  }

  onData(chunk: Buffer): boolean {
    return this.#isOver || this.#sink.data(chunk);
  }

  onComplete(): void {
    if (!this.#isOver) {
      this.#isOver = true;
      this.#sink.end();
    }
    this.#free();
  }

  onError(error: Error): void {
    if (!this.#isOver) {
      this.#isOver = true;
      const isKnown = error instanceof Fault || error instanceof BodyFailure;
      this.#sink.failed(isKnown ? error : new Fault(codeOf(error), error.message, { cause: error }));
    }
    this.#free();
  }

  #free(): void {
    const freed = this.#freed;
    this.#freed = null;
    freed?.();
  }
}

import { constants, type ServerHttp2Stream } from 'node:http2';
import type { AnswerWatcher, CallAnswer, CallTrailers } from '../forward/forward.js';
import { answerHeaders, saidOf, statusOf } from '../gateway/gateway.js';
import { Fault, type Code, type Refusal } from '../model/codes.js';
import { grpcStatus, joinedHeaders } from '../model/grpc.js';
import type { Outcome, Trail } from '../model/trail.js';
import type { CallGeneration } from './stages.js';

/** The way back to the caller. What comes after its end, or after the caller has left, is let go. */
export class StreamAnswer implements CallAnswer {
  readonly #stream: ServerHttp2Stream;
  #watcher: AnswerWatcher | null = null;
  #hasHead = false;
  #trailers: CallTrailers | null = null;

  constructor(stream: ServerHttp2Stream) {
    this.#stream = stream;
    stream
      .on('drain', () => this.#watcher?.drained())
      .on('wantTrailers', this.#sendTrailers.bind(this))
      .on('close', () =>
        this.#watcher?.closed(this.#trailers !== null && stream.rstCode === constants.NGHTTP2_NO_ERROR),
      );
  }

  get isClosed(): boolean {
    return this.#stream.destroyed || this.#stream.closed;
  }

  watch(watcher: AnswerWatcher): void {
    this.#watcher = watcher;
    if (this.isClosed) watcher.closed(false);
  }

  head(headers: readonly string[]): void {
    if (this.isClosed || this.#hasHead) return;
    this.#hasHead = true;
    this.#stream.respond({ ':status': 200, ...joinedHeaders(headers) }, { waitForTrailers: true });
  }

  data(chunk: Buffer): boolean {
    return this.isClosed || this.#stream.write(chunk);
  }

  end(trailers: CallTrailers, headers: readonly string[] = []): void {
    if (this.isClosed || this.#trailers !== null) return;
    this.#trailers = trailers;
    if (this.#hasHead) {
      this.#stream.end();
      return;
    }
    const own = joinedHeaders(headers);
    this.#stream.respond(
      { ':status': 200, 'content-type': 'application/grpc', ...own, ...trailers },
      { endStream: true },
    );
    this.#letGo();
  }

  #sendTrailers(): void {
    if (this.isClosed) return;
    this.#stream.sendTrailers(this.#trailers ?? {});
    this.#letGo();
  }

  /** Who has its answer need not say the rest. */
  #letGo(): void {
    setImmediate(() => {
      if (!this.isClosed) this.#stream.close(constants.NGHTTP2_NO_ERROR);
    });
  }
}

/** What the status of a request is as the status of a call. */
const ofHttp: Readonly<Record<number, number>> = {
  400: grpcStatus.invalidArgument,
  401: grpcStatus.unauthenticated,
  403: grpcStatus.permissionDenied,
  404: grpcStatus.unimplemented,
  405: grpcStatus.unimplemented,
  408: grpcStatus.deadlineExceeded,
  413: grpcStatus.resourceExhausted,
  415: grpcStatus.unimplemented,
  429: grpcStatus.resourceExhausted,
  431: grpcStatus.resourceExhausted,
  500: grpcStatus.internal,
  502: grpcStatus.unavailable,
  503: grpcStatus.unavailable,
  504: grpcStatus.deadlineExceeded,
};

const statusOfCall = (code: Code): number => ofHttp[statusOf(code)] ?? grpcStatus.invalidArgument;

/** Outside of printable ASCII, and the percent sign itself. */
const escaped = (text: string): string => text.replaceAll(/[^\x20-\x24\x26-\x7e]/gu, encodeURIComponent);

/** Nothing of the request is repeated in it. */
export function refusalTrailers(why: Refusal | Fault): CallTrailers {
  const retryAfterS = why instanceof Fault ? undefined : why.retryAfterS;
  return {
    'grpc-status': String(statusOfCall(why.code)),
    'grpc-message': escaped(saidOf(why)),
    ...(retryAfterS !== undefined && { 'grpc-retry-pushback-ms': String(retryAfterS * 1_000) }),
  };
}

export interface Refused {
  readonly why: Refusal | Fault;
  readonly trail: Trail;
  readonly answer: CallAnswer;
  readonly generation: CallGeneration;
}

/** Ends a call in its documented form. */
export function refuseCall(refused: Refused): Outcome {
  const { why, trail, answer, generation } = refused;
  const outcome = refusedOutcome(why, { isOpen: !answer.isClosed, requestBytes: trail.raw.body.received });
  answer.end(refusalTrailers(why), answerHeaders(trail, generation.answers));
  return outcome;
}

/** Some fail, or are given up, when a part of them has gone upstream. */
const wasForwarded = (why: Refusal | Fault): boolean => 'wasForwarded' in why && why.wasForwarded;

export const refusedOutcome = (
  why: Refusal | Fault,
  { isOpen, requestBytes }: { readonly isOpen: boolean; readonly requestBytes: number },
): Outcome => ({
  status: isOpen ? statusOf(why.code) : 0,
  endedBy: isOpen ? 'gateway' : 'client',
  notForwarded: wasForwarded(why) ? null : why.code,
  code: why.code,
  requestBytes,
  responseBytes: 0,
  upstreamMs: null,
});

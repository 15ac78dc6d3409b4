import { Readable } from 'node:stream';
import { BodyFailure } from '../model/body-failure.js';
import { Fault } from '../model/codes.js';
import type { Waiter } from './line.js';
import type { UpstreamCall, UpstreamRequest, UpstreamSink } from './port.js';
import type { RequestHead } from './request-head.js';
import type { ResponseHead } from './response-head.js';
import type { ResponseParts } from './response-reader.js';

/** Who has a call in hand: its owner, then the connection that carries it. */
export interface Holder {
  /** The call is over before its answer is. */
  drop(call: Call): void;
}

export interface Carrier extends Holder {
  pause(): void;
  resume(): void;
}

export interface CallOwner extends Holder {
  /** It needs no connection any more. */
  over(call: Call): void;
}

export interface CallFacts {
  readonly request: UpstreamRequest;
  readonly requestHead: RequestHead;
  readonly sink: UpstreamSink;
  readonly subject: string;
  readonly owner: CallOwner;
}

export const refusedRequest = (cause: unknown): Fault =>
  new Fault('self.bug', 'the upstream client refused a request', { cause });

const faultOf = (why: unknown): Fault | BodyFailure =>
  why instanceof Fault || why instanceof BodyFailure
    ? why
    : new Fault('self.bug', 'the upstream client broke', { cause: why });

/** One request and who takes its answer. However it ends, the sink is told once, and its body is not read any further. */
export class Call implements UpstreamCall, ResponseParts, Waiter {
  readonly request: UpstreamRequest;
  readonly requestHead: RequestHead;
  readonly subject: string;
  /** Of the places that its subject may have; false while it stands in the line. */
  hasPlace = false;
  readonly #sink: UpstreamSink;
  readonly #owner: CallOwner;
  #carrier: Carrier | null = null;
  #isOver = false;

  constructor({ request, requestHead, sink, subject, owner }: CallFacts) {
    this.request = request;
    this.requestHead = requestHead;
    this.subject = subject;
    this.#sink = sink;
    this.#owner = owner;
    if (request.body instanceof Readable) this.#watch(request.body);
  }

  abort(): void {
    this.#end();
  }

  resume(): void {
    if (!this.#isOver) this.#carrier?.resume();
  }

  /** @returns false when nobody wants it any more: then nothing is sent */
  begin(carrier: Carrier): boolean {
    this.#carrier = carrier;
    try {
      if (this.#sink.begin()) return !this.#isOver;
    } catch (thrown) {
      this.fail(thrown);
    }
    this.#end();
    return false;
  }

  head({ status, headers }: ResponseHead): void {
    if (!this.#isOver) this.#sink.head(status, headers);
  }

  data(part: Buffer): void {
    if (this.#isOver) return;
    // The bytes were read into a buffer that all connections share.
    if (!this.#sink.data(Buffer.from(part))) this.#carrier?.pause();
  }

  answered(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#leaveBody();
    this.#owner.over(this);
    try {
      this.#sink.end();
    } catch (thrown) {
      this.#sink.failed(faultOf(thrown));
    }
  }

  fail(why: unknown): void {
    if (this.#isOver) return;
    this.#end();
    this.#sink.failed(faultOf(why));
  }

  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    (this.#carrier ?? this.#owner).drop(this);
    this.#leaveBody();
    this.#owner.over(this);
  }

  #leaveBody(): void {
    const { body } = this.request;
    if (body instanceof Readable && !body.readableEnded) body.destroy();
  }

  /** From the first moment on: a body may break while its request waits. */
  #watch(body: Readable): void {
    body.on('error', (error) => {
      this.fail(error);
    });
    body.on('close', () => {
      if (!body.readableEnded) this.fail(new BodyFailure(null));
    });
  }
}

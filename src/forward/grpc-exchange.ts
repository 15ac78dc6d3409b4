import { constants, type ClientHttp2Stream, type IncomingHttpHeaders } from 'node:http2';
import { Fault, type Refusal } from '../model/codes.js';
import { httpStatusOf } from '../model/grpc.js';
import { Receipt, type Permit } from '../model/proofs.js';
import type { CleanRequest } from '../model/request.js';
import type { Forwarded } from './context.js';
import { callHead, callTrailers, codeOf, fieldsOf } from './grpc-answer.js';
import { Tally } from './grpc-tally.js';
import { Lasting } from './lasting.js';
import type { AnswerWatcher, CallExchange, CallFacts, CallTrailers, Sendable } from './grpc-port.js';

const endStream = constants.NGHTTP2_FLAG_END_STREAM;

/** A call under way: who is told what when either side ends first. */
export class OpenCall extends Lasting implements CallExchange, AnswerWatcher {
  readonly isCall = true;
  readonly done: Promise<Forwarded>;
  readonly #facts: CallFacts;
  readonly #startedMs: number;
  readonly #tally = new Tally();
  #settle: (forwarded: Forwarded) => void = () => undefined;
  #reject: (fault: Fault) => void = () => undefined;
  #isOver = false;
  #stream: ClientHttp2Stream | null = null;
  #deadline: NodeJS.Timeout | undefined;
  #silence: NodeJS.Timeout | undefined;
  #trailers: CallTrailers | null = null;
  #hasHead = false;
  #isPaused = false;

  constructor(facts: CallFacts) {
    super();
    this.#facts = facts;
    const { context, reply, isStream, deadlineMs } = facts;
    this.#startedMs = context.clock.monotonicMs();
    this.done = new Promise((resolve, reject) => {
      this.#settle = resolve;
      this.#reject = reject;
    });
    this.lasts(context.leases, isStream ? null : deadlineMs);
    if (isStream && deadlineMs !== null) this.#deadline = setTimeout(this.overdue.bind(this), deadlineMs);
    reply.answer.watch(this);
  }

  get request(): CleanRequest {
    return this.#facts.request;
  }

  get permit(): Permit | null {
    return this.#facts.permit;
  }

  lost(why: Refusal | Fault): void {
    this.end(why);
  }

  async send({ proof, message }: Sendable): Promise<boolean> {
    if (this.#isOver) return false;
    const gone = proof instanceof Receipt ? proof.admission.permit.identity.live() : null;
    if (gone !== null) {
      this.end(gone);
      return false;
    }
    const bytes = proof instanceof Receipt ? (proof.admission.permit.target.facts.body ?? message) : message;
    const stream = this.#begun();
    if (stream === null) return false;
    this.#tally.isForwarded = true;
    this.#tally.sentBytes += bytes.length;
    this.#heard();
    if (!stream.write(bytes))
      await new Promise<void>((resolve) => stream.once('drain', resolve).once('close', resolve));
    return !this.#isOver;
  }

  finish(): void {
    this.#stream?.end();
  }

  end(why: Refusal | Fault): void {
    if (why instanceof Fault) {
      why.wasForwarded = this.#tally.isForwarded;
      this.#finish(() => {
        this.#reject(why);
      });
      return;
    }
    const late = { wasForwarded: this.#tally.isForwarded, ...why };
    this.#finish(() => {
      this.#settle({ ok: false, why: late });
    });
  }

  drained(): void {
    this.#isPaused = false;
    this.#heard();
    this.#stream?.resume();
  }

  closed(isWhole: boolean): void {
    this.#conclude(isWhole ? 'completed' : 'client');
  }

  /** Opened with the first message, and never before it. */
  #begun(): ClientHttp2Stream | null {
    if (this.#stream !== null) return this.#stream;
    try {
      this.#stream = this.#facts.open();
    } catch (thrown) {
      this.end(
        thrown instanceof Fault
          ? thrown
          : new Fault('upstream.unreachable', 'the call could not be opened', { cause: thrown }),
      );
      return null;
    }
    return this.#stream
      .on('response', (_headers, flags: number, raw?: readonly string[]) => {
        this.#guarded(() => {
          this.#head(flags, raw ?? []);
        });
      })
      .on('trailers', (fields: IncomingHttpHeaders) => {
        this.#guarded(() => (this.#trailers = callTrailers(fields, this.#facts.answer)));
      })
      .on('data', (chunk: Buffer) => {
        this.#data(chunk);
      })
      .on('end', () => {
        this.#ended();
      })
      .on('error', (error: Error) => {
        this.#failed(error);
      })
      .on('close', () => {
        this.#failed(null);
      });
  }

  #head(flags: number, raw: readonly string[]): void {
    const { context, reply, answer } = this.#facts;
    this.#tally.upstreamMs = context.clock.monotonicMs() - this.#startedMs;
    const list = callHead(raw, answer);
    this.#heard();
    if ((flags & endStream) !== 0) {
      this.#trailers = callTrailers(fieldsOf(list), answer);
      return;
    }
    this.#hasHead = true;
    reply.answer.head([...list, ...reply.ownHeaders]);
  }

  #data(chunk: Buffer): void {
    if (this.#isOver) return;
    this.#heard();
    this.#tally.answeredBytes += chunk.length;
    if (this.#facts.reply.answer.data(chunk)) return;
    this.#isPaused = true;
    this.#stream?.pause();
  }

  #ended(): void {
    const { reply } = this.#facts;
    if (this.#isOver || this.#trailers === null) return; // without a status it is no end: its closing says so
    clearTimeout(this.#silence);
    this.#tally.status = httpStatusOf(Number(this.#trailers['grpc-status']));
    reply.answer.end(this.#trailers, this.#hasHead ? [] : reply.ownHeaders);
  }

  #failed(error: Error | null): void {
    if (this.#isOver || this.#tally.status !== 0) return; // it has ended, and waits for the caller only
    const code = this.#hasHead ? 'upstream.aborted' : codeOf(error);
    const fault = error instanceof Fault ? error : new Fault(code, error?.message ?? 'the call was broken off');
    this.end(fault);
  }

  #guarded(step: () => void): void {
    if (this.#isOver) return;
    try {
      step();
    } catch (thrown) {
      this.end(
        thrown instanceof Fault ? thrown : new Fault('self.bug', 'an answer could not be passed on', { cause: thrown }),
      );
    }
  }

  /** Either side has said something: silence begins anew. */
  #heard(): void {
    const { silenceMs } = this.#facts;
    clearTimeout(this.#silence);
    this.#silence = setTimeout(
      () => {
        if (this.#isPaused)
          this.#conclude('client'); // it is the caller that takes nothing
        else this.end(new Fault('upstream.timeout', 'the memory server says nothing'));
      },
      this.#hasHead ? silenceMs.body : silenceMs.head,
    );
  }

  protected override overdue(): void {
    this.end(new Fault('upstream.timeout', 'the deadline of the call is over'));
  }

  #conclude(endedBy: 'completed' | 'client'): void {
    this.#finish(() => {
      this.#settle({ ok: true, value: this.#tally.outcome(endedBy, null) });
    });
  }

  #finish(settle: () => void): void {
    if (this.#isOver) return;
    this.#isOver = true;
    clearTimeout(this.#deadline);
    clearTimeout(this.#silence);
    this.isOver();
    if (this.#stream?.closed === false) this.#stream.close(constants.NGHTTP2_CANCEL);
    this.#facts.over();
    settle();
  }
}

import { BodyFailure, type LateRefusal } from '../model/body-failure.js';
import { Fault, type Code, type Refusal } from '../model/codes.js';
import type { CleanRequest } from '../model/request.js';
import type { Permit } from '../model/proofs.js';
import type { AnswerFinding, Outcome } from '../model/trail.js';
import { bodilessStatus, passableHeaders } from './answer.js';
import { refusedRequest } from './call.js';
import type { ExchangeFacts, Forwarded } from './context.js';
import type { AnswerTaker } from './held-answer.js';
import { EventStream } from './last-event.js';
import { Lasting } from './lasting.js';
import type { UpstreamCall, UpstreamSink } from './port.js';

/** Bodies up to here are copied once more, which is cheaper than a second piece in the write. */
const oneWriteBytesMax = 16_384;

/** One request under way: who is told what when either side ends first. */
export class Exchange extends Lasting implements AnswerTaker {
  readonly request: CleanRequest;
  readonly permit: Permit | null;
  finding: AnswerFinding | null = null;
  readonly #facts: ExchangeFacts;
  #call: UpstreamCall | null = null;
  #settle: ((forwarded: Forwarded) => void) | null = null;
  #reject: ((fault: Fault) => void) | null = null;
  #status = 0;
  #sentBytes = 0;
  #upstreamMs: number | null = null;
  #startedMs = 0;
  #isEnding = false;
  #declaredBytes: number | null = null;
  #isHandedOver = false;
  /** A short body that is complete, and not written yet. */
  #whole: Buffer | null = null;
  #isForwarded = false;
  /** Null for an answer that is no stream of events. */
  #events: EventStream | null = null;

  constructor(facts: ExchangeFacts) {
    super();
    this.request = facts.request;
    this.permit = facts.permit;
    this.#facts = facts;
  }

  /** @param sink who takes the answer before it is passed on */
  run(sink: UpstreamSink = this): Promise<Forwarded> {
    const { context, reply, send, deadlineMs } = this.#facts;
    return new Promise<Forwarded>((resolve, reject) => {
      this.#settle = resolve;
      this.#reject = reject;
      this.#startedMs = context.clock.monotonicMs();
      reply.response.on('close', this.#onReplyClosed).on('drain', this.#onDrain);
      reply.response.prependListener('finish', this.#onReplyWhole); // while it still knows its socket
      if (reply.response.destroyed) {
        this.#onReplyClosed();
        return;
      }
      this.lasts(context.leases, deadlineMs);
      try {
        this.#call = context.upstream.send(send, sink);
      } catch (thrown) {
        this.failed(thrown instanceof Fault ? thrown : refusedRequest(thrown));
      }
    });
  }

  begin(): boolean {
    if (this.#settle === null) return false;
    const gone = this.#facts.live();
    if (gone === null) {
      this.#isForwarded = true;
      return true;
    }
    this.#finish({ ok: false, why: gone });
    return false;
  }

  head(status: number, headers: readonly string[]): void {
    const { answer, reply, context, request } = this.#facts;
    const { list, declaredBytes } = passableHeaders(status, headers, answer);
    this.#upstreamMs = context.clock.monotonicMs() - this.#startedMs;
    this.#status = status;
    for (const part of reply.ownHeaders) list.push(part);
    this.#declaredBytes = declaredBytes;
    if (!request.body.isComplete) {
      list.push('Connection', 'close'); // the rest of the body is not wanted any more
    }
    reply.response.writeHead(status, list);
    if (this.#facts.deadlineMs !== null) return;
    reply.response.flushHeaders(); // a stream may say nothing for a long time
    this.#events = EventStream.of(list);
  }

  data(chunk: Buffer): boolean {
    if (this.#settle === null || this.#facts.request.method === 'HEAD' || bodilessStatus.has(this.#status)) return true;
    this.#sentBytes += chunk.length;
    this.#events?.passed(chunk);
    const { response } = this.#facts.reply;
    if (chunk.length <= oneWriteBytesMax && this.#sentBytes === chunk.length && chunk.length === this.#declaredBytes) {
      this.#whole = chunk; // all there is, in one piece: head and body leave in one write when the end is seen
      return true;
    }
    return response.write(chunk);
  }

  end(): void {
    const { request, reply } = this.#facts;
    this.#isEnding = true;
    if (request.body.isComplete) {
      if (this.#whole === null) reply.response.end();
      else reply.response.end(this.#whole.toString('latin1'), 'latin1'); // as text, it joins the head instead of standing beside it
      return;
    }
    if (this.#whole !== null) reply.response.write(this.#whole);
    // An early answer to a long upload: let the client read it before the connection closes. It may well leave when it has.
    reply.response.write('', (error) => {
      this.#isHandedOver = error == null && this.#sentBytes === this.#declaredBytes;
    });
    void request.body.discard().then(() => {
      reply.response.end();
    });
  }

  /** Before the head it is a refusal like any other; a stream of events gets a last one; everything else is cut. */
  lost(why: Refusal | Fault): void {
    const { request, reply } = this.#facts;
    this.#call?.abort();
    if (why instanceof Fault) why.wasForwarded = this.#isForwarded;
    if (!reply.response.headersSent) {
      this.#finish(why instanceof Fault ? why : { ok: false, why: this.#late(why) });
      return;
    }
    this.#finish({ ok: true, value: this.#outcome('gateway', why.code) });
    if (this.#events?.close(reply.response, why, request.id) !== true) reply.response.destroy();
  }

  failed(fault: Fault | BodyFailure): void {
    const { response } = this.#facts.reply;
    if (fault instanceof BodyFailure) {
      this.#bodyFailed(fault);
      return;
    }
    if (!response.headersSent) {
      fault.wasForwarded = this.#isForwarded;
      this.#finish(fault);
      return;
    }
    // The head is out: a clean end would pass a broken answer for a whole one.
    this.#finish({
      ok: true,
      value: this.#outcome(
        fault.code === 'self.bug' ? 'gateway' : 'upstream',
        fault.code === 'upstream.unreachable' ? 'upstream.aborted' : fault.code,
      ),
    });
    response.destroy();
  }

  #bodyFailed({ why }: BodyFailure): void {
    const { response } = this.#facts.reply;
    if (why !== null && !response.headersSent) {
      this.#finish({ ok: false, why: this.#late(why) });
      return;
    }
    this.#finish({ ok: true, value: this.#outcome('client', why?.code ?? null) });
    response.destroy();
  }

  #late(why: Refusal): LateRefusal {
    return { wasForwarded: this.#isForwarded, ...(this.finding !== null && { answer: this.finding }), ...why };
  }

  protected override overdue(): void {
    if (this.#isEnding) {
      this.#facts.reply.response.destroy(); // the memory server has said all: it is the client that does not take it
      return;
    }
    this.#call?.abort();
    this.failed(new Fault('upstream.timeout', 'upstream.deadline_ms is over'));
  }

  readonly #onDrain = (): void => {
    this.#call?.resume();
  };

  readonly #onReplyClosed = (): void => {
    if (!this.#isEnding) this.#call?.abort();
    this.#finish({ ok: true, value: this.#outcome(this.#isHandedOver ? 'completed' : 'client', null) });
  };

  /** The last byte is with the kernel; or the socket is gone, which Node calls finished as well. */
  readonly #onReplyWhole = (): void => {
    const { response } = this.#facts.reply;
    if (response.destroyed || response.socket?.destroyed === true) return;
    this.#finish({ ok: true, value: this.#outcome('completed', null) });
  };

  #finish(ending: Forwarded | Fault): void {
    const settle = this.#settle;
    const reject = this.#reject;
    if (settle === null || reject === null) return;
    this.#settle = null;
    this.#reject = null;
    this.isOver();
    this.#facts.reply.response
      .off('close', this.#onReplyClosed)
      .off('finish', this.#onReplyWhole)
      .off('drain', this.#onDrain);
    if (ending instanceof Fault) reject(ending);
    else settle(ending);
  }

  #outcome(endedBy: Outcome['endedBy'], code: Code | null): Outcome {
    const { send, request } = this.#facts;
    return {
      status: this.#status,
      endedBy,
      notForwarded: this.#isForwarded ? null : (code ?? 'client.left'),
      code,
      requestBytes: Buffer.isBuffer(send.body) ? send.body.length : request.body.received,
      responseBytes: this.#sentBytes,
      upstreamMs: this.#upstreamMs,
      ...(this.finding !== null && { answer: this.finding }),
    };
  }
}

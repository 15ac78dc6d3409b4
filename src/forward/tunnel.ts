import type { Socket } from 'node:net';
import { Fault, type Code, type Refusal } from '../model/codes.js';
import type { Permit } from '../model/proofs.js';
import type { CleanRequest } from '../model/request.js';
import type { Outcome } from '../model/trail.js';
import type { Forwarded, TunnelFacts } from './context.js';
import { closeFrame, TunnelFault } from './frame-rules.js';
import { Inlet } from './inlet.js';
import { Lasting } from './lasting.js';
import { Outlet } from './outlet.js';
import type { Peer, SwitchSink, UpstreamCall } from './port.js';
import { agreed, answerHead, declineFault } from './switch-head.js';

/** How long the last bytes to a client may take, in ms. */
const lingerMs = 500;
const closeCodes = { policy: 1008, away: 1001, broken: 1011 } as const;

/** A WebSocket: the handshake, then frames both ways, until either side or the gateway ends it. */
export class Tunnel extends Lasting implements SwitchSink {
  readonly request: CleanRequest;
  readonly permit: Permit | null;
  readonly entered = new Map<string, Permit | null>();
  readonly #facts: TunnelFacts;
  readonly #client: Socket;
  readonly #outlet: Outlet;
  readonly #inlet: Inlet;
  #call: UpstreamCall | null = null;
  #server: Socket | null = null;
  #settle: ((forwarded: Forwarded) => void) | null = null;
  #reject: ((fault: Fault) => void) | null = null;
  #first: NodeJS.Timeout | undefined;
  #startedMs = 0;
  #upstreamMs: number | null = null;
  #isForwarded = false;

  constructor(facts: TunnelFacts) {
    super();
    this.#facts = facts;
    this.request = facts.request;
    this.permit = facts.permit;
    this.#client = facts.upgrade.socket;
    const { rules } = facts;
    const mayCompress = facts.offer.extension !== null;
    this.#outlet = new Outlet(mayCompress, (fault) => {
      this.failed(fault);
    });
    const { tunnel, leases } = facts.context;
    this.#inlet = new Inlet({
      messages: facts.permit === null ? 'none' : rules.messages, // what is only observed is not held up
      mayCompress,
      bytesMax: tunnel.messageMaxBytes,
      held: tunnel.held,
      decide: (message) => leases.message(this, message),
      pass: this.#toServer,
      refused: this.#refused,
      first: () => {
        clearTimeout(this.#first);
      },
    });
  }

  run(): Promise<Forwarded> {
    const { context, reply, send } = this.#facts;
    return new Promise<Forwarded>((resolve, reject) => {
      this.#settle = resolve;
      this.#reject = reject;
      this.#startedMs = context.clock.monotonicMs();
      reply.response.on('close', this.#onClientGone);
      if (reply.response.destroyed) {
        this.#onClientGone();
        return;
      }
      this.lasts(context.leases, null);
      try {
        this.#call = context.upstream.switch(send, this);
      } catch (thrown) {
        this.failed(
          thrown instanceof Fault ? thrown : new Fault('self.bug', 'a tunnel was not begun', { cause: thrown }),
        );
      }
    });
  }

  begin(): boolean {
    const gone = this.#settle === null ? null : this.#facts.live();
    if (this.#settle === null || gone !== null) {
      if (gone !== null) this.#finish({ ok: false, why: gone });
      return false;
    }
    this.#isForwarded = true;
    return true;
  }

  switched(peer: Peer): void {
    const { context, reply, rules, answer, request } = this.#facts;
    this.#server = peer.socket;
    this.#upstreamMs = context.clock.monotonicMs() - this.#startedMs;
    const wrong = agreed(peer.headers, this.#facts.offer);
    if (wrong !== null) {
      this.failed(new Fault('upstream.invalid', wrong));
      return;
    }
    reply.response.writeHead(101, answerHead(peer.headers, { request, answer, own: reply.ownHeaders }));
    reply.response.flushHeaders();
    if (this.permit !== null && rules.messages !== 'none')
      this.#first = setTimeout(this.#onNoFirst, context.tunnel.firstMessageMs);
    this.#wire(peer, context.streamIdleTimeoutMs);
  }

  /** Whatever it said: a body means nothing to a client that asked for a WebSocket. */
  declined(status: number): void {
    const { reply, answer } = this.#facts;
    const wrong = declineFault(status, answer.injectsCredential);
    if (wrong !== null) {
      this.failed(wrong);
      return;
    }
    reply.response.writeHead(status, ['Content-Length', '0', 'Connection', 'close', ...reply.ownHeaders]);
    reply.response.end();
    this.#finish({ ok: true, value: this.#outcome('completed', { status, code: null }) });
  }

  failed(fault: Fault): void {
    if (this.#facts.reply.response.headersSent) {
      this.#close(closeCodes.broken, fault.code, 'upstream');
      return;
    }
    fault.wasForwarded = this.#isForwarded;
    this.#finish(fault);
  }

  /** The lease is lost. */
  lost(why: Refusal | Fault): void {
    if (!this.#facts.reply.response.headersSent) {
      this.#finish(
        why instanceof Fault ? why : { ok: false, why: { wasForwarded: this.#isForwarded, ...why } as Refusal },
      );
      return;
    }
    this.#close(why.code === 'lease.shutdown' ? closeCodes.away : closeCodes.policy, why.code, 'gateway');
  }

  #wire(peer: Peer, idleMs: number): void {
    const { socket: server } = peer;
    this.#client.on('data', this.#inlet.take).on('end', this.#onClientGone);
    server.on('drain', this.#onServerDrain).on('end', this.#onServerGone).on('close', this.#onServerGone);
    server.setTimeout(idleMs, () => {
      this.failed(new Fault('upstream.timeout', 'upstream.stream_idle_timeout_ms is over'));
    });
    this.#outlet.begin(peer, this.#client);
    this.#inlet.begin(this.#client);
  }

  /** @returns false where the server takes no more for now */
  readonly #toServer = (bytes: Buffer): boolean => this.#server?.write(bytes) ?? true;

  readonly #onServerDrain = (): void => {
    this.#inlet.drained();
  };

  readonly #refused = (why: TunnelFault | Refusal | Fault): void => {
    this.#close(why instanceof TunnelFault ? why.closeCode : closeCodes.policy, why.code, 'gateway');
  };

  readonly #onNoFirst = (): void => {
    this.#close(closeCodes.policy, 'tunnel.first', 'gateway');
  };

  /** One side has closed in order, and then its connection; whatever else ends it was broken off. */
  readonly #onClientGone = (): void => {
    this.#end(this.#isClosing() ? 'completed' : 'client', null);
  };

  readonly #onServerGone = (): void => {
    if (this.#isClosing()) this.#end('completed', null);
    else this.failed(new Fault('upstream.aborted', 'the memory server left'));
  };

  #isClosing(): boolean {
    return this.#inlet.isClosed || this.#outlet.isClosed;
  }

  /** With a word to both sides, where one can stand. */
  #close(closeCode: number, code: Code, endedBy: Outcome['endedBy']): void {
    if (this.#settle === null) return;
    if (this.#outlet.isBetweenFrames && !this.#outlet.isClosed) this.#client.write(closeFrame(closeCode, code, false));
    if (this.#inlet.isBetweenFrames && !this.#inlet.isClosed) this.#toServer(closeFrame(closeCodes.away, '', true));
    this.#end(endedBy, code);
  }

  #end(endedBy: Outcome['endedBy'], code: Code | null): void {
    if (this.#settle === null) return;
    const status = this.#facts.reply.response.headersSent ? 101 : 0;
    this.#finish({ ok: true, value: this.#outcome(endedBy, { status, code }) });
    this.#client.destroySoon();
    setTimeout(() => this.#client.destroy(), lingerMs).unref();
  }

  #finish(ending: Forwarded | Fault): void {
    const settle = this.#settle;
    const reject = this.#reject;
    if (settle === null || reject === null) return;
    this.#settle = null;
    this.#inlet.end();
    this.#outlet.end();
    clearTimeout(this.#first);
    this.isOver();
    this.#call?.abort();
    this.#facts.reply.response.off('close', this.#onClientGone);
    if (ending instanceof Fault) reject(ending);
    else settle(ending);
  }

  #outcome(endedBy: Outcome['endedBy'], { status, code }: Pick<Outcome, 'status' | 'code'>): Outcome {
    return {
      status,
      endedBy,
      notForwarded: this.#isForwarded ? null : (code ?? 'client.left'),
      code,
      requestBytes: this.#inlet.passedBytes,
      responseBytes: this.#outlet.passedBytes,
      upstreamMs: this.#upstreamMs,
    };
  }
}

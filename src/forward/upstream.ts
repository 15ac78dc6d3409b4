import { Fault } from '../model/codes.js';
import { Call, type CallOwner } from './call.js';
import { Line } from './line.js';
import { originOf } from './origin.js';
import { Pool, type PoolOptions, type PoolPorts, type PoolStats } from './pool.js';
import { nobody, Shares } from './shares.js';
import type { UpstreamCall, UpstreamOptions, UpstreamRequest, UpstreamSink } from './port.js';
import { requestHead } from './request-head.js';

/** A pool with a fair line before it. */
export class FairPool implements CallOwner {
  readonly #host: string;
  readonly #line: Line<Call>;
  readonly #pool: Pool;
  /** Of the calls that the pool has: each has a connection, or waits until its own is made. */
  readonly #shares: Shares;
  #isClosed = false;

  constructor(options: PoolOptions & Pick<UpstreamOptions, 'queue'>, ports: PoolPorts) {
    this.#host = originOf(options.origin).authority;
    this.#line = new Line(options.queue);
    this.#shares = new Shares(options.connections);
    this.#pool = new Pool(options, ports);
  }

  /** @throws Fault `upstream.busy` where there is no room, `self.bug` for what may not be written */
  send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall {
    if (this.#isClosed) throw closed();
    const subject = subjectOf(request);
    const mayTake = this.#shares.mayTake(subject);
    const call = new Call({ request, requestHead: requestHead(request, this.#host), sink, subject, owner: this });
    if (mayTake) this.#take(call);
    else this.#join(call);
    return call;
  }

  get isEmpty(): boolean {
    return this.#pool.isEmpty && this.#line.size === 0;
  }

  stats(): PoolStats {
    const { connected, pending, running } = this.#pool.stats();
    return { connected, pending: pending + this.#line.size, running };
  }

  look(): void {
    this.#pool.look();
  }

  /** Gives the connections back that carry nothing. */
  rest(): void {
    this.#pool.rest();
  }

  close(): void {
    this.#isClosed = true;
    for (let next = this.#line.next(); next !== null; next = this.#line.next()) next.fail(closed());
    this.#pool.close(closed);
  }

  drop(call: Call): void {
    if (call.hasPlace) this.#pool.drop(call);
    else this.#line.leave(call);
  }

  over(call: Call): void {
    if (!call.hasPlace) return;
    this.#shares.leave(call.subject);
    this.#serve();
  }

  #take(call: Call): void {
    call.hasPlace = true;
    this.#shares.take(call.subject);
    this.#pool.take(call);
  }

  #join(call: Call): void {
    try {
      this.#line.join(call);
    } catch (thrown) {
      call.abort(); // its sender knows: whatever becomes of its body is nobody's news
      throw thrown;
    }
  }

  readonly #mayTake = (subject: string): boolean => this.#shares.mayTake(subject);

  #serve(): void {
    if (this.#line.size === 0) return;
    for (let next = this.#line.next(this.#mayTake); next !== null; next = this.#line.next(this.#mayTake))
      this.#take(next);
  }
}

/** Streams keep to a rule of their own, and probes are ours. */
const subjectOf = ({ use }: UpstreamRequest): string => (use.kind === 'request' ? (use.subject ?? nobody) : nobody);

const closed = (): Fault => new Fault('upstream.unreachable', 'the client is closed');

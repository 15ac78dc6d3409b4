import { createRequire } from 'node:module';
import type { buildConnector as BuildConnector, Pool as PoolClass } from 'undici';
import type { Logger } from '../base/log.js';
import type { Meter } from '../model/meter.js';
import { Call } from './call.js';
import { guardVersion } from './guard-version.js';
import { Line, type Waiter } from './line.js';
import { nobody, Shares } from './shares.js';
import type { UpstreamCall, UpstreamOptions, UpstreamRequest, UpstreamSink } from './port.js';

// The front of the package loads its fetch, caches, mocks and proxies as well: 4 MiB that nothing here uses.
const part = createRequire(import.meta.url);
const Pool = part('undici/lib/dispatcher/pool.js') as typeof PoolClass;
const buildConnector = part('undici/lib/core/connect.js') as typeof BuildConnector;
type Pool = PoolClass;

export interface UpstreamPorts {
  readonly log: Logger;
  readonly meter: Meter;
  /** Other times than the usual ones. */
  readonly watch?: WatchTimes;
}

interface WatchTimes {
  readonly intervalMs: number;
  /** Looks beyond the connect timeout before a pool counts as stuck. */
  readonly graceTicks: number;
  /** Idle looks after which a retired pool gives its connections back. */
  readonly retiredTicks: number;
}

const usualTimes: WatchTimes = { intervalMs: 1_000, graceTicks: 2, retiredTicks: 60 };
const responseHeaderBytesMax = 16_384;
const keepAliveMs = 4_000;

type PoolOptions = Pick<UpstreamOptions, 'origin' | 'connections' | 'queue' | 'connectTimeoutMs' | 'headersTimeoutMs'>;

/** One undici pool with a fair line before it, and a watchdog that replaces it when it waits and runs nothing. */
export class WatchedPool {
  readonly #options: PoolOptions;
  readonly #ports: UpstreamPorts;
  readonly #times: WatchTimes;
  readonly #watch: NodeJS.Timeout;
  readonly #line: Line<QueuedCall>;
  #pool: Pool;
  /** Of the calls that the pool has: each has a connection, or waits until its own is made. */
  readonly #shares: Shares;
  #isServing = false;
  #stuckTicks = 0;
  #idleTicks = 0;
  #spent: (() => void) | null = null;

  constructor(options: PoolOptions, ports: UpstreamPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#times = ports.watch ?? usualTimes;
    this.#line = new Line(options.queue);
    this.#shares = new Shares(options.connections);
    this.#pool = newPool(options);
    this.#watch = setInterval(() => {
      this.#look();
    }, this.#times.intervalMs);
    this.#watch.unref();
  }

  send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall {
    const subject = subjectOf(request);
    const call = new Call(sink, () => {
      this.#freed(subject);
    });
    if (this.#shares.mayTake(subject)) {
      this.#dispatch(request, call);
      return call;
    }
    const queued = new QueuedCall(request, call, this.#line);
    this.#line.join(queued);
    return queued;
  }

  stats(): { readonly connected: number; readonly pending: number; readonly running: number } {
    const { connected, pending, running } = this.#pool.stats;
    return { connected, pending: pending + this.#line.size, running };
  }

  /** @param spent told once, when its connections are given back; until then it is as it was, and after that it takes the odd latecomer */
  retire(spent: () => void): void {
    this.#spent = spent;
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    await this.#pool.destroy();
  }

  #dispatch(request: UpstreamRequest, call: Call): void {
    const { method, target, headers, body, bodyTimeoutMs } = request;
    this.#shares.take(subjectOf(request));
    // `reset: false`: after HEAD the connection may go on.
    this.#pool.dispatch({ path: target, method, headers, body, bodyTimeout: bodyTimeoutMs, reset: false }, call);
  }

  readonly #mayTake = (subject: string): boolean => this.#shares.mayTake(subject);

  #freed(subject: string): void {
    this.#shares.leave(subject);
    if (this.#isServing) return; // a pool that is gone fails a call at once: no recursion through a long line
    this.#isServing = true;
    for (let next = this.#line.next(this.#mayTake); next !== null; next = this.#line.next(this.#mayTake))
      this.#dispatch(next.request, next.call);
    this.#isServing = false;
  }

  #look(): void {
    const { pending, running } = this.#pool.stats;
    const { intervalMs, graceTicks, retiredTicks } = this.#times;
    this.#idleTicks = this.#spent !== null && pending + running === 0 ? this.#idleTicks + 1 : 0;
    if (this.#spent !== null && this.#idleTicks >= retiredTicks) {
      clearInterval(this.#watch);
      this.#replace(); // the new one has no connection
      this.#spent();
      return;
    }
    this.#stuckTicks = pending > 0 && running === 0 ? this.#stuckTicks + 1 : 0;
    if (this.#stuckTicks < Math.ceil(this.#options.connectTimeoutMs / intervalMs) + graceTicks) return;
    this.#stuckTicks = 0;
    this.#ports.meter.upstreamPoolReplaced();
    this.#ports.log.error('upstream.pool-replaced', { pending });
    this.#replace();
  }

  #replace(): void {
    const former = this.#pool;
    this.#pool = newPool(this.#options);
    former.destroy(new Error('the pool was replaced')).catch(() => undefined); // its requests have been told; nothing is left to report
  }
}

/** Streams keep to a rule of their own, and probes are ours. */
const subjectOf = ({ use }: UpstreamRequest): string => (use.kind === 'request' ? (use.subject ?? nobody) : nobody);

/** A call that waits for its turn. */
class QueuedCall implements UpstreamCall, Waiter {
  readonly request: UpstreamRequest;
  readonly call: Call;
  readonly #line: Line<QueuedCall>;

  constructor(request: UpstreamRequest, call: Call, line: Line<QueuedCall>) {
    this.request = request;
    this.call = call;
    this.#line = line;
  }

  get subject(): string {
    return subjectOf(this.request);
  }

  abort(): void {
    if (!this.#line.leave(this)) this.call.abort();
  }

  resume(): void {
    this.call.resume();
  }
}

function newPool(options: PoolOptions): Pool {
  const connect = buildConnector({ timeout: options.connectTimeoutMs });
  return new Pool(options.origin, {
    connections: options.connections,
    pipelining: 1, // a slow answer must not block another client's request
    connect: (target, callback) => {
      connect(target, (...answer) => {
        if (answer[0] === null) guardVersion(answer[1]); // a failed connection comes with an error and nothing else
        callback(...answer);
      });
    },
    headersTimeout: options.headersTimeoutMs,
    keepAliveTimeout: keepAliveMs,
    keepAliveMaxTimeout: keepAliveMs,
    maxRequestsPerClient: 10_000,
    maxHeaderSize: responseHeaderBytesMax,
    strictContentLength: true,
    allowH2: false,
  });
}

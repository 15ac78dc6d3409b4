import { createRequire } from 'node:module';
import type { buildConnector as BuildConnector, Pool as PoolClass } from 'undici';
import type { Logger } from '../base/log.js';
import { Fault } from '../model/codes.js';
import type { Meter } from '../model/meter.js';
import { Call } from './call.js';
import { guardVersion } from './guard-version.js';
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

/** One undici pool, with a watchdog that replaces it when it waits and runs nothing. */
export class WatchedPool {
  readonly #options: PoolOptions;
  readonly #ports: UpstreamPorts;
  readonly #times: WatchTimes;
  readonly #watch: NodeJS.Timeout;
  #pool: Pool;
  #waiting = 0;
  #stuckTicks = 0;
  #idleTicks = 0;
  #spent: (() => void) | null = null;

  constructor(options: PoolOptions, ports: UpstreamPorts) {
    this.#options = options;
    this.#ports = ports;
    this.#times = ports.watch ?? usualTimes;
    this.#pool = newPool(options);
    this.#watch = setInterval(() => {
      this.#look();
    }, this.#times.intervalMs);
    this.#watch.unref();
  }

  send({ method, target, headers, body, bodyTimeoutMs }: UpstreamRequest, sink: UpstreamSink): UpstreamCall {
    const { queue, connections } = this.#options;
    // A call waits, too, while its connection is made: those places come on top of the queue.
    if (this.#waiting >= queue + connections) {
      throw new Fault('upstream.busy', `upstream.queue of ${String(queue)} is full`);
    }
    this.#waiting += 1;
    const call = new Call(sink, () => {
      this.#waiting -= 1;
    });
    // `reset: false`: after HEAD the connection may go on.
    this.#pool.dispatch({ path: target, method, headers, body, bodyTimeout: bodyTimeoutMs, reset: false }, call);
    return call;
  }

  stats(): { readonly connected: number; readonly pending: number; readonly running: number } {
    return this.#pool.stats;
  }

  /** @param spent told once, when its connections are given back; until then it is as it was, and after that it takes the odd latecomer */
  retire(spent: () => void): void {
    this.#spent = spent;
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    await this.#pool.destroy();
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

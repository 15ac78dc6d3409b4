import type { Readable } from 'node:stream';
import { buildConnector, Pool, type Dispatcher } from 'undici';
import type { Logger } from '../base/log.js';
import { Fault, type FaultCode } from '../model/codes.js';
import type { Meter } from '../model/meter.js';
import { guardVersion } from './guard-version.js';

export interface UpstreamOptions {
  /** `http://HOST:PORT`. */
  readonly origin: string;
  readonly connections: number;
  /** Requests that may wait for a connection. */
  readonly queue: number;
  readonly connectTimeoutMs: number;
  readonly headersTimeoutMs: number;
}

export interface UpstreamRequest {
  readonly method: string;
  readonly target: string;
  /** Names and values alternating. */
  readonly headers: string[];
  readonly body: Buffer | Readable | null;
  /** Longest silence within the answer, in ms. */
  readonly bodyTimeoutMs: number;
}

/** Who takes the answer. Everything but `begin` happens after the request was written. */
export interface UpstreamSink {
  /** Right before the first byte is sent; false sends nothing and ends the call without a word. */
  begin(): boolean;
  /** @param headers names and values alternating, Latin-1. A throw ends the call. */
  head(status: number, headers: readonly string[]): void;
  /** @returns false to pause until `resume` */
  data(chunk: Buffer): boolean;
  end(): void;
  failed(fault: Fault): void;
}

export interface UpstreamCall {
  abort(): void;
  resume(): void;
}

/** The upstream client, small enough to be swapped. */
export interface Upstream {
  send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall;
  stats(): { readonly connected: number; readonly pending: number; readonly running: number };
  close(): Promise<void>;
}

const watchIntervalMs = 1_000;
const responseHeaderBytesMax = 16_384;
const keepAliveMs = 4_000;

/** One undici pool for one upstream, with a watchdog that replaces a pool which waits and runs nothing. */
export function createUpstream(
  options: UpstreamOptions,
  ports: { readonly log: Logger; readonly meter: Meter },
): Upstream {
  let pool = newPool(options);
  let stuckTicks = 0;
  const ticksMax = Math.ceil(options.connectTimeoutMs / watchIntervalMs) + 2;
  const watch = setInterval(() => {
    const { pending, running } = pool.stats;
    stuckTicks = pending > 0 && running === 0 ? stuckTicks + 1 : 0;
    if (stuckTicks < ticksMax) return;
    stuckTicks = 0;
    ports.meter.upstreamPoolReplaced();
    ports.log.error('upstream.pool-replaced', { pending });
    const stuck = pool;
    pool = newPool(options);
    stuck.destroy(new Error('the pool was stuck')).catch(() => undefined); // its requests have been told; nothing is left to report
  }, watchIntervalMs);
  watch.unref();
  return {
    send: (request, sink) => {
      if (pool.stats.pending >= options.queue && pool.stats.running >= options.connections) {
        throw new Fault('upstream.busy', `upstream.queue of ${String(options.queue)} is full`);
      }
      return dispatch(pool, request, sink);
    },
    stats: () => pool.stats,
    close: async () => {
      clearInterval(watch);
      await pool.destroy();
    },
  };
}

function newPool(options: UpstreamOptions): Pool {
  const connect = buildConnector({ timeout: options.connectTimeoutMs });
  return new Pool(options.origin, {
    connections: options.connections,
    pipelining: 1, // a slow answer must not block another client's request
    connect: (target, callback) => {
      connect(target, (...answer) => {
        if (answer[1] !== null) guardVersion(answer[1]);
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

const codeOf = (error: Error): FaultCode => {
  const code = 'code' in error && typeof error.code === 'string' ? error.code : '';
  if (
    code === 'UND_ERR_CONNECT_TIMEOUT' ||
    code === 'UND_ERR_HEADERS_TIMEOUT' ||
    code === 'UND_ERR_BODY_TIMEOUT' ||
    code === 'ETIMEDOUT'
  )
    return 'upstream.timeout';
  if (code.startsWith('HPE_') || code === 'UND_ERR_HEADERS_OVERFLOW' || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH')
    return 'upstream.invalid';
  return 'upstream.unreachable';
};

function dispatch(pool: Pool, request: UpstreamRequest, sink: UpstreamSink): UpstreamCall {
  let abort: (error?: Error) => void = () => undefined;
  let resume: () => void = () => undefined;
  let isOver = false;
  const fail = (error: Error): void => {
    if (isOver) return;
    isOver = true;
    sink.failed(error instanceof Fault ? error : new Fault(codeOf(error), error.message, { cause: error }));
  };
  // The raw form of undici's handler: header lines arrive as they were sent, without a merged object in between.
  const handler: Dispatcher.DispatchHandler = {
    onConnect: (stop) => {
      abort = stop;
      if (!isOver && sink.begin()) return;
      isOver = true;
      stop(new Error('not wanted any more'));
    },
    onHeaders: (status, raw, go) => {
      if (status < 200 || isOver) return true;
      resume = go;
      sink.head(
        status,
        raw.map((part) => part.toString('latin1')),
      );
      return true;
    },
    onData: (chunk) => isOver || sink.data(chunk),
    onComplete: () => {
      if (isOver) return;
      isOver = true;
      sink.end();
    },
    onError: fail,
  };
  pool.dispatch(
    {
      path: request.target,
      method: request.method as Dispatcher.HttpMethod,
      headers: request.headers,
      body: request.body,
      bodyTimeout: request.bodyTimeoutMs,
      reset: false,
    },
    handler,
  );
  return {
    abort: () => {
      if (isOver) return;
      isOver = true;
      abort(new Error('the call was aborted'));
    },
    resume: () => {
      resume();
    },
  };
}

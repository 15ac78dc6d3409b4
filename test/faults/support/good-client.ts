import { Agent } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
import { alphaSpace, call, recallPath } from './client.js';
import { quantile, tenths } from './figures.js';

/** How it went for a caller that does nothing wrong. */
export interface GoodTimes {
  readonly asked: number;
  /** Answers other than 200, and connections that broke. */
  readonly errors: readonly string[];
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly slowestMs: number;
}

export interface GoodClient {
  stop(): Promise<GoodTimes>;
}

interface GoodOptions {
  readonly gateway: URL;
  readonly key: string;
  readonly localAddress?: string;
}

const everyMs = 50;

/** A cached valid key, 20 requests a second on one kept connection; asked by the clock, so that a late answer delays the next one and counts. */
export function startGoodClient({ gateway, key, localAddress = '127.0.0.1' }: GoodOptions): GoodClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const url = new URL(recallPath, gateway);
  const times: number[] = [];
  const errors: string[] = [];
  const ending = new AbortController();
  const asking = (async () => {
    let dueMs = performance.now();
    while (!ending.signal.aborted) {
      dueMs += everyMs;
      const status = await call(url, { key, headers: alphaSpace, agent, localAddress }).then(
        (answer) => String(answer.status),
        (thrown: unknown) => String(thrown),
      );
      if (status === '200') times.push(performance.now() - (dueMs - everyMs));
      else errors.push(status);
      await after(Math.max(0, dueMs - performance.now()));
    }
  })();
  return {
    stop: async () => {
      ending.abort();
      await asking;
      agent.destroy();
      return {
        asked: times.length + errors.length,
        errors,
        p50Ms: tenths(quantile(times, 0.5)),
        p99Ms: tenths(quantile(times, 0.99)),
        slowestMs: tenths(Math.max(...times)),
      };
    },
  };
}

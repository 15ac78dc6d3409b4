import { Agent } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
import { recall } from './client.js';

/** What became of the requests of a load. */
export interface Tally {
  readonly sent: number;
  readonly byStatus: ReadonlyMap<number, number>;
  readonly errors: readonly string[];
  readonly slowestMs: number;
}

export interface Load {
  /** Stops sending, waits for what is under way, and tells. */
  stop(): Promise<Tally>;
}

interface LoadOptions {
  readonly gateway: URL;
  readonly key: string;
  /** Requests per second, sent by the clock whatever the answers do. */
  readonly rate: number;
}

const tickMs = 5;

/** Sends reads at a steady rate over kept connections until it is stopped. */
export function startLoad({ gateway, key, rate }: LoadOptions): Load {
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  const byStatus = new Map<number, number>();
  const errors: string[] = [];
  const running = new Set<Promise<void>>();
  const startedMs = performance.now();
  let sent = 0;
  let slowestMs = 0;
  const ending = new AbortController();

  const one = async (): Promise<void> => {
    const fromMs = performance.now();
    try {
      const { status } = await recall(gateway, key, agent);
      byStatus.set(status, (byStatus.get(status) ?? 0) + 1);
    } catch (thrown) {
      errors.push(String(thrown));
    }
    slowestMs = Math.max(slowestMs, performance.now() - fromMs);
  };
  const sending = (async () => {
    while (!ending.signal.aborted) {
      const due = Math.floor(((performance.now() - startedMs) * rate) / 1_000);
      for (; sent < due; sent += 1) {
        const request: Promise<void> = one().finally(() => running.delete(request));
        running.add(request);
      }
      await after(tickMs);
    }
  })();
  return {
    stop: async () => {
      ending.abort();
      await sending;
      await Promise.all(running);
      agent.destroy();
      return { sent, byStatus, errors, slowestMs };
    },
  };
}

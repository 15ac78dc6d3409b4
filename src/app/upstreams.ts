import { Fault } from '../model/codes.js';
import type { Config } from '../config/config.js';
import { createUpstream, type Upstream } from '../forward/forward.js';
import type { Meter } from '../model/meter.js';
import type { ComponentState } from '../probes/probes.js';

type UpstreamConfig = Config['upstream'];

/** Clients by their connection options: a reload that leaves those alone keeps the connections. */
export class Upstreams {
  readonly #times: Parameters<typeof createUpstream>[1];
  readonly #byName = new Map<string, Upstream>();
  /** Retired ones that may still serve requests of their generation. */
  readonly #former = new Set<Upstream>();
  #current: Upstream | null = null;

  /** @param times other ones than the usual */
  constructor(meter: Pick<Meter, 'gauge'>, times?: Parameters<typeof createUpstream>[1]) {
    this.#times = times;
    meter.gauge('upstream_connections', () => this.#current?.stats().connected ?? 0);
    meter.gauge('upstream_pending', () => this.#current?.stats().pending ?? 0);
  }

  /** Changes nothing for anybody: the generation that asks may never come into force. */
  readonly forConfig = (config: UpstreamConfig): Upstream => {
    const options = {
      origin: config.url,
      connections: config.connections,
      queue: config.queue,
      streamConnections: config.stream_connections,
      streamsPerSubject: config.streams_per_subject,
      connectTimeoutMs: config.connect_timeout_ms,
      headersTimeoutMs: config.headers_timeout_ms,
    };
    const name = JSON.stringify(options);
    const known = this.#byName.get(name);
    if (known !== undefined) return known;
    const upstream = createUpstream(options, this.#times);
    this.#byName.set(name, upstream);
    this.#current ??= upstream;
    return upstream;
  };

  /** Told when a generation is in force: every other client is retired, and forgotten when it has given its connections back. */
  readonly settled = (current: Upstream): void => {
    this.#current = current;
    for (const [name, upstream] of this.#byName) {
      if (upstream === current) continue;
      this.#byName.delete(name);
      this.#former.add(upstream);
      upstream.retire(() => this.#former.delete(upstream));
    }
  };

  async close(): Promise<void> {
    const all = [...this.#former, ...this.#byName.values()];
    this.#former.clear();
    this.#byName.clear();
    await Promise.all(all.map((upstream) => upstream.close()));
  }
}

const probeTimeoutMs = 2_000;
const sharedForMs = 1_000;

interface Shared {
  readonly untilMs: number;
  readonly state: Promise<ComponentState>;
}

/** Asks the memory server's own health route; one answer serves all who ask within a second. */
export class UpstreamHealth {
  readonly #shared = new Map<string, Shared>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  ask(upstream: Upstream, path: string | null): Promise<ComponentState> {
    if (path === null) return Promise.resolve({ ready: true, reason: null }); // a server without a health route is taken as it is
    const known = this.#shared.get(path);
    if (known !== undefined && known.untilMs > this.#nowMs()) return known.state;
    const state = askOnce(upstream, path);
    this.#shared.set(path, { untilMs: this.#nowMs() + sharedForMs, state });
    return state;
  }
}

const probeOf = (path: string): Parameters<Upstream['send']>[0] => ({
  use: { kind: 'probe', subject: null },
  method: 'GET',
  target: path,
  headers: [],
  body: null,
  bodyTimeoutMs: probeTimeoutMs,
});

function askOnce(upstream: Upstream, path: string): Promise<ComponentState> {
  return new Promise((resolve) => {
    let status = 0;
    const settle = (state: ComponentState): void => {
      clearTimeout(timer);
      resolve(state);
    };
    const timer = setTimeout(() => {
      call?.abort();
      settle({ ready: false, reason: 'the memory server does not answer' });
    }, probeTimeoutMs);
    let call: { abort(): void } | null = null;
    try {
      call = upstream.send(probeOf(path), {
        begin: () => true,
        head: (code) => {
          status = code;
        },
        data: () => true,
        end: () => {
          settle(
            status < 300
              ? { ready: true, reason: null }
              : { ready: false, reason: `the memory server answers ${String(status)}` },
          );
        },
        failed: (why) => {
          settle({ ready: false, reason: why instanceof Fault ? why.code : why.message });
        },
      });
    } catch {
      settle({ ready: false, reason: 'upstream.busy' });
    }
  });
}

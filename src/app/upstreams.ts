import type { Logger } from '../base/log.js';
import type { Meter } from '../model/meter.js';
import type { Config } from '../config/config.js';
import { createUpstream, type Upstream } from '../forward/forward.js';
import type { ComponentState } from '../probes/probes.js';

type UpstreamConfig = Config['upstream'];

/** Clients by their connection options: a reload that leaves those alone keeps the connections. */
export class Upstreams {
  readonly #ports: { readonly log: Logger; readonly meter: Meter };
  #current: { readonly name: string; readonly upstream: Upstream } | null = null;
  #former: Upstream[] = [];

  constructor(ports: { readonly log: Logger; readonly meter: Meter }) {
    this.#ports = ports;
    ports.meter.gauge('upstream_connections', () => this.#current?.upstream.stats().connected ?? 0);
    ports.meter.gauge('upstream_pending', () => this.#current?.upstream.stats().pending ?? 0);
  }

  readonly forConfig = (config: UpstreamConfig): Upstream => {
    const options = {
      origin: config.url,
      connections: config.connections,
      queue: config.queue,
      connectTimeoutMs: config.connect_timeout_ms,
      headersTimeoutMs: config.headers_timeout_ms,
    };
    const name = JSON.stringify(options);
    if (this.#current?.name === name) return this.#current.upstream;
    if (this.#current !== null) {
      this.#current.upstream.retire(); // requests of the former generation still use it
      this.#former.push(this.#current.upstream);
    }
    const upstream = createUpstream(options, this.#ports);
    this.#current = { name, upstream };
    return upstream;
  };

  async close(): Promise<void> {
    const all = this.#current === null ? this.#former : [...this.#former, this.#current.upstream];
    this.#former = [];
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
    const request = { method: 'GET', target: path, headers: [], body: null, bodyTimeoutMs: probeTimeoutMs };
    let call: { abort(): void } | null = null;
    try {
      call = upstream.send(request, {
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
        failed: ({ code }) => {
          settle({ ready: false, reason: code });
        },
      });
    } catch {
      settle({ ready: false, reason: 'upstream.busy' });
    }
  });
}

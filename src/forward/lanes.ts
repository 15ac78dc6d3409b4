import { Fault } from '../model/codes.js';
import { SwitchCall } from './switch-call.js';
import type {
  SwitchSink,
  Upstream,
  UpstreamCall,
  UpstreamOptions,
  UpstreamRequest,
  UpstreamSink,
  UpstreamUse,
} from './port.js';
import { WatchedPool, type UpstreamPorts } from './upstream.js';

/** Probes share one answer a second for each of two routes, and give up after two. */
const probeConnections = 4;

/** One upstream with three pools: for requests, for streams, for health probes. */
export function createUpstream(options: UpstreamOptions, ports: UpstreamPorts): Upstream {
  return new Lanes(options, ports);
}

class Lanes implements Upstream {
  readonly #pools: Readonly<Record<UpstreamUse['kind'], WatchedPool>>;
  readonly #places: StreamPlaces;
  readonly #options: UpstreamOptions;

  constructor(options: UpstreamOptions, ports: UpstreamPorts) {
    const { streamConnections, streamsPerSubject } = options;
    this.#options = options;
    this.#places = new StreamPlaces(streamConnections, streamsPerSubject);
    this.#pools = {
      request: new WatchedPool(options, ports),
      stream: new WatchedPool({ ...options, connections: streamConnections, queue: 0 }, ports),
      probe: new WatchedPool({ ...options, connections: probeConnections, queue: 0 }, ports),
    };
  }

  send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall {
    const { use } = request;
    if (use.kind !== 'stream') return this.#pools[use.kind].send(request, sink);
    const leave = this.#places.take(use.subject);
    try {
      return leaving(this.#pools.stream.send(request, new LeavingSink(sink, leave)), leave);
    } catch (thrown) {
      leave();
      throw thrown;
    }
  }

  switch(request: UpstreamRequest, sink: SwitchSink): UpstreamCall {
    const leave = this.#places.take(request.use.subject);
    return leaving(new SwitchCall(this.#options, request, sink), leave);
  }

  stats(): { readonly connected: number; readonly pending: number; readonly running: number } {
    const all = Object.values(this.#pools).map((pool) => pool.stats());
    const sum = (name: 'connected' | 'pending' | 'running'): number => all.reduce((total, one) => total + one[name], 0);
    return { connected: sum('connected'), pending: sum('pending'), running: sum('running') };
  }

  retire(spent: () => void): void {
    const pools = Object.values(this.#pools);
    let left = pools.length;
    for (const pool of pools)
      pool.retire(() => {
        left -= 1;
        if (left === 0) spent();
      });
  }

  async close(): Promise<void> {
    await Promise.all(Object.values(this.#pools).map((pool) => pool.close()));
  }
}

/** The call whose place is given back when it is given up. */
const leaving = (call: UpstreamCall, leave: () => void): UpstreamCall => ({
  abort: () => {
    leave();
    call.abort();
  },
  resume: () => {
    call.resume();
  },
});

/** Streams stay open for as long as their readers like, so nobody waits for one to end, and no subject may have them all. */
export class StreamPlaces {
  readonly #max: number;
  readonly #perSubject: number;
  readonly #bySubject = new Map<string, number>();
  #open = 0;

  constructor(max: number, perSubject: number) {
    this.#max = max;
    this.#perSubject = perSubject;
  }

  /** @returns gives the place back, once however often it is called */
  take(subject: string | null): () => void {
    if (this.#open >= this.#max)
      throw new Fault('upstream.busy', `upstream.stream_connections of ${String(this.#max)} is reached`);
    if (subject !== null && (this.#bySubject.get(subject) ?? 0) >= this.#perSubject)
      throw new Fault('upstream.busy', `upstream.streams_per_subject of ${String(this.#perSubject)} is reached`);
    this.#count(subject, 1);
    let isHeld = true;
    return () => {
      if (isHeld) this.#count(subject, -1);
      isHeld = false;
    };
  }

  #count(subject: string | null, by: 1 | -1): void {
    this.#open += by;
    if (subject === null) return;
    const open = (this.#bySubject.get(subject) ?? 0) + by;
    if (open === 0) this.#bySubject.delete(subject);
    else this.#bySubject.set(subject, open);
  }
}

/** Gives the place back when the call is over, however that comes. */
class LeavingSink implements UpstreamSink {
  readonly #sink: UpstreamSink;
  readonly #leave: () => void;

  constructor(sink: UpstreamSink, leave: () => void) {
    this.#sink = sink;
    this.#leave = leave;
  }

  begin(): boolean {
    const isWanted = this.#sink.begin();
    if (!isWanted) this.#leave();
    return isWanted;
  }

  head(status: number, headers: readonly string[]): void {
    this.#sink.head(status, headers);
  }

  data(chunk: Buffer): boolean {
    return this.#sink.data(chunk);
  }

  end(): void {
    this.#leave();
    this.#sink.end();
  }

  failed(why: Parameters<UpstreamSink['failed']>[0]): void {
    this.#leave();
    this.#sink.failed(why);
  }
}

import { Readable } from 'node:stream';
import { Fault } from '../model/codes.js';
import { Pieces } from './pieces.js';
import type { PoolStats } from './pool.js';
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
import { Ticks } from './ticks.js';
import { FairPool } from './upstream.js';

/** Probes share one answer a second for each of two routes, and give up after two. */
const probeConnections = 4;

export interface WatchTimes {
  /** How often times are looked at: so much later than set they may be noticed, twice at most. */
  readonly intervalMs: number;
  /** Idle looks after which a retired client gives its connections back. */
  readonly retiredTicks: number;
}

const usualTimes: WatchTimes = { intervalMs: 250, retiredTicks: 240 };
const readBufferBytes = 65_536;

/** One upstream with three pools: for requests, for streams, for health probes. */
export function createUpstream(options: UpstreamOptions, times: WatchTimes = usualTimes): Upstream {
  return new Lanes(options, times);
}

class Lanes implements Upstream {
  readonly #pools: Readonly<Record<UpstreamUse['kind'], FairPool>>;
  readonly #all: readonly FairPool[];
  readonly #places: StreamPlaces;
  readonly #options: UpstreamOptions;
  readonly #times: WatchTimes;
  readonly #ticks: Ticks;
  #watch: NodeJS.Timeout | null = null;
  #spent: (() => void) | null = null;
  #idleTicks = 0;

  constructor(options: UpstreamOptions, times: WatchTimes) {
    const { streamConnections, streamsPerSubject } = options;
    this.#options = options;
    this.#times = times;
    this.#ticks = new Ticks(times.intervalMs);
    this.#places = new StreamPlaces(streamConnections, streamsPerSubject);
    const ports = {
      ticks: this.#ticks,
      readBuffer: Buffer.allocUnsafeSlow(readBufferBytes),
      pieces: new Pieces(),
    };
    this.#pools = {
      request: new FairPool(options, ports),
      stream: new FairPool({ ...options, connections: streamConnections, queue: 0 }, ports),
      probe: new FairPool({ ...options, connections: probeConnections, queue: 0 }, ports),
    };
    this.#all = Object.values(this.#pools);
  }

  send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall {
    try {
      return this.#send(request, sink);
    } catch (thrown) {
      // Nobody listens to its body: that its client leaves would be an error of the process.
      if (request.body instanceof Readable) request.body.on('error', () => undefined).destroy();
      throw thrown;
    }
  }

  switch(request: UpstreamRequest, sink: SwitchSink): UpstreamCall {
    const leave = this.#places.take(request.use.subject);
    return leaving(new SwitchCall(this.#options, request, sink), leave);
  }

  stats(): PoolStats {
    const all = this.#all.map((pool) => pool.stats());
    const sum = (name: keyof PoolStats): number => all.reduce((total, one) => total + one[name], 0);
    return { connected: sum('connected'), pending: sum('pending'), running: sum('running') };
  }

  retire(spent: () => void): void {
    this.#spent = spent;
    this.#wake();
  }

  close(): Promise<void> {
    this.#sleep();
    for (const pool of this.#all) pool.close();
    return Promise.resolve();
  }

  #send(request: UpstreamRequest, sink: UpstreamSink): UpstreamCall {
    const { use } = request;
    this.#wake();
    if (use.kind !== 'stream') return this.#pools[use.kind].send(request, sink);
    const leave = this.#places.take(use.subject);
    try {
      return leaving(this.#pools.stream.send(request, new LeavingSink(sink, leave)), leave);
    } catch (thrown) {
      leave();
      throw thrown;
    }
  }

  /** Times are looked at while there is anything to look at. */
  #wake(): void {
    this.#watch ??= setInterval(() => {
      this.#look();
    }, this.#times.intervalMs).unref();
  }

  #sleep(): void {
    if (this.#watch !== null) clearInterval(this.#watch);
    this.#watch = null;
  }

  #look(): void {
    this.#ticks.advance();
    for (const pool of this.#all) pool.look();
    if (this.#spent !== null) this.#lookRetired(this.#spent);
    if (this.#spent === null && this.#all.every(({ isEmpty }) => isEmpty)) this.#sleep();
  }

  #lookRetired(spent: () => void): void {
    const { pending, running } = this.stats();
    this.#idleTicks = pending + running === 0 ? this.#idleTicks + 1 : 0;
    if (this.#idleTicks < this.#times.retiredTicks) return;
    this.#spent = null;
    for (const pool of this.#all) pool.rest();
    spent();
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

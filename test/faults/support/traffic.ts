import { Agent, request } from 'node:http';
import { setTimeout as after } from 'node:timers/promises';
import { alphaSpace, call, recallPath, type Answer } from './client.js';

/** A time in which requests may fail, and how. */
export interface Window {
  readonly name: string;
  readonly fromMs: number;
  toMs: number;
  /** What a request may get that would have passed; 0 for a connection that broke. Empty where nothing may fail. */
  readonly may: readonly number[];
}

/** A request that did not get what it was to get. */
export interface Miss {
  readonly kind: string;
  readonly status: number;
  readonly what: string;
  readonly fromMs: number;
  readonly toMs: number;
}

interface Kind {
  readonly name: string;
  /** Of a hundred. */
  readonly share: number;
  readonly wants: number;
  readonly send: (agent: Agent) => Promise<Answer>;
}

export interface TrafficOptions {
  readonly gateway: URL;
  readonly key: string;
  /** Requests per second, sent by the clock whatever the answers do. */
  readonly rate: number;
  /** Streams that are open at any time. */
  readonly streams: number;
  readonly streamMs: number;
  /** True while nothing is wrong: only then a time counts. */
  readonly isCalm: () => boolean;
}

export interface Traffic {
  readonly sent: number;
  readonly events: number;
  readonly misses: readonly Miss[];
  readonly byKind: ReadonlyMap<string, number>;
  /** Times of the requests that got what they were to get while nothing was wrong, by tenths of a millisecond. */
  readonly times: Uint32Array;
  /** Times in which this process itself did not come to its turn: then neither clients nor memory server were there. */
  readonly stalls: readonly Window[];
  /** Stops sending, and waits for what is under way. */
  stop(): Promise<void>;
}

const tickMs = 5;
const stallMsMin = 500;
const timeSlots = 300_000; // half a minute in tenths of a millisecond
const json = { 'content-type': 'application/json' };
const memory = JSON.stringify({ content: 'The kettle in the small kitchen takes four minutes.' });

function kindsOf({ gateway, key }: TrafficOptions): readonly Kind[] {
  const recall = new URL(recallPath, gateway);
  const remember = new URL('/api/v1/memories/remember', gateway);
  const beta = { 'x-memory-space': 'beta' };
  const post = (agent: Agent, body: string): Promise<Answer> =>
    call(remember, { method: 'POST', key, headers: { ...alphaSpace, ...json }, body, agent });
  return [
    { name: 'read', share: 72, wants: 200, send: (agent) => call(recall, { key, headers: alphaSpace, agent }) },
    { name: 'write', share: 20, wants: 200, send: (agent) => post(agent, memory) },
    { name: 'space not granted', share: 3, wants: 403, send: (agent) => call(recall, { key, headers: beta, agent }) },
    { name: 'no credential', share: 2, wants: 401, send: (agent) => call(recall, { headers: alphaSpace, agent }) },
    {
      name: 'no such route',
      share: 2,
      wants: 404,
      send: (agent) => call(new URL('/nothing', gateway), { key, agent }),
    },
    { name: 'no JSON', share: 1, wants: 400, send: (agent) => post(agent, '{"content":') },
  ];
}

/** Everything that callers do, all the time: reads, writes, refusals, streams. */
class Load implements Traffic {
  sent = 0;
  events = 0;
  readonly misses: Miss[] = [];
  readonly stalls: Window[] = [];
  readonly byKind = new Map<string, number>();
  readonly times = new Uint32Array(timeSlots);
  readonly #options: TrafficOptions;
  readonly #kinds: readonly Kind[];
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 64 });
  readonly #streamAgent = new Agent({ keepAlive: false });
  readonly #running = new Set<Promise<void>>();
  readonly #ending = new AbortController();

  constructor(options: TrafficOptions) {
    this.#options = options;
    this.#kinds = kindsOf(options).flatMap((kind) => Array.from({ length: kind.share }, () => kind));
    this.#keep(this.#sending());
    for (let n = 0; n < options.streams; n += 1) this.#keep(this.#streaming());
  }

  async stop(): Promise<void> {
    this.#ending.abort();
    while (this.#running.size > 0) await Promise.all(this.#running);
    this.#agent.destroy();
    this.#streamAgent.destroy();
  }

  #keep(work: Promise<void>): void {
    const kept: Promise<void> = work.finally(() => this.#running.delete(kept));
    this.#running.add(kept);
  }

  async #sending(): Promise<void> {
    const fromMs = performance.now();
    while (!this.#ending.signal.aborted) {
      const due = Math.floor(((performance.now() - fromMs) * this.#options.rate) / 1_000);
      // 37 and 100 have no common divisor: a hundred requests in a row are of every kind, in its share.
      for (; this.sent < due; this.sent += 1) this.#keep(this.#one(this.#kinds[(this.sent * 37) % 100]!));
      const beforeMs = performance.now();
      await after(tickMs);
      this.#noteStall(beforeMs);
    }
  }

  #noteStall(fromMs: number): void {
    const toMs = performance.now();
    if (toMs - fromMs >= stallMsMin)
      this.stalls.push({ name: 'this process stood still', may: [0, 502, 503, 504], fromMs, toMs });
  }

  async #one({ name, wants, send }: Kind): Promise<void> {
    const wasCalm = this.#options.isCalm();
    const fromMs = performance.now();
    const [status, what] = await send(this.#agent).then(
      (answer) => [answer.status, answer.body.slice(0, 200)] as const,
      (thrown: unknown) => [0, String(thrown)] as const,
    );
    const toMs = performance.now();
    this.byKind.set(name, (this.byKind.get(name) ?? 0) + 1);
    if (status !== wants) this.misses.push({ kind: name, status, what, fromMs, toMs });
    else if (wasCalm && this.#options.isCalm())
      this.times[Math.min(timeSlots - 1, Math.floor((toMs - fromMs) * 10))]! += 1;
  }

  async #streaming(): Promise<void> {
    while (!this.#ending.signal.aborted) {
      const fromMs = performance.now();
      const what = await this.#stream();
      const toMs = performance.now();
      this.byKind.set('stream', (this.byKind.get('stream') ?? 0) + 1);
      if (what === null) continue;
      this.misses.push({ kind: 'stream', status: Number(/\b\d{3}\b/.exec(what)?.[0] ?? 0), what, fromMs, toMs });
      await after(200, undefined, { signal: this.#ending.signal }).catch(() => undefined);
    }
  }

  /** One stream for its time. @returns null, or what broke it */
  #stream(): Promise<string | null> {
    const { gateway, key, streamMs } = this.#options;
    const { signal } = this.#ending;
    return new Promise((resolve) => {
      const sent = request(new URL('/api/v1/monitoring/events?space=alpha', gateway), {
        headers: { authorization: `Bearer ${key}` },
        agent: this.#streamAgent,
      });
      let events = 0;
      const end = (what: string | null): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', enough);
        resolve(what);
        sent.destroy();
      };
      const enough = (): void => {
        end(events > 0 || signal.aborted ? null : 'no event came');
      };
      const timer = setTimeout(enough, streamMs);
      signal.addEventListener('abort', enough);
      sent.on('error', (error) => {
        end(String(error));
      });
      sent.on('response', (response) => {
        if (response.statusCode !== 200) end(`answered with ${response.statusCode ?? 0}`);
        response.on('data', () => {
          events += 1;
          this.events += 1;
        });
        response.on('error', (error) => {
          end(String(error));
        });
        response.on('end', () => {
          end('the stream ended by itself');
        });
      });
      sent.end();
    });
  }
}

export const startTraffic = (options: TrafficOptions): Traffic => new Load(options);

/** Those that no window excuses. A refusal that became a yes is never excused. */
export function unexcused(misses: readonly Miss[], windows: readonly Window[]): readonly Miss[] {
  const excuses = (miss: Miss, { fromMs, toMs, may }: Window): boolean =>
    may.includes(miss.status) && miss.fromMs <= toMs && miss.toMs >= fromMs;
  return misses.filter((miss) => !windows.some((window) => excuses(miss, window)));
}

/** That share of the requests took no longer, in ms. */
export function timeQuantile(times: Uint32Array, share: number): number {
  const all = times.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [slot, count] of times.entries()) {
    seen += count;
    if (seen >= all * share) return (slot + 1) / 10;
  }
  return NaN;
}

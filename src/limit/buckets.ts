import type { LimitSpec } from '../model/decision.js';
import { capacityOf, createBucket, type Bucket } from './bucket.js';

/** One limit that a request must pass, for one key. */
export interface Demand {
  readonly limit: LimitSpec;
  /** Injective encoding of the limit's own definition; names its overflow bucket. */
  readonly definition: string;
  /** Injective encoding of definition and key values. */
  readonly key: string;
}

/** Where one limit stands. */
export interface Standing {
  readonly limit: LimitSpec;
  /** Whole units that are left. */
  readonly remaining: number;
  /** Milliseconds until it is full again. */
  readonly fullInMs: number;
}

/** `waitMs` is that of `blocking`, the limit that needs the longest wait; Infinity when its cost can never fit. */
export type TakeResult =
  | { readonly taken: true; readonly tightest: Standing | null }
  | { readonly taken: false; readonly tightest: Standing; readonly blocking: LimitSpec; readonly waitMs: number };

export interface Buckets {
  /** Buckets that are kept, for the gauge `limit_buckets`. */
  size(): number;
  /**
   * Tests all together, takes all together or none.
   *
   * @param nowMs reading of the monotonic clock
   */
  take(demands: readonly Demand[], nowMs: number): TakeResult;
}

/** Entries that a call looks at, and more after calls that added some, so that forgetting costs no long loop anywhere. */
const sweepPerTake = 1;
const sweepPerMiss = 8;
const sweepMax = 256;
const sweepFrom = 64;

/** The memory of all limits. It lives as long as the process, whatever generations come and go. */
export const createBuckets = (options: { readonly maxBuckets: number }): Buckets => new BucketTable(options.maxBuckets);

class BucketTable implements Buckets {
  readonly #maxBuckets: number;
  readonly #own = new Map<string, Bucket>();
  /** One for each definition, shared by the keys that found no room. As many as the policy has limits, whatever requests do. */
  readonly #overflow = new Map<string, Bucket>();
  #sweeping = this.#own.entries();
  #sweepDue = sweepPerTake;

  constructor(maxBuckets: number) {
    this.#maxBuckets = maxBuckets;
  }

  size(): number {
    return this.#own.size + this.#overflow.size;
  }

  take(demands: readonly Demand[], nowMs: number): TakeResult {
    const nowUs = Math.floor(nowMs * 1000);
    this.#sweep(nowUs); // before any look-up: a bucket that was found must not be forgotten before it is taken from
    const found: Bucket[] = [];
    for (const demand of demands) found.push(this.#own.get(demand.key) ?? this.#missed(demand, nowUs));
    const worst = this.#test(demands, found, nowUs);
    if (worst === null)
      for (let index = 0; index < found.length; index += 1) found[index]?.take(demands[index]?.limit.cost ?? 0, nowUs);
    const tightest = tightestOf(demands, found, nowUs);
    if (worst === null) return { taken: true, tightest };
    return {
      taken: false,
      tightest: tightest ?? { limit: worst.limit, remaining: 0, fullInMs: 0 },
      blocking: worst.limit,
      waitMs: worst.waitUs / 1000,
    };
  }

  /** Null when all fit; else the one that needs the longest wait. One bucket may be asked for several times: its claims add up. */
  #test(
    demands: readonly Demand[],
    found: readonly Bucket[],
    nowUs: number,
  ): { limit: LimitSpec; waitUs: number } | null {
    let worst: { limit: LimitSpec; waitUs: number } | null = null;
    for (let index = 0; index < demands.length; index += 1) {
      const limit = demands[index]?.limit;
      const bucket = found[index];
      if (bucket === undefined || limit === undefined) continue;
      bucket.pending += limit.cost;
      const waitUs = limit.cost >= 0 ? bucket.wait(bucket.pending, nowUs) : Infinity; // a negative or absent cost would give units away
      if (waitUs > (worst?.waitUs ?? 0)) worst = { limit, waitUs };
    }
    for (const bucket of found) bucket.pending = 0;
    return worst;
  }

  #missed({ limit, definition, key }: Demand, nowUs: number): Bucket {
    this.#sweepDue = Math.min(this.#sweepDue + sweepPerMiss, sweepMax);
    let shared = this.#overflow.get(definition);
    if (shared !== undefined && shared.untilFull(nowUs) <= 0) {
      this.#overflow.delete(definition);
      shared = undefined;
    }
    if (this.#own.size >= this.#maxBuckets) {
      shared ??= createBucket(limit);
      this.#overflow.set(definition, shared);
      return shared;
    }
    // This key may have spent what the shared bucket remembers: it starts there, or it could spend everything twice.
    const bucket = shared?.copy() ?? createBucket(limit);
    this.#own.set(key, bucket);
    return bucket;
  }

  /** Forgets full buckets only: a new one would answer the same. Few buckets are not worth the look. */
  #sweep(nowUs: number): void {
    if (this.#own.size < Math.min(sweepFrom, this.#maxBuckets)) return;
    const entries = this.#sweepDue;
    this.#sweepDue = sweepPerTake;
    for (let seen = 0; seen < entries; seen += 1) {
      const next = this.#sweeping.next();
      if (next.done === true) {
        this.#sweeping = this.#own.entries();
        return;
      }
      const [key, bucket] = next.value;
      if (bucket.untilFull(nowUs) <= 0) this.#own.delete(key);
    }
  }
}

function tightestOf(demands: readonly Demand[], found: readonly Bucket[], nowUs: number): Standing | null {
  let tightest: Standing | null = null;
  let smallestShare = Infinity;
  for (let index = 0; index < demands.length; index += 1) {
    const limit = demands[index]?.limit;
    const bucket = found[index];
    if (bucket === undefined || limit === undefined) continue;
    const free = Math.max(0, bucket.free(nowUs));
    const share = free / Math.max(capacityOf(limit), Number.MIN_VALUE);
    if (share < smallestShare) {
      smallestShare = share;
      tightest = { limit, remaining: Math.floor(free), fullInMs: bucket.untilFull(nowUs) / 1000 };
    }
  }
  return tightest;
}

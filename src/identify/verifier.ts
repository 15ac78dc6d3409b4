import { hash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Meter } from '../model/meter.js';
import type { KeyEntry } from './key-entry.js';
import { matchesHash, unmatchableHash } from './key-hash.js';

/** `throttled`: the budget of the asker ran out while it waited. */
export type Verdict = 'yes' | 'no' | 'busy' | 'throttled';

/** Who pays for a computation. */
export interface HashBudget {
  /** Asked before the computation joins the queue; null when the asker can pay for no more. */
  claim(): Promise<HashClaim | null>;
}

export interface HashClaim {
  /** Asked right before the computation: while it waited, others may have used the budget up. */
  admits(): boolean;
  /** Told once, whatever happens; `not computed` costs nothing. */
  end(outcome: 'right' | 'wrong' | 'not computed'): void;
}

/** Compares credentials with hashes, as seldom as it can. */
export interface Verifier {
  /** True when this whole credential was verified before against the very hash that the entry has now. Costs one SHA-256. */
  recall(credential: string, entry: KeyEntry): boolean;
  /** Argon2id; `null` (nobody has that id) is computed as well, against a hash that nothing matches. Equal concurrent credentials share one. */
  verify(credential: string, entry: KeyEntry | null, budget: HashBudget): Promise<Verdict>;
  /** Counters that move: computations so far, remembered credentials, waiting and running computations. */
  readonly stats: VerifierStats;
}

export interface VerifierStats {
  readonly hashes: number;
  readonly remembered: number;
  readonly waiting: number;
  readonly running: number;
}

/** A bounded number of places and a bounded queue before them. */
class Slots {
  readonly #places: number;
  readonly #queueMax: number;
  readonly #queue: (() => void)[] = [];
  running = 0;

  constructor(places: number, queueMax: number) {
    this.#places = places;
    this.#queueMax = queueMax;
  }

  get waiting(): number {
    return this.#queue.length;
  }

  /** Resolves when there is a place; null when even the queue is full. */
  enter(): Promise<void> | null {
    if (this.running < this.#places) {
      this.running += 1;
      return Promise.resolve();
    }
    if (this.#queue.length >= this.#queueMax) return null;
    return new Promise((resolve) => this.#queue.push(resolve));
  }

  leave(): void {
    const next = this.#queue.shift();
    if (next === undefined) this.running -= 1;
    else next(); // the place passes on
  }
}

interface Work {
  readonly digest: string;
  readonly phc: string;
  readonly credential: string;
}

const outcomes = { yes: 'right', no: 'wrong', busy: 'not computed', throttled: 'not computed' } as const;

class CachingVerifier implements Verifier {
  readonly #salt = randomBytes(32).toString('hex');
  readonly #unmatchable = unmatchableHash();
  readonly #flights = new Map<string, Promise<Verdict>>();
  readonly #verified: LRUCache<string, string>;
  readonly #slots: Slots;
  readonly #meter: Meter;
  #hashes = 0;

  constructor(options: VerifierOptions, meter: Meter) {
    this.#verified = new LRUCache({ max: options.cacheEntries });
    this.#slots = new Slots(options.concurrency, options.queue);
    this.#meter = meter;
    meter.gauge('hash_queue_length', () => this.#slots.waiting);
  }

  get stats(): VerifierStats {
    return {
      hashes: this.#hashes,
      remembered: this.#verified.size,
      waiting: this.#slots.waiting,
      running: this.#slots.running,
    };
  }

  recall(credential: string, entry: KeyEntry): boolean {
    return this.#verified.get(this.#digest(credential)) === entry.hash;
  }

  async verify(credential: string, entry: KeyEntry | null, budget: HashBudget): Promise<Verdict> {
    const work = { digest: this.#digest(credential), phc: entry?.hash ?? this.#unmatchable, credential };
    const flightKey = work.digest + work.phc; // injective: a digest has one length
    for (let running = this.#flights.get(flightKey); running !== undefined; running = this.#flights.get(flightKey)) {
      const verdict = await running;
      if (verdict !== 'throttled') return verdict; // that was the budget of another address, not ours
    }
    const flight = this.#compute(work, budget).finally(() => this.#flights.delete(flightKey));
    this.#flights.set(flightKey, flight);
    return flight;
  }

  async #compute(work: Work, budget: HashBudget): Promise<Verdict> {
    const claim = await budget.claim();
    if (claim === null) return 'throttled';
    let verdict: Verdict = 'busy';
    try {
      const place = this.#slots.enter();
      if (place !== null) verdict = await place.then(() => this.#computeInPlace(work, claim));
      return verdict;
    } finally {
      claim.end(outcomes[verdict]);
    }
  }

  async #computeInPlace({ digest, phc, credential }: Work, claim: HashClaim): Promise<Verdict> {
    try {
      if (!claim.admits()) return 'throttled';
      this.#hashes += 1;
      const isRight = await matchesHash(phc, credential);
      this.#meter.keyValidation(isRight ? 'verified' : 'rejected');
      if (isRight) this.#verified.set(digest, phc);
      return isRight ? 'yes' : 'no';
    } finally {
      this.#slots.leave();
    }
  }

  /**
   * The whole credential is covered, and the random prefix keeps a memory dump from being a list of digests to search. A prefix of one
   * length and digests that nobody is shown leave no room for what HMAC is built against, at a third of its cost.
   */
  #digest(credential: string): string {
    return hash('sha256', this.#salt + credential, 'hex');
  }
}

export interface VerifierOptions {
  /** Computations at a time: each takes a core and 19 MiB for some 20 ms. */
  readonly concurrency: number;
  /** Computations that may wait. */
  readonly queue: number;
  /** Verified credentials that are remembered. */
  readonly cacheEntries: number;
}

/** A verifier whose memory ends with the process. */
export const createVerifier = (options: VerifierOptions, ports: { readonly meter: Meter }): Verifier =>
  new CachingVerifier(options, ports.meter);

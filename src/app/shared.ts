import { systemClock, type Clock } from '../base/clock.js';
import { messageOf, type Logger } from '../base/log.js';
import type { Config, LoadedConfig } from '../config/config.js';
import {
  createFailureBuckets,
  createKeyRing,
  createVerifier,
  type KeyRing,
  type Verifier,
} from '../identify/identify.js';
import { createLeases } from '../lease/lease.js';
import { createBuckets } from '../limit/limit.js';
import type { Meter } from '../model/meter.js';
import { openObjectBook, type LongLived } from '../reload/reload.js';
import { SessionBook, type SessionLimits } from '../resolve/resolve.js';
import type { Store } from '../store/store.js';
import { hashConcurrency } from './pressure.js';

interface SharedContext {
  readonly loaded: LoadedConfig;
  readonly clock: Clock;
  readonly meter: Meter;
  readonly log: Logger;
  readonly store: Store;
}

type Shared = Pick<
  LongLived,
  | 'leases'
  | 'ring'
  | 'verifier'
  | 'failures'
  | 'buckets'
  | 'inspectBudget'
  | 'objectBook'
  | 'createdSpaces'
  | 'sessions'
  | 'observed'
  | 'keyUsed'
>;

/** Makes what is in memory and outlives generations: keys, caches, buckets, counts. */
export function createShared({ loaded, clock, meter, log, store }: SharedContext): Shared {
  const { keys, limits, gateway } = loaded.config;
  const ring = storedRing(store, clock);
  const buckets = createBuckets({ maxBuckets: limits.max_buckets });
  meter.gauge('limit_buckets', () => buckets.size());
  meter.gauge('keys_loaded', () => ring.size());
  const failureLimits = {
    perMinute: keys.failures_per_minute,
    perMinutePerKey: keys.failures_per_minute_per_key,
    waitingPerAddress: keys.hash_queue_per_address,
  };
  return {
    ring,
    leases: createLeases({ clock: systemClock, meter, log }),
    verifier: verifierOf(keys, meter),
    buckets,
    failures: createFailureBuckets(failureLimits, clock),
    inspectBudget: { held: 0, max: gateway.inspect_max_bytes_in_progress },
    objectBook: openObjectBook(),
    createdSpaces: spaceBook(store, log),
    sessions: new SessionBook(sessionLimits(gateway.sessions), clock),
    observed: new WeakMap(),
    keyUsed: (id, deprecated) => {
      store.noteUse(id, deprecated);
    },
  };
}

const sessionLimits = (sessions: Config['gateway']['sessions']): SessionLimits => ({
  max: sessions.max_entries,
  maxPerOwner: sessions.entries_per_subject,
  idleMs: sessions.idle_timeout_ms,
});

const verifierOf = (keys: Config['keys'], meter: Meter): Verifier =>
  createVerifier(
    {
      concurrency: hashConcurrency(keys),
      queue: keys.hash_queue,
      cacheEntries: keys.cache_entries,
    },
    { meter },
  );

function spaceBook(store: Store, log: Logger): LongLived['createdSpaces'] {
  const spaces = new Set(store.spaces());
  return {
    has: (name) => spaces.has(name),
    add: (name) => {
      spaces.add(name); // the space exists, whether or not the store can note it
      try {
        store.addSpace(name);
      } catch (thrown) {
        log.error('store.space-not-noted', { message: messageOf(thrown) });
      }
    },
  };
}

function storedRing(store: Store, clock: Clock): KeyRing {
  const ring = createKeyRing(clock);
  ring.replaceStore(store.keys().entries);
  for (const [id, revoked] of store.manifestRevocations()) ring.revoke(id, revoked);
  return ring;
}

import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import type { Clock } from '../base/clock.js';
import { messageOf, type Logger } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import { createFailureBuckets, createKeyRing, createVerifier, type KeyRing } from '../identify/identify.js';
import { createBuckets } from '../limit/limit.js';
import type { LoadedConfig } from '../config/config.js';
import { createMeter, openAuditLog, type AuditLog } from '../record/record.js';
import type { LongLived } from '../reload/reload.js';
import { lockDataDir, openStore, type Store } from '../store/store.js';
import { Upstreams } from './upstreams.js';

/** What lives as long as the process. */
export interface Parts extends LongLived {
  readonly meter: ReturnType<typeof createMeter>;
  readonly store: Store;
  readonly auditLog: AuditLog;
  readonly auditDir: string;
  readonly dataDir: string;
  close(): Promise<void>;
}

export interface PartsContext {
  readonly loaded: LoadedConfig;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Takes the data directory, opens store and audit log, and makes what generations share. Nothing is left open when it fails. */
export async function openParts(context: PartsContext): Promise<Result<Parts, string>> {
  const { loaded, clock, log } = context;
  const dataDir = loaded.resolvePath(loaded.config.data_dir);
  const lock = lockDataDir(dataDir);
  if (!lock.ok) return lock;
  const store = openStore({
    dataDir,
    clock,
    warn: (message) => {
      log.warn('store.warning', { message });
    },
  });
  if (!store.ok) {
    lock.value.release();
    return store;
  }
  for (const message of store.value.warnings) log.warn('store.warning', { message });
  const meter = createMeter(loaded.config.metrics.prefix);
  const auditDir = auditDirOf(loaded);
  const auditLog = await openAuditLog(auditOptions(loaded), { clock, log, meter });
  if (!auditLog.ok) {
    store.value.close();
    lock.value.release();
    return no(auditLog.why);
  }
  const upstreams = new Upstreams({ log, meter });
  return ok({
    ...sharedParts({ loaded, clock, meter, log, store: store.value }),
    clock,
    meter,
    store: store.value,
    auditLog: auditLog.value,
    auditDir,
    dataDir,
    upstreamFor: upstreams.forConfig,
    close: async () => {
      await upstreams.close();
      store.value.close();
      await auditLog.value.close();
      lock.value.release();
    },
  });
}

export const auditDirOf = ({ config, resolvePath }: LoadedConfig): string =>
  config.audit.dir === undefined ? join(resolvePath(config.data_dir), 'audit') : resolvePath(config.audit.dir);

export const auditOptions = (loaded: LoadedConfig): Parameters<typeof openAuditLog>[0] => {
  const { audit } = loaded.config;
  return {
    dir: auditDirOf(loaded),
    segmentBytes: audit.segment_bytes,
    maxBytes: audit.max_bytes,
    reserveBytes: audit.reserve_bytes,
    refusalsPerSecond: audit.refusals_per_second,
    refusalsPerSecondPerAddress: audit.refusals_per_second_per_address,
    allowTmpfs: audit.allow_tmpfs,
  };
};

interface Shared {
  readonly loaded: LoadedConfig;
  readonly clock: Clock;
  readonly meter: ReturnType<typeof createMeter>;
  readonly log: Logger;
  readonly store: Store;
}

function sharedParts({
  loaded,
  clock,
  meter,
  log,
  store,
}: Shared): Pick<
  LongLived,
  'ring' | 'verifier' | 'failures' | 'buckets' | 'inspectBudget' | 'createdSpaces' | 'keyUsed'
> {
  const { keys, limits, gateway } = loaded.config;
  const ring = storedRing(store, clock);
  const verifier = createVerifier(
    {
      concurrency: keys.hash_concurrency ?? Math.max(1, availableParallelism() - 1),
      queue: keys.hash_queue,
      cacheEntries: keys.cache_entries,
    },
    { meter },
  );
  const buckets = createBuckets({ maxBuckets: limits.max_buckets });
  const spaces = new Set(store.spaces());
  meter.gauge('limit_buckets', () => buckets.size());
  meter.gauge('keys_loaded', () => ring.size());
  return {
    ring,
    verifier,
    buckets,
    failures: createFailureBuckets(
      { perMinute: keys.failures_per_minute, perMinutePerKey: keys.failures_per_minute_per_key },
      clock,
    ),
    inspectBudget: { held: 0, max: gateway.inspect_max_bytes_in_progress },
    createdSpaces: {
      has: (name) => spaces.has(name),
      add: (name) => {
        spaces.add(name); // the space exists, whether or not the store can note it
        try {
          store.addSpace(name);
        } catch (thrown) {
          log.error('store.space-not-noted', { message: messageOf(thrown) });
        }
      },
    },
    keyUsed: (id, deprecated) => {
      store.noteUse(id, deprecated);
    },
  };
}

function storedRing(store: Store, clock: Clock): KeyRing {
  const ring = createKeyRing(clock);
  ring.replaceStore(store.keys().entries);
  for (const [id, revoked] of store.manifestRevocations()) ring.revoke(id, revoked);
  return ring;
}

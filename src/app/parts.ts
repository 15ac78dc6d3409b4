import { join } from 'node:path';
import { createForwardClock, type Clock } from '../base/clock.js';
import type { Logger } from '../base/log.js';
import { ok, type Result } from '../base/result.js';
import type { LoadedConfig } from '../config/config.js';
import { createMeter, openAuditLog, type AuditLog } from '../record/record.js';
import type { LongLived } from '../reload/reload.js';
import { Shadow } from '../shadow/shadow.js';
import { lockDataDir, openStore, type Store } from '../store/store.js';
import { openPressure, type OpenPressure } from './pressure.js';
import { callParts } from './calls.js';
import { createShared } from './shared.js';
import { Upstreams } from './upstreams.js';

/** What lives as long as the process. */
export interface Parts extends LongLived {
  readonly meter: ReturnType<typeof createMeter>;
  readonly store: Store;
  readonly auditLog: AuditLog;
  readonly auditDir: string;
  readonly dataDir: string;
  readonly pressure: OpenPressure;
  readonly shadow: Shadow;
  close(): Promise<void>;
}

export interface PartsContext {
  readonly loaded: LoadedConfig;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Takes the data directory, opens store and audit log, and makes what generations share. Nothing is left open when it fails. */
export async function openParts(context: PartsContext): Promise<Result<Parts, string>> {
  const { loaded, log } = context;
  const dataDir = loaded.resolvePath(loaded.config.data_dir);
  const lock = lockDataDir(dataDir);
  if (!lock.ok) return lock;
  const warn = (message: string): void => {
    log.warn('store.warning', { message });
  };
  const store = openStore({ dataDir, clock: context.clock, warn });
  const opened = store.ok ? await openOver(context, { dataDir, store: store.value }) : store;
  if (!opened.ok) {
    if (store.ok) store.value.close();
    lock.value.release();
    return opened;
  }
  const close = async (): Promise<void> => {
    await opened.value.close();
    lock.value.release();
  };
  return ok({ ...opened.value, close });
}

async function openOver(
  { loaded, clock, log }: PartsContext,
  { dataDir, store }: { readonly dataDir: string; readonly store: Store },
): Promise<Result<Parts, string>> {
  for (const message of store.warnings) log.warn('store.warning', { message });
  for (const problem of store.keys().refused) log.error('keys.refused', { problem });
  const meter = createMeter(loaded.config.metrics.prefix);
  const opened = await openAuditLog(auditOptions(loaded), { clock, log, meter });
  if (!opened.ok) return opened;
  const auditLog = opened.value;
  const upstreams = new Upstreams(meter);
  const pressure = openPressure(loaded.config, { meter, log });
  const close = async (): Promise<void> => {
    pressure.stop();
    calls?.upstream.close();
    await upstreams.close();
    await auditLog.close(); // before the store: its last checkpoint must not depend on a database that is locked
    store.close();
  };
  const credentialClock = createForwardClock(clock);
  const shared = createShared({ loaded, clock: credentialClock, meter, log, store });
  const calls = callParts(loaded);
  const clients = { upstreamFor: upstreams.forConfig, upstreamSettled: upstreams.settled, calls };
  const auditDir = auditDirOf(loaded);
  const pressureSet = pressure.set;
  const shadow = new Shadow({ clock, meter, log });
  const decided: LongLived['decided'] = (trail) => {
    shadow.offer(trail);
  };
  const watched = { pressure, pressureSet, auditLog, shadow, decided, close };
  return ok({ ...shared, ...clients, ...watched, clock, credentialClock, meter, store, auditDir, dataDir });
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
    queueEntries: audit.queue_entries,
    queueBytes: audit.queue_bytes,
  };
};

import { join } from 'node:path';
import { systemClock } from '../base/clock.js';
import { describeProblem } from '../base/document.js';
import { createLogger, messageOf } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import type { LoadedConfig } from '../config/config.js';
import {
  createKeyRing,
  idConflicts,
  loadManifests,
  type KeyRing,
  type KnownNames,
  type LoadedManifests,
} from '../identify/identify.js';
import { createKeyAdmin, localOperator, type KeyDesk } from '../manage/manage.js';
import { createMeter, openAuditLog, type AuditLogOptions } from '../record/record.js';
import { readPolicy } from '../reload/reload.js';
import { hasStore, lockDataDir, openStore, type Store } from '../store/store.js';
import { auditOptions } from './parts.js';

/** A data directory, and the configuration it belongs to when one was named. */
export interface LocalPlace {
  readonly dataDir: string;
  readonly config: LoadedConfig | null;
  /** True for a command that begins a store where there is none; to all others a name without one is a mistake. */
  readonly mayBegin?: boolean;
}

/** The keys of a data directory on which no process runs. */
export interface LocalKeys {
  readonly keys: KeyDesk;
  close(): Promise<void>;
}

const defaultPrefix = 'engram_key';
/** Without a configuration: its defaults, as far as one command needs them. */
const plainAudit = {
  segmentBytes: 67_108_864,
  maxBytes: 10 * 1_073_741_824,
  reserveBytes: 64 * 1_048_576,
  refusalsPerSecond: 200,
  refusalsPerSecondPerAddress: 50,
  allowTmpfs: false,
  queueEntries: 65_536,
  queueBytes: 64 * 1_048_576,
} as const;

function auditOf({ dataDir, config }: LocalPlace): AuditLogOptions {
  const options = config === null ? plainAudit : auditOptions(config);
  const named = config?.config.audit.dir;
  return {
    ...options,
    dir: config === null || named === undefined ? join(dataDir, 'audit') : config.resolvePath(named),
  };
}

/** Why a process cannot work in this data directory, such as that another one does; null where it can. */
export function dataDirProblem(dataDir: string): string | null {
  const lock = lockDataDir(dataDir);
  if (!lock.ok) return lock.why;
  lock.value.release();
  return null;
}

/** Takes the data directory for one command. What it does goes into the same store and the same record as what the process does. */
export async function openLocalKeys(place: LocalPlace): Promise<Result<LocalKeys, readonly string[]>> {
  if (place.mayBegin !== true && place.config === null && !hasStore(place.dataDir))
    return no([`there are no keys in ${place.dataDir}: name the data directory of the process`]);
  const lock = lockDataDir(place.dataDir);
  if (!lock.ok) return no([lock.why]);
  const undo: (() => unknown)[] = [
    () => {
      lock.value.release();
    },
  ];
  const close = async (): Promise<void> => {
    for (const step of undo.splice(0).reverse()) await step();
  };
  try {
    const keys = await openLocked(place, undo);
    if (keys.ok) return ok({ keys: keys.value, close });
    await close();
    return keys;
  } catch (thrown) {
    await close();
    return no([messageOf(thrown)]);
  }
}

async function openLocked(place: LocalPlace, undo: (() => unknown)[]): Promise<Result<KeyDesk, readonly string[]>> {
  const { dataDir, config } = place;
  const log = createLogger('warn');
  const store = openStore({
    dataDir,
    clock: systemClock,
    warn: (message) => {
      log.warn('store.warning', { message });
    },
  });
  if (!store.ok) return no([store.why]);
  undo.push(() => {
    store.value.close();
  });
  const meter = createMeter('memgate_');
  const audit = await openAuditLog(auditOf(place), { clock: systemClock, log, meter });
  if (!audit.ok) return no([audit.why]);
  undo.push(() => audit.value.close());
  const known = config === null ? ok(null) : await namesOf(config);
  if (!known.ok) return known;
  const ring = await ringOf(store.value, config, known.value);
  if (!ring.ok) return ring;
  return ok(
    createKeyAdmin({
      ring: ring.value,
      store: store.value,
      audit: audit.value,
      clock: systemClock,
      meter,
      prefixes: config?.config.keys.prefixes ?? [defaultPrefix],
      isPersistent: config?.config.data_dir_persistent ?? true,
      known: () => known.value,
      reach: 'store',
    }).as(localOperator),
  );
}

const noManifests: LoadedManifests = { entries: [], refused: [], places: new Map() };

async function ringOf(
  store: Store,
  config: LoadedConfig | null,
  known: KnownNames | null,
): Promise<Result<KeyRing, readonly string[]>> {
  const dir = config?.config.keys.manifests;
  const manifests =
    config === null || dir === undefined ? ok(noManifests) : await loadManifests(config.resolvePath(dir), known);
  if (!manifests.ok) return no(manifests.why.map(describeProblem));
  const stored = store.keys().entries;
  const conflicts = idConflicts(manifests.value, stored);
  if (conflicts.length > 0) return no(conflicts.map(describeProblem));
  const ring = createKeyRing(systemClock);
  ring.replaceStore(stored);
  ring.replaceManifests(manifests.value.entries);
  for (const [id, revoked] of store.manifestRevocations()) ring.revoke(id, revoked);
  return ok(ring);
}

/** Roles and tiers of the policy that the configuration names. */
export async function namesOf(loaded: LoadedConfig): Promise<Result<KnownNames, readonly string[]>> {
  const ports = { clock: systemClock, meter: createMeter('memgate_'), log: createLogger('warn') };
  const policy = await readPolicy(loaded, { ports });
  return policy.ok
    ? ok({
        roles: policy.value.policy.roleNames,
        tiers: policy.value.policy.tierNames,
        rolePermissions: policy.value.policy.rolePermissions,
      })
    : no(policy.why.map(describeProblem));
}

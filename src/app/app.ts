import { systemClock } from '../base/clock.js';
import { describeProblem } from '../base/document.js';
import { createLogger, messageOf, type Logger, type LogLevel } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import { startWatchdog, type Watchdog } from '../authorize/authorize.js';
import type { KeyEntry } from '../identify/identify.js';
import type { AuditEvent } from '../model/audit.js';
import { loadConfig, type LoadedConfig } from '../config/config.js';
import { controlPath, startControl } from '../control/control.js';
import { createKeyAdmin, localOperator, type KeyAdmin } from '../manage/manage.js';
import { buildGeneration, createReloader, readSources, type Reloader, type SourceContext } from '../reload/reload.js';
import { openListeners, type Listeners } from './listeners.js';
import { openParts, type Parts } from './parts.js';
import { createStatus } from './status.js';

export { auditDirOf } from './parts.js';
export { checkSources } from './check.js';
export { openLocalKeys, type LocalKeys, type LocalPlace } from './local-keys.js';
export { version } from './version.js';

export interface StartOptions {
  /** Configuration file. */
  readonly file: string;
  /** The start flag without which `auth_mode: none` is refused. */
  readonly mayBeOpen: boolean;
  /** Wins over the configuration's level. */
  readonly logLevel?: LogLevel;
}

export interface Running {
  readonly gateway: string;
  readonly admin: string;
  readonly probes: string;
  readonly dataDir: string;
  readonly auditDir: string;
  readonly keyAdmin: KeyAdmin;
  readonly reloader: Reloader;
  readonly log: Logger;
  /** Stops taking connections, lets running requests end, and closes everything; the audit tail is on disk when it returns. */
  stop(): Promise<void>;
}

/** Longest evaluation of a policy; an activated one takes microseconds, so this one will never come back. */
const evaluationLimitMs = 2_000;

/** Starts the whole program, or says everything that is in the way. The only place that constructs. */
export async function start(options: StartOptions): Promise<Result<Running, readonly string[]>> {
  const loaded = await loadConfig(options.file);
  if (!loaded.ok) return no(loaded.why.map(describeProblem));
  const log = createLogger(options.logLevel ?? loaded.value.config.log.level);
  const parts = await openParts({ loaded: loaded.value, clock: systemClock, log });
  if (!parts.ok) return no([parts.why]);
  const running = await startOver(options, { loaded: loaded.value, parts: parts.value, log }).catch((thrown: unknown) =>
    no([messageOf(thrown)]),
  );
  if (!running.ok) await parts.value.close();
  return running;
}

interface Opened {
  readonly loaded: LoadedConfig;
  readonly parts: Parts;
  readonly log: Logger;
}

async function startOver(options: StartOptions, opened: Opened): Promise<Result<Running, readonly string[]>> {
  const { parts, log } = opened;
  const watchdog = startWatchdog({ limitMs: evaluationLimitMs });
  const reloader = await firstGeneration(options, opened, watchdog);
  const doors = reloader.ok ? await openDoors(opened, reloader.value) : reloader;
  if (!reloader.ok || !doors.ok) {
    await watchdog.stop();
    return reloader.ok ? no(doors.ok ? [] : doors.why) : reloader;
  }
  const { hash } = reloader.value.current();
  await parts.auditLog.commit(processEvent('system.started', { generation: hash }));
  log.info('started', {
    ...doors.value.urls,
    generation: hash,
    audit_file_system: parts.auditLog.status().fileSystem,
  });
  let stopping: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    log.info('stopping');
    await doors.value.close();
    reloader.value.current().sources.tokens.close();
    await watchdog.stop();
    await parts.auditLog.commit(processEvent('system.stopped', {})).catch(() => undefined); // a full disk must not keep the process
    await parts.close();
    log.info('stopped');
  };
  const { dataDir, auditDir } = parts;
  const { urls, keyAdmin } = doors.value;
  return ok({ ...urls, dataDir, auditDir, keyAdmin, reloader: reloader.value, log, stop: () => (stopping ??= stop()) });
}

const processEvent = (type: 'system.started' | 'system.stopped', fields: AuditEvent['fields']): AuditEvent => ({
  type,
  severity: 'info',
  atMs: systemClock.nowMs(),
  fields,
});

async function firstGeneration(
  { file, mayBeOpen }: StartOptions,
  { parts, log }: Opened,
  watchdog: Watchdog,
): Promise<Result<Reloader, readonly string[]>> {
  const storeKeys = (): readonly KeyEntry[] => parts.store.keys().entries;
  const ports = { clock: systemClock, meter: parts.meter, log, watchdog };
  const sources: SourceContext = { file, mayBeOpen, storeKeys, ports };
  const read = await readSources(sources);
  if (!read.ok) return no(read.why.map(describeProblem));
  for (const problem of read.value.manifests.refused) {
    log.error('keys.refused', { problem: describeProblem(problem) });
  }
  parts.ring.replaceManifests(read.value.manifests.entries);
  return ok(createReloader(buildGeneration(read.value, parts), { sources, parts, audit: parts.auditLog, log }));
}

interface Doors {
  readonly urls: Listeners['urls'];
  readonly keyAdmin: KeyAdmin;
  close(): Promise<void>;
}

/** The control socket first: who can be reached by clients can be managed. */
async function openDoors(opened: Opened, reloader: Reloader): Promise<Result<Doors, readonly string[]>> {
  const { loaded, parts, log } = opened;
  const keyAdmin = keyAdminOver(opened, reloader);
  const status = createStatus({ parts, reloader });
  const control = await startControl({
    path: controlPath(parts.dataDir),
    keys: keyAdmin.as(localOperator),
    status: status.detailed,
    log,
    reload: async () => status.reloadAnswer(await reloader.reload(localOperator.actor)),
  });
  if (!control.ok) return no([control.why]);
  const listeners = await openListeners({ loaded, parts, reloader, status, log });
  return ok({
    urls: listeners.urls,
    keyAdmin,
    close: async () => {
      await listeners.close(reloader.current().sources.loaded.config.drain_ms);
      await control.value.close();
    },
  });
}

const keyAdminOver = ({ loaded, parts }: Opened, reloader: Reloader): KeyAdmin =>
  createKeyAdmin({
    ring: parts.ring,
    store: parts.store,
    audit: parts.auditLog,
    clock: systemClock,
    meter: parts.meter,
    prefixes: loaded.config.keys.prefixes,
    isPersistent: loaded.config.data_dir_persistent,
    known: () => {
      const { policy } = reloader.current().sources;
      return { roles: policy.roleNames, tiers: policy.tierNames };
    },
    reach: 'process',
  });

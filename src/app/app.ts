import { systemClock } from '../base/clock.js';
import { describeProblem } from '../base/document.js';
import { createLogger, messageOf, type Logger, type LogLevel } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import { startWatchdog } from '../authorize/authorize.js';
import { loadConfig, type LoadedConfig } from '../config/config.js';
import { controlPath, startControl } from '../control/control.js';
import { createKeyAdmin, localOperator, type KeyAdmin } from '../manage/manage.js';
import { buildGeneration, createReloader, readSources, type Reloader, type SourceContext } from '../reload/reload.js';
import { openListeners } from './listeners.js';
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
  const { loaded, parts, log } = opened;
  const watchdog = startWatchdog({ limitMs: evaluationLimitMs });
  const sources: SourceContext = {
    file: options.file,
    mayBeOpen: options.mayBeOpen,
    storeKeys: () => parts.store.keys().entries,
    ports: { clock: systemClock, meter: parts.meter, log, watchdog },
  };
  const read = await readSources(sources);
  if (!read.ok) {
    await watchdog.stop();
    return no(read.why.map(describeProblem));
  }
  for (const problem of read.value.manifests.refused) log.error('keys.refused', { problem: describeProblem(problem) });
  parts.ring.replaceManifests(read.value.manifests.entries);
  const reloader = createReloader(buildGeneration(read.value, parts), { sources, parts, audit: parts.auditLog, log });
  const keyAdmin = keyAdminOver(opened, reloader);
  const status = createStatus({ parts, reloader });
  const control = await startControl({
    path: controlPath(parts.dataDir),
    keys: keyAdmin.as(localOperator),
    status: status.detailed,
    log,
    reload: async () => status.reloadAnswer(await reloader.reload(localOperator.actor)),
  });
  if (!control.ok) {
    await watchdog.stop();
    return no([control.why]);
  }
  const listeners = await openListeners({ loaded, parts, reloader, status, log });
  await parts.auditLog.commit({
    type: 'system.started',
    severity: 'info',
    atMs: systemClock.nowMs(),
    fields: { generation: reloader.current().hash },
  });
  log.info('started', {
    ...listeners.urls,
    generation: reloader.current().hash,
    audit_file_system: parts.auditLog.status().fileSystem,
  });
  let stopping: Promise<void> | null = null;
  const stop = async (): Promise<void> => {
    log.info('stopping');
    await listeners.close(reloader.current().sources.loaded.config.drain_ms);
    await control.value.close();
    reloader.current().sources.tokens.close();
    await watchdog.stop();
    await parts.auditLog
      .commit({ type: 'system.stopped', severity: 'info', atMs: systemClock.nowMs(), fields: {} })
      .catch(() => undefined); // a full disk must not keep the process
    await parts.close();
    log.info('stopped');
  };
  return ok({
    ...listeners.urls,
    dataDir: parts.dataDir,
    auditDir: parts.auditDir,
    keyAdmin,
    reloader,
    log,
    stop: () => (stopping ??= stop()),
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

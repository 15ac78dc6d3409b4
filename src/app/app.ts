import { systemClock } from '../base/clock.js';
import { CloseStack } from '../base/close-stack.js';
import { describeProblem } from '../base/document.js';
import { kept } from '../base/kept.js';
import { createLogger, messageOf, type Logger, type LogLevel } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import { startWatchdog } from '../authorize/authorize.js';
import type { AuditEvent } from '../model/audit.js';
import { loadConfig, type Config, type LoadedConfig } from '../config/config.js';
import { controlPath, startControl } from '../control/control.js';
import { createKeyAdmin, localOperator, type KeyAdmin } from '../manage/manage.js';
import type { Reloader } from '../reload/reload.js';
import { createExplainer } from './explain.js';
import { openGenerations, type Generations } from './generations.js';
import { openListeners, type Listeners } from './listeners.js';
import { openParts, type Parts } from './parts.js';
import { compilingProblem } from './pressure.js';
import { openSideDoors } from './side-doors.js';
import { candidateCalls, createShadowDesk, trialFacts } from './shadow-desk.js';
import { createStatus } from './status.js';

export { auditDirOf } from './parts.js';
export { checkSources } from './check.js';
export { dataDirProblem, namesOf, openLocalKeys, type LocalKeys, type LocalPlace } from './local-keys.js';
export { hasStore } from '../store/store.js';
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

/** Starts the whole program, or says everything that is in the way and leaves nothing open. The only place that constructs. */
export async function start(options: StartOptions): Promise<Result<Running, readonly string[]>> {
  const loaded = await loadConfig(options.file);
  if (!loaded.ok) return no(loaded.why.map(describeProblem));
  const log = createLogger(options.logLevel ?? loaded.value.config.log.level);
  const stack = new CloseStack();
  const running = await startOver(options, { loaded: loaded.value, log, stack }).catch((thrown: unknown) =>
    no([messageOf(thrown)]),
  );
  if (!running.ok)
    await stack.close().catch((thrown: unknown) => {
      log.error('stop failed', { message: messageOf(thrown) });
    });
  return running;
}

interface Opening {
  readonly loaded: LoadedConfig;
  readonly log: Logger;
  readonly stack: CloseStack;
}

async function startOver(options: StartOptions, opening: Opening): Promise<Result<Running, readonly string[]>> {
  const { loaded, log, stack } = opening;
  const small = compilingProblem(loaded.config);
  if (small !== null) return no([small]);
  const opened = await openParts({ loaded, clock: systemClock, log });
  if (!opened.ok) return no([opened.why]);
  const parts = opened.value;
  stack.opened(parts.close);
  let isStarted = false;
  stack.opened(() => {
    if (isStarted) parts.auditLog.note(processEvent('system.stopped', {})); // after the last request's record
  });
  const watchdog = startWatchdog({ limitMs: evaluationLimitMs });
  stack.opened(watchdog.stop);
  const generations = await openGenerations({ ...opening, parts, watchdog, start: options });
  if (!generations.ok) return generations;
  const { reloader } = generations.value;
  startLeases(parts, reloader, stack);
  const tight = parts.pressure.problem();
  if (tight !== null) return no([tight]);
  const doors = await openDoors({ ...opening, parts }, generations.value);
  if (!doors.ok) return doors;
  isStarted = true;
  const facts = beginning(reloader);
  parts.auditLog.note(processEvent('system.started', facts)); // a full log makes us unready, it does not stop the start
  await generations.value.begin();
  const { urls, keyAdmin } = doors.value;
  log.info('started', { ...urls, generation: facts.generation, audit_file_system: parts.auditLog.status().fileSystem });
  const { dataDir, auditDir } = parts;
  return ok({ ...urls, dataDir, auditDir, keyAdmin, reloader, log, stop: stopping(log, stack) });
}

const stopping = (log: Logger, stack: CloseStack) => async (): Promise<void> => {
  log.info('stopping');
  await stack.close();
  log.info('stopped');
};

/** What a process begins with, for the record. */
function beginning(reloader: Reloader): { readonly generation: string; readonly [fact: string]: string } {
  const { hash, sources } = reloader.current();
  const back = reloader.facts().rollback;
  return {
    generation: hash,
    policy_revision: sources.policy.revision,
    ...(back !== null && { rolled_back_to: back.to }),
  };
}

function startLeases({ leases }: Parts, reloader: Reloader, stack: CloseStack): void {
  leases.start(
    () => reloader.current().judge,
    () => leaseOptions(reloader.current().sources.loaded.config.streams),
  );
  stack.opened(() => {
    leases.stop();
  });
}

const leaseOptions = kept((streams: Config['streams']) => ({
  sweepMs: streams.sweep_interval_ms,
  sliceMs: streams.sweep_slice_ms,
  reviewMs: streams.review_interval_ms,
}));

const processEvent = (type: 'system.started' | 'system.stopped', fields: AuditEvent['fields']): AuditEvent => ({
  type,
  severity: 'info',
  atMs: systemClock.nowMs(),
  fields,
});

interface Opened extends Opening {
  readonly parts: Parts;
}

interface Doors {
  readonly urls: Listeners['urls'];
  readonly keyAdmin: KeyAdmin;
}

/** The control socket first: who can be reached by clients can be managed. */
async function openDoors(opened: Opened, generations: Generations): Promise<Result<Doors, readonly string[]>> {
  const { loaded, parts, log, stack } = opened;
  const { reloader, server } = generations;
  const keyAdmin = keyAdminOver(opened, reloader);
  const trial = { ...generations, shadow: parts.shadow };
  const status = createStatus({ parts, reloader, server, trial: () => trialFacts(trial) });
  const isPersistent = loaded.config.data_dir_persistent;
  const desk = createShadowDesk({ ...trial, auditLog: parts.auditLog, isPersistent, status });
  const explain = createExplainer(parts, reloader);
  const control = await startControl({
    path: controlPath(parts.dataDir),
    keys: keyAdmin.as(localOperator),
    status: status.detailed,
    explain,
    candidate: candidateCalls(desk, localOperator.actor),
    log,
    reload: async (wish) => status.reloadAnswer(await reloader.reload(localOperator.actor, wish)),
  });
  if (!control.ok) return no([control.why]);
  stack.opened(control.value.close);
  const listeners = await openListeners({ loaded, parts, reloader, status, explain, desk, log, stack });
  const sideDoors = openSideDoors({ reloader, meter: parts.meter, log, urls: listeners.urls });
  stack.opened(() => {
    sideDoors.stop();
  });
  status.watching(sideDoors);
  return ok({ urls: listeners.urls, keyAdmin });
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
      return { roles: policy.roleNames, tiers: policy.tierNames, rolePermissions: policy.rolePermissions };
    },
    reach: 'process',
  });

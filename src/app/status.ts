import { systemClock } from '../base/clock.js';
import { describeProblem } from '../base/document.js';
import type { Result } from '../base/result.js';
import type { JsonValue } from '../model/audit.js';
import type { ComponentState } from '../probes/probes.js';
import type { BundleServer } from '../origin/origin.js';
import type { Difference, ReloadFailure, Reloader } from '../reload/reload.js';
import type { SideDoors } from '../sidedoors/sidedoors.js';
import type { Parts } from './parts.js';
import { generationFacts, sourceReadiness } from './source-status.js';
import { sideDoorComponent, sideDoorFacts } from './side-doors.js';
import { UpstreamHealth } from './upstreams.js';
import { version } from './version.js';

export type ReloadAnswer = { readonly reloaded: boolean; readonly generation: string } & Readonly<
  Record<string, JsonValue>
>;

/** What operators and probes are told. */
export interface Status {
  components(): Readonly<Record<string, ComponentState>>;
  upstream(kind: 'live' | 'ready'): Promise<ComponentState>;
  detailed(): Promise<Readonly<Record<string, JsonValue>>>;
  reloadAnswer(result: Result<Difference, ReloadFailure>): ReloadAnswer;
  /** Every listener is open. */
  listening(): void;
  /** From now on somebody looks for ways around us. */
  watching(doors: SideDoors): void;
}

const up: ComponentState = { ready: true, reason: null };

export function createStatus(context: StatusContext): Status {
  const { parts, reloader, server, trial } = context;
  const health = new UpstreamHealth(systemClock.monotonicMs);
  const startedMs = systemClock.monotonicMs();
  const beganMs = systemClock.nowMs();
  let isListening = false;
  let doors: SideDoors | null = null;
  const components = (): Readonly<Record<string, ComponentState>> => ({
    ...componentsOf(parts, isListening),
    ...sideDoorReadiness(reloader, doors),
    ...sourceReadiness(reloader, { server, beganMs }),
  });
  const upstream = (kind: 'live' | 'ready'): Promise<ComponentState> => {
    const current = reloader.current();
    return health.ask(current.upstream, current.sources.profile.data.health?.[kind] ?? null);
  };
  return {
    components,
    upstream,
    listening: () => {
      isListening = true;
    },
    watching: (watch) => {
      doors = watch;
    },
    detailed: async () => ({
      version: version(),
      uptime_seconds: Math.round((systemClock.monotonicMs() - startedMs) / 1_000),
      components: statesOf({ ...components(), upstream: await upstream('ready') }),
      ...generationFacts(reloader, server),
      ...trial(),
      side_doors: doors === null ? null : sideDoorFacts(doors.state()),
      keys: parts.ring.size(),
      audit: auditFacts(parts),
      resources: resourceFacts(),
    }),
    reloadAnswer: (result) => reloadAnswer(reloader, result),
  };
}

export interface StatusContext {
  /** A candidate policy that is asked too, and one that was promoted. */
  readonly trial: () => Readonly<Record<string, JsonValue>>;
  readonly parts: Parts;
  readonly reloader: Reloader;
  /** Where bundles are asked for; null where a file is read. */
  readonly server: BundleServer | null;
}

function componentsOf({ auditLog, store }: Parts, isListening: boolean): Readonly<Record<string, ComponentState>> {
  const { ready, reason } = auditLog.status();
  return {
    generation: up,
    listeners: isListening ? up : { ready: false, reason: 'not every listener is open' },
    policy: up, // a process without a checked policy does not start, and a reload keeps the old one
    store: store.isHealthy() ? up : { ready: false, reason: 'the key store does not answer' },
    audit: { ready, reason },
  };
}

/** Only where they are to count: elsewhere they are told, and nobody is kept away. */
function sideDoorReadiness(reloader: Reloader, doors: SideDoors | null): Readonly<Record<string, ComponentState>> {
  const { probe, readiness } = reloader.current().sources.loaded.config.side_doors;
  if (!probe || readiness !== 'fail') return {};
  return {
    side_doors:
      doors === null ? { ready: false, reason: 'not every listener is open' } : sideDoorComponent(doors.state()),
  };
}

const reloadAnswer = (reloader: Reloader, result: Result<Difference, ReloadFailure>): ReloadAnswer => ({
  reloaded: result.ok && !result.value.dry_run,
  generation: reloader.current().hash,
  ...reloadFacts(result),
});

function reloadFacts(result: Result<Difference, ReloadFailure>): Readonly<Record<string, JsonValue>> {
  if (result.ok) return { dry_run: result.value.dry_run, difference: jsonOf(result.value) };
  const { problems, difference } = result.why;
  return {
    problems: problems.map(describeProblem),
    ...(difference !== null && { difference: jsonOf(difference) }),
  };
}

/** Plain data, as JSON carries it. */
const jsonOf = (value: Difference): JsonValue => JSON.parse(JSON.stringify(value)) as JsonValue;

const statesOf = (states: Readonly<Record<string, ComponentState>>): Readonly<Record<string, JsonValue>> =>
  Object.fromEntries(Object.entries(states).map(([name, { ready, reason }]) => [name, { ready, reason }]));

const auditFacts = ({ auditLog }: Parts): Readonly<Record<string, JsonValue>> => {
  const { bytes, lastSequence, queued, fileSystem } = auditLog.status();
  return { bytes, last_sequence: lastSequence, queued, file_system: fileSystem };
};

const resourceFacts = (): Readonly<Record<string, JsonValue>> => {
  const { rss, heapUsed } = process.memoryUsage();
  return { rss_bytes: rss, heap_used_bytes: heapUsed, node: process.version };
};

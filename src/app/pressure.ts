import { availableParallelism } from 'node:os';
import { getHeapStatistics } from 'node:v8';
import { systemClock } from '../base/clock.js';
import type { Logger } from '../base/log.js';
import type { Config } from '../config/config.js';
import type { Meter } from '../model/meter.js';
import {
  containerLimit,
  inMebibytes,
  memoryParts,
  startPressure,
  type Bounds,
  type MemoryUse,
  type Pressure,
  type PressureSettings,
} from '../pressure/pressure.js';
import { compileBytes } from '../rego/rego.js';

/** Part of a container's limit at which memory is short: the kernel counts more against it than the process sees. */
const ceilingPart = 0.85;
/** Bounds that are told by name when all of them together do not fit. */
const toldParts = 3;

/** What is looked at, and what one start found. */
export interface OpenPressure extends Pick<Pressure, 'enter' | 'stop'> {
  readonly set: (gateway: Config['gateway']) => void;
  /** @returns why a start makes no sense: memory is short before the first request */
  problem(): string | null;
}

export function openPressure(config: Config, ports: { readonly meter: Meter; readonly log: Logger }): OpenPressure {
  const limit = containerLimit();
  const compiling = config.policy.compile_on_reload ? compileBytes : 0; // beside us, and in the same container
  const settingsOf = (gateway: Config['gateway']): PressureSettings => ({
    maxRequests: gateway.max_requests_in_progress,
    maxLoopDelayMs: gateway.max_loop_delay_ms,
    ceilingBytes: gateway.max_rss_bytes ?? (limit === null ? null : Math.floor(limit * ceilingPart) - compiling),
  });
  const settings = settingsOf(config.gateway);
  const memory = memoryReader();
  const pressure = startPressure(settings, { ...ports, memory, monotonicMs: systemClock.monotonicMs });
  tellBounds(config, settings.ceilingBytes, ports.log);
  return {
    enter: (share) => pressure.enter(share),
    stop: () => {
      pressure.stop();
    },
    set: (gateway) => {
      pressure.set(settingsOf(gateway));
    },
    problem: () => shortAlready(memory(), settings.ceilingBytes),
  };
}

/**
 * Reads what the process uses. Node opens a file for that and throws where no descriptor is free; then the last reading stands:
 * an exhausted process is to refuse what it cannot take, not to end.
 */
export function memoryReader(readRss: () => number = () => process.memoryUsage.rss()): () => MemoryUse {
  let rss = 0;
  return () => {
    try {
      rss = readRss();
    } catch {
      // as above
    }
    const { used_heap_size: heapUsed, heap_size_limit: heapLimit } = getHeapStatistics();
    return { rss, heapUsed, heapLimit };
  };
}

/** Ours beside a compiler: what an idle process has, and room for requests. */
const ownBytesMin = 192 * 1_048_576;

/** @returns why Rego cannot be compiled in this container; asked before anything is compiled */
export function compilingProblem(config: Config, limit = containerLimit()): string | null {
  const least = (config.gateway.max_rss_bytes ?? ownBytesMin / ceilingPart) + compileBytes;
  return !config.policy.compile_on_reload || limit === null || limit >= least
    ? null
    : `policy.compile_on_reload needs ${inMebibytes(compileBytes)} beside what memgate itself needs: the container's limit is ${inMebibytes(limit)}, give it at least ${inMebibytes(least)}, or build the bundle elsewhere (memgate policy build)`;
}

function shortAlready({ rss }: MemoryUse, ceiling: number | null): string | null {
  return ceiling === null || rss < ceiling
    ? null
    : `memory is short before the first request: the process has ${inMebibytes(rss)}, and new requests are turned away from ${inMebibytes(ceiling)} on (gateway.max_rss_bytes, or 85 % of the container's limit): give it more`;
}

/** They need not all be reached at once, so this is said and stops nothing; what then happens is 503 in time. */
function tellBounds(config: Config, ceiling: number | null, log: Logger): void {
  const parts = memoryParts(boundsOf(config));
  const sum = parts.reduce((total, { bytes }) => total + bytes, 0);
  if (ceiling === null || sum <= ceiling) return;
  log.warn('pressure.bounds-exceed-memory', {
    bounds_bytes: sum,
    ceiling_bytes: ceiling,
    largest: parts.slice(0, toldParts).map(({ name, bytes }) => `${name}: ${inMebibytes(bytes)}`),
  });
}

const boundsOf = ({ gateway, upstream, grpc, keys, audit, limits }: Config): Bounds => ({
  connections: gateway.max_connections,
  requests: gateway.max_requests_in_progress,
  streams: upstream.stream_connections,
  bodyBytes: gateway.inspect_max_bytes_in_progress,
  answerBytes: upstream.objects.answer_bytes_in_progress,
  callConnections: grpc?.max_connections ?? 0,
  hashes: hashConcurrency(keys),
  auditBytes: audit.queue_bytes,
  keys: keys.cache_entries,
  buckets: limits.max_buckets,
});

/** One core is left for requests. */
export const hashConcurrency = (keys: Config['keys']): number =>
  keys.hash_concurrency ?? Math.max(1, availableParallelism() - 1);

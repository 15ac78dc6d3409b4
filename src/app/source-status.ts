import { systemClock } from '../base/clock.js';
import type { JsonValue } from '../model/audit.js';
import type { BundleServer } from '../origin/origin.js';
import type { ComponentState } from '../probes/probes.js';
import type { Reloader } from '../reload/reload.js';

const isoOf = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());
const secondsSince = (ms: number | null): number | null =>
  ms === null ? null : Math.max(0, Math.round((systemClock.nowMs() - ms) / 1_000));

/** When the source of the policy was last looked at successfully: a server counts when it answers, files when all were read at one moment. */
const lookedAt = (reloader: Reloader, server: BundleServer | null): number | null =>
  server === null ? reloader.facts().lookedAtMs : server.state().lookedAtMs;

/** Only where it is to count: a source that nobody could look at for so long may have said no meanwhile. */
export function sourceReadiness(
  reloader: Reloader,
  { server, beganMs }: { readonly server: BundleServer | null; readonly beganMs: number },
): Readonly<Record<string, ComponentState>> {
  const { max_staleness_ms: maxMs } = reloader.current().sources.loaded.config.policy;
  const atMs = lookedAt(reloader, server);
  if (server !== null && server.latest() === null)
    return { policy_source: { ready: false, reason: 'the bundle server has not given a bundle yet' } };
  if (maxMs === undefined) return {};
  // A process that began with what an earlier one left has as long as any other until the server must have answered.
  const isFresh = systemClock.nowMs() - (atMs ?? beganMs) <= maxMs;
  const reason = isFresh ? null : `the source of the policy was not looked at for over ${String(maxMs)} ms`;
  return { policy_source: { ready: isFresh, reason } };
}

export function generationFacts(reloader: Reloader, server: BundleServer | null): Readonly<Record<string, JsonValue>> {
  const { hash, builtAtMs, enforcement, sources } = reloader.current();
  const { lastFailure, rollback, kept } = reloader.facts();
  return {
    generation: {
      hash,
      age_seconds: secondsSince(builtAtMs),
      enforcement,
      profile: sources.profile.data.name,
      policy_revision: sources.policy.revision,
      policy_serial: sources.claims.serial,
      policy_signed_by: sources.claims.signedBy,
      policy_not_after: isoOf(sources.claims.notAfterMs),
      files_sha256: sources.seen.digest,
      side_doors: sources.profile.data.side_doors.map(({ port, what }) => `${what} on port ${String(port)}`),
      rolled_back:
        rollback === null
          ? null
          : { to: rollback.to, from: rollback.from, at: isoOf(rollback.atMs), by: rollback.actor },
    },
    source: sourceFacts(reloader, server),
    last_reload_failure:
      lastFailure === null
        ? null
        : { at: isoOf(lastFailure.atMs), problems: lastFailure.problems, needs_restart: lastFailure.needsRestart },
    kept_generations: kept.map(({ generations, atMs, revision }) => ({
      hash: generations.at(-1) ?? null,
      at: isoOf(atMs),
      policy_revision: revision,
    })),
  };
}

function sourceFacts(reloader: Reloader, server: BundleServer | null): Readonly<Record<string, JsonValue>> {
  const { policy, reload } = reloader.current().sources.loaded.config;
  const atMs = lookedAt(reloader, server);
  const about = { looked_at: isoOf(atMs), looked_seconds_ago: secondsSince(atMs) };
  const staleness = { max_staleness_ms: policy.max_staleness_ms ?? null };
  if (server === null) return { kind: reload.watch ? 'watched files' : 'files', ...about, ...staleness };
  const { etag, problem, isFromDisk } = server.state();
  const began = server.latest() === null ? 'policy.bundle' : isFromDisk ? 'an earlier process' : 'the server';
  return { kind: 'bundle server', bundle_from: began, etag, problem, ...about, ...staleness };
}

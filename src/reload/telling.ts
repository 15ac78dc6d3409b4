import type { Actor, AuditSink, JsonValue } from '../model/audit.js';
import type { Reloader, ReloaderContext } from './port.js';

interface ReloadEvent {
  readonly actor: Actor;
  readonly type:
    | 'config.reloaded'
    | 'config.rolled-back'
    | 'config.dry-run'
    | 'config.reload-failed'
    | 'policy.rolled-back'
    | 'policy.promoted';
  readonly fields: Readonly<Record<string, JsonValue>>;
  readonly atMs: number;
}

const severities = {
  'config.reloaded': 'info',
  'config.dry-run': 'info',
  'config.rolled-back': 'warning',
  'policy.rolled-back': 'warning',
  'policy.promoted': 'warning',
  'config.reload-failed': 'error',
} as const;

export const recordReload = (audit: AuditSink, { actor, type, fields, atMs }: ReloadEvent): Promise<void> =>
  audit.commit({
    type,
    severity: severities[type],
    atMs,
    fields: { actor: actor.kind, actor_id: actor.id, client_address: actor.address, ...fields },
  });

/** What is read at scrape time. */
export function bindGauges(
  reloader: Reloader,
  { parts: { meter }, keeper, sources: { server } }: ReloaderContext,
): void {
  const lookedAtMs = (): number => (server === null ? reloader.facts().lookedAtMs : (server.state().lookedAtMs ?? 0));
  meter.gauge('config_last_reload_successful', () => (reloader.facts().lastFailure === null ? 1 : 0));
  meter.gauge('generation_loaded_timestamp_seconds', () => reloader.current().builtAtMs / 1_000);
  meter.gauge('generation_rolled_back', () => (keeper.rollback() === null ? 0 : 1));
  meter.gauge('generations_kept', () => keeper.list().length);
  meter.gauge('policy_source_looked_at_timestamp_seconds', () => lookedAtMs() / 1_000);
  meter.gauge('upstream_credential_files_refused', () => reloader.current().sources.credential?.refusedFiles() ?? 0);
  meter.gauge('policy_serial', () => reloader.current().sources.claims.serial ?? 0);
  meter.gauge('policy_not_after_timestamp_seconds', () => (reloader.current().sources.claims.notAfterMs ?? 0) / 1_000);
  meter.gauge('policy_memory_bytes', () => reloader.current().sources.policy.memoryBytes());
}

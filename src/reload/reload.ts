import type { Problem } from '../base/document.js';
import { describeProblem } from '../base/document.js';
import { messageOf, type Logger } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import type { Actor, AuditSink } from '../model/audit.js';
import { changedFields, restartFields } from '../config/config.js';
import type { KeyEntry } from '../identify/identify.js';
import { buildGeneration, type BuiltGeneration, type LongLived } from './build.js';
import { closeSources, readSources, type SourceContext, type Sources } from './sources.js';

export type { BuiltGeneration, LongLived } from './build.js';
export { buildGeneration } from './build.js';
export { closeSources, readSources, type Sources, type SourceContext } from './sources.js';
export { openObjectBook } from './objects.js';
export { readPolicy } from './policy.js';

/** What a reload has changed; names and hashes only, never a value. */
export interface Difference {
  readonly before: string;
  readonly after: string;
  readonly changed: boolean;
  readonly configuration: readonly string[];
  readonly profile: boolean;
  readonly policy: { readonly before: string; readonly after: string } | null;
  readonly tiers: boolean;
  readonly keys: {
    readonly added: readonly string[];
    readonly removed: readonly string[];
    readonly changed: readonly string[];
  };
  /** Key entries that were left out, with their places. */
  readonly refused_keys: readonly string[];
}

export interface ReloadFailure {
  readonly problems: readonly Problem[];
}

export interface Reloader {
  current(): BuiltGeneration;
  /** Reads, checks and swaps, one at a time; a failure keeps everything as it is and says why. */
  reload(actor: Actor): Promise<Result<Difference, ReloadFailure>>;
  lastFailure(): { readonly atMs: number; readonly problems: readonly string[] } | null;
}

export interface ReloaderContext {
  readonly sources: SourceContext;
  readonly parts: LongLived;
  readonly audit: AuditSink;
  readonly log: Logger;
}

/** Holds the one reference to the generation in force. */
export function createReloader(first: BuiltGeneration, context: ReloaderContext): Reloader {
  return new GenerationHolder(first, context);
}

class GenerationHolder implements Reloader {
  readonly #context: ReloaderContext;
  #current: BuiltGeneration;
  #queue: Promise<unknown> = Promise.resolve();
  #failure: { atMs: number; problems: readonly string[] } | null = null;

  constructor(first: BuiltGeneration, context: ReloaderContext) {
    this.#current = first;
    this.#context = context;
    context.parts.meter.gauge('config_last_reload_successful', () => (this.#failure === null ? 1 : 0));
    context.parts.meter.gauge('generation_loaded_timestamp_seconds', () => this.#current.builtAtMs / 1_000);
    const refusedFiles = (): number => this.#current.sources.credential?.refusedFiles() ?? 0;
    context.parts.meter.gauge('upstream_credential_files_refused', refusedFiles);
    context.parts.meter.gauge('policy_memory_bytes', () => this.#current.sources.policy.memoryBytes());
  }

  current(): BuiltGeneration {
    return this.#current;
  }

  lastFailure(): { readonly atMs: number; readonly problems: readonly string[] } | null {
    return this.#failure;
  }

  reload(actor: Actor): Promise<Result<Difference, ReloadFailure>> {
    const next = this.#queue.then(() => this.#reload(actor)).catch((thrown: unknown) => this.#broken(thrown));
    this.#queue = next.catch(() => undefined); // the caller of that reload is told; the next one starts anew
    return next;
  }

  async #reload(actor: Actor): Promise<Result<Difference, ReloadFailure>> {
    const { sources: sourceContext, parts, log } = this.#context;
    const read = await readSources(sourceContext);
    const problems = read.ok ? restartProblems(this.#current.sources, read.value) : read.why;
    if (!read.ok || problems.length > 0) {
      if (read.ok) closeSources(read.value);
      return this.#failed(actor, problems);
    }
    const next = buildGeneration(read.value, parts);
    const difference = compare(this.#current.sources, next.sources);
    await this.#record(actor, 'config.reloaded', { generation: next.hash, before: this.#current.hash }).catch(
      (thrown: unknown) => {
        closeSources(next.sources);
        throw thrown;
      },
    );
    const before = this.#current;
    parts.ring.replaceManifests(next.sources.manifests.entries);
    parts.inspectBudget.max = next.sources.loaded.config.gateway.inspect_max_bytes_in_progress;
    parts.pressureSet(next.sources.loaded.config.gateway);
    this.#current = next;
    parts.upstreamSettled(next.upstream);
    this.#failure = null;
    closeSources(before.sources, next.sources);
    parts.meter.reload('success');
    for (const problem of difference.refused_keys) log.error('keys.refused', { problem });
    log.info('config.reloaded', { generation: next.hash, before: before.hash });
    return ok(difference);
  }

  async #failed(actor: Actor, problems: readonly Problem[]): Promise<Result<Difference, ReloadFailure>> {
    const texts = problems.map(describeProblem);
    this.#tell(texts);
    const fields = { generation: this.#current.hash, problems: texts.slice(0, 20) };
    await this.#record(actor, 'config.reload-failed', fields).catch(() => undefined); // nothing took effect, and the log has counted the loss
    return no({ problems });
  }

  /** An error that is no problem of a file, such as a record that cannot be written: nothing was swapped, and that must show. */
  #broken(thrown: unknown): never {
    this.#tell([messageOf(thrown)]);
    throw thrown;
  }

  #tell(problems: readonly string[]): void {
    const { parts, log } = this.#context;
    this.#failure = { atMs: parts.clock.nowMs(), problems };
    parts.meter.reload('failure');
    log.error('config.reload-failed', { problems });
  }

  #record(
    actor: Actor,
    type: 'config.reloaded' | 'config.reload-failed',
    fields: Readonly<Record<string, string | readonly string[]>>,
  ): Promise<void> {
    return this.#context.audit.commit({
      type,
      severity: type === 'config.reloaded' ? 'info' : 'error',
      atMs: this.#context.parts.clock.nowMs(),
      fields: { actor: actor.kind, actor_id: actor.id, client_address: actor.address, ...fields },
    });
  }
}

function restartProblems(before: Sources, after: Sources): readonly Problem[] {
  return restartFields(before.loaded.config, after.loaded.config).map((path) => ({
    file: after.loaded.file,
    line: 0,
    column: 0,
    path,
    message: 'needs a restart: nothing of this reload was applied',
  }));
}

function compare(before: Sources, after: Sources): Difference {
  return {
    before: before.hash,
    after: after.hash,
    changed: before.hash !== after.hash,
    configuration: changedFields(before.loaded.config, after.loaded.config),
    profile: JSON.stringify(before.profile.data) !== JSON.stringify(after.profile.data),
    policy:
      before.policy.digest === after.policy.digest
        ? null
        : { before: before.policy.revision, after: after.policy.revision },
    tiers: before.policy.tiersText !== after.policy.tiersText,
    keys: compareKeys(before.manifests.entries, after.manifests.entries),
    refused_keys: after.manifests.refused.map(describeProblem),
  };
}

function compareKeys(before: readonly KeyEntry[], after: readonly KeyEntry[]): Difference['keys'] {
  const old = new Map(before.map((entry) => [entry.id, JSON.stringify(entry)]));
  const now = new Map(after.map((entry) => [entry.id, JSON.stringify(entry)]));
  return {
    added: [...now.keys()].filter((id) => !old.has(id)),
    removed: [...old.keys()].filter((id) => !now.has(id)),
    changed: [...now].filter(([id, text]) => old.has(id) && old.get(id) !== text).map(([id]) => id),
  };
}

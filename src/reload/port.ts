import type { Problem } from '../base/document.js';
import type { Logger } from '../base/log.js';
import type { Result } from '../base/result.js';
import type { Actor, AuditSink } from '../model/audit.js';
import type { Kept, Keeper, Rollback } from '../origin/origin.js';
import type { BuiltGeneration, LongLived } from './build.js';
import type { Difference } from './difference.js';
import type { Promotion, Promotions } from './promotion.js';
import type { SourceContext, Sources } from './sources.js';

export interface ReloadFailure {
  readonly problems: readonly Problem[];
  /** What would have changed, where all of it could be read. */
  readonly difference: Difference | null;
}

export interface ReloadWish {
  /** Reads, checks and tells, and changes nothing. */
  readonly dryRun?: boolean;
  /** Key manifests and nothing else: refused, with nothing applied, where anything else has changed. Ends no rollback. */
  readonly keysOnly?: boolean;
  /** Nobody asked: files or a server have changed. That ends no rollback; keys follow all the same. */
  readonly isAutomatic?: boolean;
  /** The policy bundle may have a lower serial than the one before it, this once. */
  readonly allowRollback?: boolean;
  /** Goes back: to the kept generation whose hash begins so, or with null to the one before. */
  readonly backTo?: string | null;
  /** Puts a candidate in the place of the configured policy. */
  readonly promote?: Promotion;
}

export interface ReloadFacts {
  readonly lastFailure: {
    readonly atMs: number;
    readonly problems: readonly string[];
    readonly needsRestart: readonly string[];
  } | null;
  readonly rollback: Rollback | null;
  /** Generations that can be gone back to, the newest first. */
  readonly kept: readonly Kept[];
  /** When all files were last read at one moment, whatever became of them; Unix time in ms. */
  readonly lookedAtMs: number;
}

export interface Reloader {
  current(): BuiltGeneration;
  /** Reads, checks and swaps, one at a time; a failure keeps everything as it is and says why. */
  reload(actor: Actor, wish?: ReloadWish): Promise<Result<Difference, ReloadFailure>>;
  /** Reloads if any file is another than at the last attempt. @returns false when none is */
  reloadIfChanged(actor: Actor): Promise<boolean>;
  /** Every file and directory that the last attempt asked for. */
  places(): readonly string[];
  facts(): ReloadFacts;
}

export interface ReloaderContext {
  readonly sources: SourceContext;
  readonly parts: LongLived;
  readonly audit: AuditSink;
  readonly log: Logger;
  readonly keeper: Keeper;
  readonly promotions: Promotions;
  /** Told of every generation that came into force. */
  readonly settled: (sources: Sources) => void;
}

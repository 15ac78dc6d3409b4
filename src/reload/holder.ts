import { describeProblem } from '../base/document.js';
import { messageOf } from '../base/log.js';
import { no, ok, type Result } from '../base/result.js';
import type { Actor } from '../model/audit.js';
import { atOneMoment } from '../origin/origin.js';
import { beyondKeys, restartProblems } from './beyond.js';
import { buildGeneration, type BuiltGeneration } from './build.js';
import { compare, type Difference } from './difference.js';
import { planOf, type Plan } from './going-back.js';
import { bindGauges, recordReload } from './telling.js';
import type { Reloader, ReloaderContext, ReloadFacts, ReloadFailure, ReloadWish } from './port.js';
import { gatherSources } from './gather.js';
import { readServed } from './served.js';
import { closeSources, type Sources } from './sources.js';

type Answer = Result<Difference, ReloadFailure>;

/** Holds the generation in force; reads, checks and swaps one at a time. */
export class GenerationHolder implements Reloader {
  readonly #context: ReloaderContext;
  #current: BuiltGeneration;
  #queue: Promise<unknown> = Promise.resolve();
  #failure: ReloadFacts['lastFailure'] = null;
  /** What the last attempt read, good or not. */
  #seen: Sources['seen'];
  #lookedAtMs: number;

  private constructor(first: BuiltGeneration, context: ReloaderContext) {
    this.#current = first;
    this.#context = context;
    this.#seen = first.sources.seen;
    this.#lookedAtMs = first.builtAtMs;
    bindGauges(this, context);
  }

  static async of(first: BuiltGeneration, context: ReloaderContext): Promise<GenerationHolder> {
    const holder = new GenerationHolder(first, context);
    if (context.keeper.rollback() === null) await holder.#keep(first);
    context.settled(first.sources);
    return holder;
  }

  current(): BuiltGeneration {
    return this.#current;
  }

  places(): readonly string[] {
    return this.#seen.places;
  }

  facts(): ReloadFacts {
    const { keeper } = this.#context;
    return {
      lastFailure: this.#failure,
      rollback: keeper.rollback(),
      kept: keeper.list(),
      lookedAtMs: this.#lookedAtMs,
    };
  }

  reload(actor: Actor, wish: ReloadWish = {}): Promise<Answer> {
    return this.#inTurn(() => this.#reload(actor, wish).catch((thrown: unknown) => this.#broken(thrown)));
  }

  reloadIfChanged(actor: Actor): Promise<boolean> {
    return this.#inTurn(async () => {
      const { file } = this.#context.sources;
      const snapshot = await atOneMoment((files) => gatherSources(file, files));
      if (snapshot === null) return false; // somebody is still writing: the next look says more
      this.#lookedAtMs = this.#context.parts.clock.nowMs();
      if ((await snapshot.digest()) === this.#seen.digest) return false;
      await this.#reload(actor, { isAutomatic: true }).catch((thrown: unknown) => this.#broken(thrown));
      return true;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = this.#queue.then(work);
    this.#queue = next.catch(() => undefined); // who asked is told; the next one starts anew
    return next;
  }

  async #reload(actor: Actor, wish: ReloadWish): Promise<Answer> {
    const { sources: sourceContext, parts, keeper } = this.#context;
    const planning = { keeper, current: this.#current, nowMs: parts.clock.nowMs() };
    const plan = await planOf(actor, wish, planning);
    if (!plan.ok) return this.#failed(actor, { problems: plan.why, difference: null }, wish);
    const told = (seen: Sources['seen']): void => {
      this.#seen = seen;
      this.#lookedAtMs = parts.clock.nowMs();
    };
    const present = { current: this.#current, told };
    const read = await readServed(sourceContext, this.#promoting(plan.value, wish), present);
    if (!read.ok) return this.#failed(actor, { problems: read.why, difference: null }, wish);
    const { sources, declined } = read.value;
    const difference = await compare(this.#current.sources, sources, wish.dryRun === true);
    const outside = wish.keysOnly === true ? beyondKeys(difference, sources) : [];
    const problems = outside.length > 0 ? outside : restartProblems(difference, sources);
    if (problems.length > 0 || wish.dryRun === true) closeSources(sources);
    if (outside.length > 0) return this.#declined(actor, { problems, difference }, wish);
    if (problems.length > 0) return this.#failed(actor, { problems, difference }, wish);
    if (wish.dryRun === true) {
      await this.#record(actor, 'config.dry-run', { generation: difference.before, would_be: difference.after });
      return ok(difference);
    }
    await this.#swap(actor, { ...plan.value, isPromoted: wish.promote !== undefined }, sources);
    if (declined.length > 0) this.#tell(declined.map(describeProblem), []); // the alarm stays
    return ok(difference);
  }

  /** What was gone back to is what it was. */
  #promoting({ reading }: Plan, { promote }: ReloadWish): Plan['reading'] {
    const { promotions } = this.#context;
    return reading.content === null ? { ...reading, promotion: promote ?? promotions.current() } : reading;
  }

  /** What is durable comes first. */
  async #swap(actor: Actor, plan: Swapping, sources: Sources): Promise<void> {
    const { parts, log } = this.#context;
    const before = this.#current;
    const next = buildGeneration(sources, parts);
    const type = await this.#noteDurably(actor, plan, { next, before }).catch((thrown: unknown) => {
      closeSources(sources);
      throw thrown;
    });
    const { gateway } = sources.loaded.config;
    parts.ring.replaceManifests(sources.manifests.entries);
    parts.inspectBudget.max = gateway.inspect_max_bytes_in_progress;
    parts.pressureSet(gateway);
    this.#current = next;
    parts.upstreamSettled(next.upstream);
    this.#failure = null;
    closeSources(before.sources, sources);
    parts.meter.reload('success');
    for (const problem of sources.manifests.refused) log.error('keys.refused', { problem: describeProblem(problem) });
    log.info(type, { generation: next.hash, before: before.hash });
    this.#context.settled(sources);
    if (plan.mark === null) await this.#keep(next);
  }

  /** The record, and that a rollback or a promotion holds or has ended. */
  async #noteDurably(
    actor: Actor,
    { mark, isPromoted }: Swapping,
    { next, before }: Readonly<Record<'next' | 'before', BuiltGeneration>>,
  ): Promise<ReloadRecord[0]> {
    const { keeper, promotions } = this.#context;
    const wasBack = keeper.rollback();
    const isBack = mark !== null && mark.atMs !== wasBack?.atMs;
    const facts = {
      generation: next.hash,
      before: before.hash,
      policy_revision: next.sources.policy.revision,
      ...(mark !== null && { rolled_back_to: mark.to }),
    };
    const type = isPromoted ? 'policy.promoted' : isBack ? 'config.rolled-back' : 'config.reloaded';
    await this.#record(actor, type, facts);
    await this.#takeSerial(actor, next.sources);
    if (mark !== wasBack) await keeper.mark(mark);
    await promotions.set(next.sources.promotion);
    return type;
  }

  /** From now on nothing older is taken; that this is older itself is recorded first. */
  async #takeSerial(actor: Actor, { admitted: { accept, backFrom }, claims }: Sources): Promise<void> {
    if (backFrom !== null) {
      const facts = { serial: claims.serial, serial_before: backFrom.serial, revision_before: backFrom.revision };
      await this.#record(actor, 'policy.rolled-back', facts);
    }
    if (accept !== null) await this.#context.sources.serials.keep(accept);
  }

  /** To go back to it one day, and to begin with it; that neither works is told, and no reason to refuse it. */
  async #keep({ hash, builtAtMs, sources }: BuiltGeneration): Promise<void> {
    const { keeper, log, sources: context } = this.#context;
    const facts = { generation: hash, revision: sources.policy.revision, atMs: builtAtMs };
    const max = sources.loaded.config.reload.kept_generations_max_entries;
    try {
      await keeper.keep(facts, sources.content, max);
      if (sources.promotion === null) await context.server?.accepted(sources.content.bundle);
    } catch (thrown) {
      log.error('config.not-kept', { generation: hash, problem: messageOf(thrown) });
    }
  }

  #failed(actor: Actor, failure: ReloadFailure, wish: ReloadWish): Promise<Answer> {
    if (wish.dryRun !== true)
      this.#tell(failure.problems.map(describeProblem), failure.difference?.needs_restart ?? []);
    return this.#declined(actor, failure, wish);
  }

  /** Recorded, and no alarm: that there is more to do than was asked for says nothing against the sources. */
  async #declined(actor: Actor, failure: ReloadFailure, { dryRun = false }: ReloadWish): Promise<Answer> {
    const problems = failure.problems.map(describeProblem).slice(0, 20);
    const fields = { generation: this.#current.hash, problems, dry_run: dryRun };
    await this.#record(actor, 'config.reload-failed', fields).catch(() => undefined); // nothing took effect, and the log has counted the loss
    return no(failure);
  }

  /** An error that is no problem of a file, such as a record that cannot be written: nothing was swapped, and that must show. */
  #broken(thrown: unknown): never {
    this.#tell([messageOf(thrown)], []);
    throw thrown;
  }

  #tell(problems: readonly string[], needsRestart: readonly string[]): void {
    const { parts, log } = this.#context;
    this.#failure = { atMs: parts.clock.nowMs(), problems, needsRestart };
    parts.meter.reload('failure');
    log.error('config.reload-failed', { problems });
  }

  #record(...[actor, type, fields]: [Actor, ...ReloadRecord]): Promise<void> {
    const { audit, parts } = this.#context;
    return recordReload(audit, { actor, type, fields, atMs: parts.clock.nowMs() });
  }
}

interface Swapping extends Plan {
  readonly isPromoted: boolean;
}

type ReloadRecord = [
  type: Parameters<typeof recordReload>[1]['type'],
  fields: Parameters<typeof recordReload>[1]['fields'],
];

import { systemClock } from '../base/clock.js';
import { diskFiles } from '../base/files.js';
import { describeProblem, fileProblem, type Problem } from '../base/problem.js';
import { packedBytesMax } from '../bundle/bundle.js';
import type { Actor, JsonValue } from '../model/audit.js';
import type { AdminActions } from '../admin/admin.js';
import type { ControlContext } from '../control/control.js';
import type { Promotions, Reloader } from '../reload/reload.js';
import type { AuditLog } from '../record/record.js';
import type { Shadow, ShadowReport } from '../shadow/shadow.js';
import type { Candidates } from './candidates.js';
import type { Status } from './status.js';

type Facts = Readonly<Record<string, JsonValue>>;

/** `done` is false where `problems` say why nothing has changed. */
export type ShadowAnswer = { readonly done: boolean; readonly problems: readonly string[] } & Facts;

/** What to ask beside the policy in force; absolute paths. */
export interface CandidateWish {
  readonly bundle: string;
  readonly data: string | null;
  readonly share: number;
}

/** What operators do with a candidate. Each change is recorded before it takes effect. */
export interface ShadowDesk {
  begin(wish: CandidateWish, actor: Actor): Promise<ShadowAnswer>;
  report(): Facts;
  /** @param revision of the candidate that is meant; null for whichever runs */
  promote(revision: string | null, actor: Actor): Promise<ShadowAnswer>;
  drop(actor: Actor): Promise<ShadowAnswer>;
}

export interface Trial {
  readonly candidates: Candidates;
  readonly shadow: Shadow;
  readonly promotions: Promotions;
}

export interface ShadowDeskContext extends Trial {
  readonly reloader: Reloader;
  readonly auditLog: Pick<AuditLog, 'commit'>;
  readonly isPersistent: boolean;
  readonly status: Pick<Status, 'reloadAnswer'>;
}

export const createShadowDesk = (context: ShadowDeskContext): ShadowDesk => new Desk(context);

const refused = (problems: readonly string[]): ShadowAnswer => ({ done: false, problems });
const none = 'there is no candidate: begin with memgate policy shadow FILE, or name one as policy.candidate';

class Desk implements ShadowDesk {
  readonly #context: ShadowDeskContext;

  constructor(context: ShadowDeskContext) {
    this.#context = context;
  }

  async begin({ bundle: file, data: dataDir, share }: CandidateWish, actor: Actor): Promise<ShadowAnswer> {
    const { candidates } = this.#context;
    const packed = await diskFiles.bytes(file, packedBytesMax);
    if (!packed.ok) return refused(told([fileProblem(file, packed.why)]));
    const made = await candidates.load({ file, packed: packed.value, dataDir, share, origin: 'command' });
    if (!made.ok) return refused(told(made.why));
    const { revision, digest } = made.value.policy;
    if (digest === this.#context.reloader.current().sources.policy.digest)
      return refused([`the policy in force is this one: revision ${revision}`]);
    await this.#record(actor, 'policy.candidate-begun', { revision, digest, share });
    candidates.use(made.value);
    return { done: true, problems: [], revision, digest, share };
  }

  async drop(actor: Actor): Promise<ShadowAnswer> {
    const { candidates, shadow } = this.#context;
    const running = candidates.running();
    if (running === null) return refused([none]);
    const report = this.report();
    await this.#record(actor, 'policy.candidate-dropped', {
      revision: running.policy.revision,
      ...countsOf(shadow.report()),
    });
    candidates.use(null);
    return { done: true, problems: [], ...report };
  }

  async promote(revision: string | null, actor: Actor): Promise<ShadowAnswer> {
    const { candidates, shadow, reloader, status, isPersistent } = this.#context;
    const running = candidates.running();
    if (running === null) return refused([none]);
    const { policy, packed, dataDir } = running;
    if (revision !== null && revision !== policy.revision)
      return refused([`the candidate is revision ${policy.revision}, not ${revision}`]);
    const report = shadow.report();
    if (report === null) return refused([`the policy in force is the candidate: revision ${policy.revision}`]);
    if (report.stopped !== null) return refused([`the candidate is asked no more: ${report.stopped}`]);
    const by = `${actor.kind}:${actor.id}`;
    const promote = {
      revision: policy.revision,
      over: null,
      dataDir,
      atMs: systemClock.nowMs(),
      actor: by,
      bundle: packed,
    };
    const result = await reloader.reload(actor, { promote });
    if (!result.ok) return refused(told(result.why.problems));
    candidates.use(null);
    return {
      done: true,
      problems: [],
      revision: policy.revision,
      lasts: isPersistent ? 'until the configuration holds another bundle' : 'until this process ends',
      ...status.reloadAnswer(result),
    };
  }

  report(): Facts {
    const { candidates, shadow } = this.#context;
    const report = shadow.report();
    return {
      candidate: candidates.running() === null ? null : candidateFacts(candidates),
      ...(report !== null && reportFacts(report)),
    };
  }

  #record(actor: Actor, type: 'policy.candidate-begun' | 'policy.candidate-dropped', fields: Facts): Promise<void> {
    return this.#context.auditLog.commit({
      type,
      severity: 'info',
      atMs: systemClock.nowMs(),
      fields: { actor: actor.kind, actor_id: actor.id, client_address: actor.address, ...fields },
    });
  }
}

/** In a few words, for the status of the process. */
export function trialFacts({ candidates, shadow, promotions }: Trial): Facts {
  const promoted = promotions.current();
  return {
    candidate: candidates.running() === null ? null : { ...candidateFacts(candidates), ...countsOf(shadow.report()) },
    promoted:
      promoted === null
        ? null
        : { revision: promoted.revision, at: new Date(promoted.atMs).toISOString(), by: promoted.actor },
  };
}

/** Over the control socket. */
export const candidateCalls = (desk: ShadowDesk, actor: Actor): ControlContext['candidate'] => ({
  begin: (wish) => desk.begin(wish, actor),
  report: () => desk.report(),
  promote: (revision) => desk.promote(revision, actor),
  drop: () => desk.drop(actor),
});

/** Over the admin listener, where nobody names a file. */
export const candidateActions = (desk: ShadowDesk): AdminActions => ({
  'admin.candidate': () => Promise.resolve({ status: 200, body: desk.report() }),
  'admin.promote': async ({ actor, query }) => answered(await desk.promote(query.get('revision') ?? null, actor)),
  'admin.drop': async ({ actor }) => answered(await desk.drop(actor)),
});

const answered = (body: ShadowAnswer): { readonly status: number; readonly body: ShadowAnswer } => ({
  status: body.done ? 200 : 422,
  body,
});

const told = (problems: readonly Problem[]): readonly string[] => problems.map(describeProblem);

function candidateFacts(candidates: Candidates): Facts {
  const running = candidates.running();
  if (running === null) return {};
  const { policy, origin, share, file } = running;
  return { revision: policy.revision, digest: policy.digest, origin, share, file };
}

function countsOf(report: ShadowReport | null): Facts {
  if (report === null) return {};
  const { compared, sum, dropped, stopped } = report;
  return {
    compared,
    agree: sum.agree,
    other_terms: sum.otherTerms,
    would_allow: sum.wouldAllow,
    would_deny: sum.wouldDeny,
    failed: sum.failed,
    dropped,
    stopped,
  };
}

const reportFacts = (report: ShadowReport): Facts => ({
  since: new Date(report.sinceMs).toISOString(),
  waiting: report.waiting,
  ...countsOf(report),
  rows: report.rows.map(({ route, space, agree, otherTerms, wouldAllow, wouldDeny, failed }) => ({
    route,
    space,
    agree,
    other_terms: otherTerms,
    would_allow: wouldAllow,
    would_deny: wouldDeny,
    failed,
  })),
  samples: report.samples.map(({ id, atMs, route, space, result, live, candidate, error }) => ({
    id,
    at: new Date(atMs).toISOString(),
    route,
    space,
    result,
    live: { ...live },
    candidate: candidate === null ? null : { ...candidate },
    error,
  })),
});

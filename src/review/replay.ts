import type { Policy } from '../authorize/authorize.js';
import { readHistory, type HistoryFacts } from '../record/record.js';
import { ask } from './ask.js';
import { changeKinds, changeOf, effectOf, type Answer, type ChangeKind } from './difference.js';
import { recordedDecision, type RecordedDecision } from './recorded.js';

export interface ReplayOptions {
  /** Directory of the log. */
  readonly dir: string;
  /** Unix time in ms; everything when absent. */
  readonly fromMs?: number;
  /** Decisions that are asked again, the oldest first. */
  readonly limit: number;
}

/** One kind of difference for one caller, route and set of spaces, however often it came. */
export interface ReplayChange {
  readonly kind: ChangeKind;
  readonly route: string | null;
  readonly subject: string | null;
  readonly spaces: readonly string[];
  readonly before: AnswerView;
  readonly after: AnswerView;
  readonly count: number;
  /** Id of the first such decision: `policy explain --id` tells more. */
  readonly first: string;
  readonly last_at: string;
}

export interface AnswerView {
  readonly effect: 'allow' | 'deny' | 'fails';
  readonly reasons: readonly string[];
  readonly missing: readonly string[];
  readonly tier: string | null;
}

export interface ReplayReport {
  readonly revision: string;
  /** Decisions that were asked again. */
  readonly replayed: number;
  readonly same: number;
  readonly by_kind: Readonly<Record<ChangeKind, number>>;
  readonly changes: readonly ReplayChange[];
  /** Differences beyond the largest number of groups that is kept. */
  readonly changes_more: number;
  /** Records of decisions that cannot be asked again, by why. */
  readonly skipped: Readonly<Record<string, number>>;
  readonly log: Omit<HistoryFacts, 'firstMs' | 'lastMs'> & { readonly from: string | null; readonly to: string | null };
}

/** More would be no report any more, and would not fit into a fixed memory. */
const changesMax = 5_000;

type Growing = { -readonly [K in keyof ReplayChange]: ReplayChange[K] };

/** Asks a policy every recorded question again and gathers what it answers otherwise. The time of a question is the recorded one. */
class Replay {
  readonly #policy: Policy;
  readonly #groups = new Map<string, Growing>();
  readonly #byKind = Object.fromEntries(changeKinds.map((kind) => [kind, 0])) as Record<ChangeKind, number>;
  readonly #skipped: Record<string, number> = {};
  #more = 0;
  replayed = 0;
  #same = 0;

  constructor(policy: Policy) {
    this.#policy = policy;
  }

  take(record: RecordedDecision): void {
    if (record.input === null || record.isDecisionOmitted) {
      const why = record.omitted ?? (record.input === null ? 'refused before the policy was asked' : 'record-full');
      this.#skipped[why] = (this.#skipped[why] ?? 0) + 1;
      return;
    }
    this.replayed += 1;
    const answer = ask(this.#policy, record.input);
    const kind = changeOf(record.decision, answer);
    if (kind === null) this.#same += 1;
    else this.#add(kind, record, answer);
  }

  #add(kind: ChangeKind, record: RecordedDecision, answer: Answer): void {
    this.#byKind[kind] += 1;
    const { route, subject, spaces } = record;
    const views = { before: viewOf(record.decision), after: viewOf(answer) };
    const name = JSON.stringify([kind, route, subject, spaces, views]);
    const last_at = new Date(record.atMs).toISOString();
    const known = this.#groups.get(name);
    if (known !== undefined) Object.assign(known, { count: known.count + 1, last_at });
    else if (this.#groups.size >= changesMax) this.#more += 1;
    else this.#groups.set(name, { kind, route, subject, spaces, ...views, count: 1, first: record.id, last_at });
  }

  report(facts: HistoryFacts): ReplayReport {
    const { firstMs, lastMs, ...log } = facts;
    return {
      revision: this.#policy.revision,
      replayed: this.replayed,
      same: this.#same,
      by_kind: this.#byKind,
      changes: [...this.#groups.values()].sort((one, other) => rankOf(one) - rankOf(other) || other.count - one.count),
      changes_more: this.#more,
      skipped: this.#skipped,
      log: { ...log, from: isoOf(firstMs), to: isoOf(lastMs) },
    };
  }
}

const rankOf = ({ kind }: ReplayChange): number => changeKinds.indexOf(kind);

const isoOf = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

const viewOf = (answer: Answer): AnswerView => ({
  effect: effectOf(answer),
  reasons: answer?.reasons ?? [],
  missing: answer?.missing ?? [],
  tier: answer?.tier ?? null,
});

/** Runs the recorded decisions of a log through another policy. Reads files only, and works beside a running process. */
export async function replayLog(policy: Policy, { dir, fromMs, limit }: ReplayOptions): Promise<ReplayReport> {
  const replay = new Replay(policy);
  const range = { ...(fromMs === undefined ? {} : { fromMs }), isDone: () => replay.replayed >= limit };
  const facts = await readHistory(dir, range, (record) => {
    const decision = recordedDecision(record);
    if (decision !== null) replay.take(decision);
  });
  return replay.report(facts);
}

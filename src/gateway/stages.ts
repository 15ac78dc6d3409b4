import type { Result } from '../base/result.js';
import type { Fault, Refusal } from '../model/codes.js';
import type { Admission, Identity, Observed, Permit, Receipt, Target } from '../model/proofs.js';
import type { CleanRequest, RawRequest } from '../model/request.js';
import type { Subject } from '../model/subject.js';
import type { Asked, Enforcement, HeadFacts, Outcome, Trail } from '../model/trail.js';
import type { Forward } from '../forward/forward.js';
import type { Head, ReadMessage } from '../resolve/resolve.js';
import type { Published } from './published.js';
import type { RpcAnswers } from './rpc-refusal.js';

type Maybe<T> = T | Promise<T>;

/** The steps of a request, built together over one configuration, policy and profile. */
export interface Stages {
  readonly gate: (raw: RawRequest) => Result<CleanRequest, Refusal>;
  readonly identify: (request: CleanRequest) => Maybe<Result<Identity, Refusal>>;
  readonly resolve: (request: CleanRequest, subject: Subject) => Result<Head, Refusal>;
  readonly message: ReadMessage;
  /** What the head alone would get; asked for a client that waits for `100 Continue`, and for what lasts. */
  readonly preview: (identity: Identity, facts: HeadFacts, trail: Asked) => Refusal | null;
  readonly authorize: (identity: Identity, target: Target, trail: Trail) => Result<Permit, Refusal>;
  readonly limit: (permit: Permit, trail: Trail) => Maybe<Result<Admission, Refusal>>;
  readonly record: {
    decision(admission: Admission, trail: Trail): Promise<Receipt>;
    observed(trail: Trail, why: Refusal | Fault | null): Promise<Observed>;
    refusal(trail: Trail, why: Refusal | Fault): Maybe<void>;
    outcome(trail: Trail, outcome: Outcome): void;
  };
  readonly forward: Forward;
}

/** The steps from the credential to the limits. A head that says little is enough for them. */
export type AdmittingStages = Pick<Stages, 'identify' | 'preview' | 'authorize' | 'limit'> & {
  readonly resolve: (
    request: CleanRequest,
    subject: Subject,
  ) => Result<Pick<Head, 'preview' | 'asksFirst' | 'complete'>, Refusal>;
};

export interface AnswerOptions {
  readonly legacyLimitHeaders: boolean;
  readonly ietfLimitHeaders: boolean;
  /** Null where no route speaks JSON-RPC. */
  readonly rpc: RpcAnswers | null;
}

/** Policy, keys, tiers, profile and configuration, validated together and switched by one reference. A request keeps its own to its end. */
export interface Generation {
  /** Names everything in it. */
  readonly hash: string;
  readonly enforcement: Enforcement;
  /** Whether a refusal is only noted; null where every refusal holds. */
  readonly observes: ((trail: Trail, why: Refusal | Fault) => boolean) | null;
  readonly stages: Stages;
  readonly answers: AnswerOptions;
  /** What needs no credential; null where nothing is published. */
  readonly published: Published | null;
}

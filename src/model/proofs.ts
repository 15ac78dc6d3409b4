import { no, ok, type Result } from '../base/result.js';
import type { Refusal } from './codes.js';
import type { AllowDecision, LimitState } from './decision.js';
import type { CleanRequest } from './request.js';
import type { LiveCheck, Subject } from './subject.js';
import type { HeadFacts, RouteFacts, TargetFacts } from './target.js';

// Each class is the proof that one stage said yes. A private constructor and one narrow factory: a skipped step does not compile.

/** Proof that the caller is who the subject says. Made by identify. */
export class Identity {
  protected readonly proof = 'identity';
  readonly subject: Subject;
  readonly live: LiveCheck;
  readonly #latest: (() => Identity) | null;

  private constructor(subject: Subject, live: LiveCheck, latest: (() => Identity) | null) {
    this.subject = subject;
    this.live = live;
    this.#latest = latest;
  }

  /** @param latest the same caller with the rights of this moment; absent where they never change */
  static verified(subject: Subject, live: LiveCheck, latest: (() => Identity) | null = null): Identity {
    return new Identity(subject, live, latest);
  }

  /** The same caller at this moment, for whatever lasts: the credential must still hold, and its rights may be others. */
  renewed(): Result<Identity, Refusal> {
    const gone = this.live();
    return gone === null ? ok(this.#latest?.() ?? this) : no(gone);
  }
}

/** Proof that route and spaces were read from every carrier. Made by resolve. */
export class Target {
  protected readonly proof = 'target';
  readonly request: CleanRequest;
  readonly facts: TargetFacts;

  private constructor(request: CleanRequest, facts: TargetFacts) {
    this.request = request;
    this.facts = facts;
  }

  static resolved(request: CleanRequest, facts: TargetFacts): Target {
    return new Target(request, facts);
  }
}

/** Would the same caller's same request be allowed, were these facts of it others? For answers that hold more than was asked for. */
export type Would = (facts: Partial<HeadFacts>) => boolean;

/** A yes of the policy, and the exact JSON text that it was asked about. */
export interface Evaluated {
  readonly decision: AllowDecision;
  readonly input: string;
  /** Only where the answer is held. */
  readonly would?: Would | null;
}

/** Proof that policy said yes. A deny cannot become one: the parameter type forbids it. Made by authorize. */
export class Permit {
  protected readonly proof = 'permit';
  readonly identity: Identity;
  readonly target: Target;
  readonly decision: AllowDecision;
  /** The exact JSON text that the engine evaluated. */
  readonly input: string;
  /** Null where the answer is passed on as it comes. */
  readonly would: Would | null;

  private constructor(identity: Identity, target: Target, evaluated: Evaluated) {
    this.identity = identity;
    this.target = target;
    this.decision = evaluated.decision;
    this.input = evaluated.input;
    this.would = evaluated.would ?? null;
  }

  static grant(identity: Identity, target: Target, evaluated: Evaluated): Permit {
    return new Permit(identity, target, evaluated);
  }
}

/** Proof that every limit of the decision had room, and that its cost was taken. Made by limit. */
export class Admission {
  protected readonly proof = 'admission';
  readonly permit: Permit;
  /** The tightest limit after the cost was taken; null for an unlimited tier. */
  readonly limit: LimitState | null;

  private constructor(permit: Permit, limit: LimitState | null) {
    this.permit = permit;
    this.limit = limit;
  }

  static admit(permit: Permit, limit: LimitState | null): Admission {
    return new Admission(permit, limit);
  }
}

/** Proof that the decision is on disk. The only thing that opens forward in enforce mode. Made by record. */
export class Receipt {
  protected readonly proof = 'receipt';
  readonly admission: Admission;

  private constructor(admission: Admission) {
    this.admission = admission;
  }

  static recorded(admission: Admission): Receipt {
    return new Receipt(admission);
  }
}

/** Proof that an observed request was recorded: it goes upstream with its own credential and carriers, whatever was decided. Made by record. */
export class Observed {
  protected readonly proof = 'observed';
  readonly request: CleanRequest;
  /** What resolve found, when it came so far. */
  readonly target: Target | null;
  /** Known also of a caller who is not; null for a path that is no route. */
  readonly route: RouteFacts | null;

  private constructor(request: CleanRequest, target: Target | null, route: RouteFacts | null) {
    this.request = request;
    this.target = target;
    this.route = route;
  }

  static recorded(request: CleanRequest, target: Target | null, route: RouteFacts | null = null): Observed {
    return new Observed(request, target, target?.facts.route ?? route);
  }
}

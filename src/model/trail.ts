import type { Code } from './codes.js';
import type { Decision, LimitState } from './decision.js';
import type { CleanRequest, RawRequest } from './request.js';
import type { Subject } from './subject.js';
import type { Target } from './proofs.js';
import type { HeadFacts } from './target.js';

export type { HeadFacts } from './target.js';

/** `open` is `auth_mode: none`: everything passes, and everything is recorded. */
export type Enforcement = 'enforce' | 'observe' | 'open';

/** What is known of one request so far: each stage's finding is noted as it is made, so that any ending can be recorded and answered. */
export interface Trail {
  readonly raw: RawRequest;
  readonly generation: string;
  readonly enforcement: Enforcement;
  /** Id of the request whose connection this came by; absent for a request of its own. */
  readonly session?: string;
  request: CleanRequest | null;
  subject: Subject | null;
  target: Target | null;
  /** What the head alone said, where the request was refused before its body was read. */
  stated: HeadFacts | null;
  decision: Decision | null;
  /** The exact JSON text that the engine evaluated. */
  input: string | null;
  limit: LimitState | null;
  /** What the log keeps of its end; null until it is decided and recorded that it goes upstream. */
  standing: Standing | null;
}

/** `owed`: the log waits for the outcome. `offered`: written where there is room. `folded`: counted with its decision. */
export type Standing = 'owed' | 'offered' | 'folded';

/** What all requests of a moment are judged under. */
interface Rule {
  readonly hash: string;
  readonly enforcement: Enforcement;
}

/** Nothing is known yet but what came in, and what it is judged under. */
export function newTrail(raw: RawRequest, { hash, enforcement }: Rule): Trail {
  return {
    raw,
    generation: hash,
    enforcement,
    request: null,
    subject: null,
    target: null,
    stated: null,
    decision: null,
    input: null,
    limit: null,
    standing: null,
  };
}

/** What a question to the policy needs of a trail, and notes on it. */
export type Asked = Pick<Trail, 'request' | 'stated' | 'input' | 'decision'>;

/** What became of an answer that was held until it was known whose it is. */
export interface AnswerFinding {
  readonly result: 'passed' | 'filtered' | 'foreign' | 'absent';
  /** Items that were taken out. */
  readonly removed: number;
}

/** How a request ended, for the outcome record and the metrics. */
export interface Outcome {
  /** Status that the client got; 0 when it left before a head was sent. */
  readonly status: number;
  /** `completed`, or who broke it off. */
  readonly endedBy: 'completed' | 'client' | 'upstream' | 'gateway';
  /** Set when nothing was sent upstream: the reason's code. */
  readonly notForwarded: Code | 'client.left' | null;
  /** Code of the refusal or fault that was answered; null for an upstream's own answer. */
  readonly code: Code | null;
  readonly requestBytes: number;
  readonly responseBytes: number;
  /** Milliseconds until the head of the upstream's answer; null when there was none. */
  readonly upstreamMs: number | null;
  /** Only where the answer was held. */
  readonly answer?: AnswerFinding;
}

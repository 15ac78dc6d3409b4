/** The one rule of a policy that is asked. */
export const entrypoint = 'memgate/authz/decision';

/** What a limit counts by. */
export const limitKeyParts = ['client', 'subject', 'space', 'route', 'system'] as const;
export type LimitKeyPart = (typeof limitKeyParts)[number];

/** One limit of a decision. */
export interface LimitSpec {
  readonly id: string;
  readonly key: readonly LimitKeyPart[];
  readonly algorithm: 'token_bucket' | 'sliding_window';
  /** Units admitted per `per` seconds. */
  readonly rate: number;
  /** Seconds. */
  readonly per: number;
  /** Units that may be taken at once; token bucket only. */
  readonly burst: number | null;
  /** Units that this request takes. */
  readonly cost: number;
}

/** Where the tightest limit of a request stands after it was tried. */
export interface LimitState {
  readonly id: string;
  /** Units per `perS` seconds. */
  readonly limit: number;
  readonly perS: number;
  readonly remaining: number;
  /** Unix seconds at which it is full again. */
  readonly resetAtS: number;
}

export const auditLevels = ['debug', 'info', 'warning', 'error', 'critical'] as const;
export type AuditLevel = (typeof auditLevels)[number];

/** The policy's whole answer, checked field by field. Lists that were sets are sorted. */
export interface Decision {
  readonly allow: boolean;
  readonly reasons: readonly string[];
  readonly missing: readonly string[];
  readonly tier: string;
  readonly limits: readonly LimitSpec[];
  readonly obligations: { readonly audit: AuditLevel };
}

export type AllowDecision = Decision & { readonly allow: true };

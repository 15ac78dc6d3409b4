import type { Code } from './codes.js';

/**
 * What the stages count. The record room turns it into Prometheus series; label values come from our own tables only
 * (codes, route ids, tier names, methods of the profile), never from request bytes.
 */
export interface Meter {
  request(facts: { method: string; route: string; status: number; durationS: number; code: Code | null }): void;
  /** Bytes that were refused before they became a request. */
  refusal(code: Code): void;
  /** A request passed that enforce would have refused. */
  observedRefusal(code: Code): void;
  authAttempt(result: 'success' | 'failure', reason: AuthReason): void;
  /** `hit`: from the cache; `verified` and `rejected`: after an Argon2id computation. */
  keyValidation(result: 'hit' | 'verified' | 'rejected'): void;
  deprecatedKeyUse(): void;
  limitHit(limit: string, tier: string): void;
  credentialOperation(operation: 'create' | 'rotate' | 'revoke', result: 'success' | 'failure'): void;
  auditEvent(family: string): void;
  auditLost(count: number): void;
  auditBatch(records: number, seconds: number): void;
  policyEvaluation(seconds: number): void;
  policyError(kind: string): void;
  policyInstanceReplaced(): void;
  /** What a candidate would have said, beside the policy in force. */
  shadowDecision(route: string, result: ShadowResult): void;
  /** Decisions that the candidate was not asked about, for want of time or room. */
  shadowDropped(decisions: number): void;
  upstreamError(code: Code): void;
  /** A changed file of `upstream.credential`: taken, or refused. */
  upstreamCredentialRead(result: 'success' | 'failure'): void;
  /** Whose an answer is that was held. */
  answerJudged(result: 'passed' | 'filtered' | 'foreign' | 'absent' | 'unread'): void;
  /** `hit`: from the cache; `joined`: one question for several requests; the others: the memory server was asked. */
  objectLookup(result: 'hit' | 'joined' | 'found' | 'absent' | 'failed'): void;
  connectionRefused(reason: 'address' | 'total' | 'pipelined'): void;
  leaseEnded(code: Code): void;
  reload(result: 'success' | 'failure'): void;
  /** Read at scrape time. */
  gauge(name: GaugeName, read: () => number): void;
  /** The same for one with a label; values of the label and figures. */
  labelled(name: LabelledGaugeName, read: () => readonly (readonly [label: string, value: number])[]): void;
}

/** A candidate beside the policy in force. */
export type ShadowResult = 'agree' | 'would_allow' | 'would_deny' | 'failed';

export type LabelledGaugeName = 'side_doors_open';

export type AuthReason =
  | 'none'
  | 'absent'
  | 'many'
  | 'malformed'
  | 'unknown'
  | 'wrong'
  | 'expired'
  | 'not_yet'
  | 'revoked'
  | 'throttled'
  | 'busy';

export type GaugeName =
  | 'requests_in_progress'
  | 'places_taken'
  | 'shed_ratio'
  | 'memory_short'
  | 'hash_queue_length'
  | 'limit_buckets'
  | 'audit_queue_length'
  | 'audit_bytes'
  | 'audit_last_sequence'
  | 'upstream_connections'
  | 'upstream_pending'
  | 'upstream_credential_files_refused'
  | 'keys_loaded'
  | 'policy_memory_bytes'
  | 'policy_serial'
  | 'policy_not_after_timestamp_seconds'
  | 'generation_loaded_timestamp_seconds'
  | 'config_last_reload_successful'
  | 'generation_rolled_back'
  | 'generations_kept'
  | 'policy_source_looked_at_timestamp_seconds'
  | 'open_connections'
  | 'leases_open';

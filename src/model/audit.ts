import type { AuditLevel } from './decision.js';

export type JsonValue =
  string | number | boolean | null | readonly JsonValue[] | { readonly [name: string]: JsonValue };

export const auditFamilies = [
  'auth',
  'user',
  'key',
  'memory',
  'policy',
  'authorization',
  'rate_limit',
  'config',
  'system',
  'security',
] as const;
export type AuditFamily = (typeof auditFamilies)[number];

/** One thing that happened, before it has a sequence number. */
export interface AuditEvent {
  /** `family.what-happened`, such as `key.revoked`. */
  readonly type: `${AuditFamily}.${string}`;
  readonly severity: AuditLevel;
  /** Unix time in ms. */
  readonly atMs: number;
  /** Small values; strings are capped and escaped by the writer. Never a credential. */
  readonly fields: Readonly<Record<string, JsonValue>>;
  /** JSON texts that are inserted verbatim as further fields: already serialised once for the policy. */
  readonly verbatim?: Readonly<Record<string, string>>;
  /** JSON members that the record room has rendered, escaped and capped itself: its decisions and outcomes. */
  readonly text?: string;
  /** Id of a request that goes upstream after this record; the log owes an outcome until a record `closes` it. */
  readonly opens?: string;
  /** Id of a request whose way ends with this record. */
  readonly closes?: string;
  /** True for refusals: they are counted rather than written where only the reserve for authorized requests is left. */
  readonly yieldsReserve?: true;
}

/** Who does something that only operators may do. `local` came through the control socket. */
export interface Actor {
  readonly kind: 'local' | 'api_key' | 'static_token' | 'system';
  readonly id: string;
  readonly address: string | null;
}

/** The durable log, as other rooms see it: an operator's action is recorded before it takes effect. */
export interface AuditSink {
  /** Resolves when the event is on disk. @throws Fault `record.unavailable` */
  commit(event: AuditEvent): Promise<void>;
  /** Appends without waiting. */
  note(event: AuditEvent): void;
}

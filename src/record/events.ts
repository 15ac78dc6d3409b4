import type { AuditFamily } from '../model/audit.js';
import type { AuditLevel } from '../model/decision.js';

type EventName = `${AuditFamily}.${string}`;

/** Every type that is written, with its usual severity. docs/reference/audit-log.md lists the same. */
export const auditEventTypes = {
  'auth.failed': {
    severity: 'warning',
    says: 'A credential was absent, malformed, unknown, wrong, expired or revoked.',
  },
  'auth.many-credentials': { severity: 'warning', says: 'A request held more than one credential.' },
  'auth.throttled': {
    severity: 'warning',
    says: 'Too many failed attempts from one address: refused without looking at the credential.',
  },
  'auth.busy': { severity: 'warning', says: 'Refused because too many credentials were being verified.' },
  'key.created': { severity: 'info', says: 'An API key was made.' },
  'key.rotated': { severity: 'info', says: 'An API key got a successor.' },
  'key.revoked': { severity: 'warning', says: 'An API key was revoked.' },
  'key.checked': { severity: 'info', says: 'An operator checked an API key.' },
  'key.listed': { severity: 'info', says: 'An operator listed API keys.' },
  'key.failed': {
    severity: 'error',
    says: 'A change of an API key that had been recorded could not be kept in the store.',
  },
  'memory.completed': { severity: 'info', says: 'The outcome of an admitted request: the answer went out whole.' },
  'memory.interrupted': {
    severity: 'warning',
    says: 'The outcome of an admitted request: client, upstream or gateway broke it off.',
  },
  'memory.not-forwarded': {
    severity: 'warning',
    says: 'The outcome of an admitted request of which nothing went upstream.',
  },
  'policy.candidate-begun': {
    severity: 'info',
    says: 'An operator had a candidate policy asked beside the one in force.',
  },
  'policy.candidate-dropped': { severity: 'info', says: 'An operator ended the trial of a candidate policy.' },
  'policy.promoted': {
    severity: 'warning',
    says: 'A candidate policy was put in the place of the configured one. Written before it takes effect.',
  },
  'policy.failed': { severity: 'error', says: 'The policy could not be evaluated for a request, which was refused.' },
  'authorization.allowed': {
    severity: 'info',
    says: 'A request was admitted. Written before its first byte goes upstream.',
  },
  'authorization.denied': { severity: 'warning', says: 'A known caller was refused by the policy.' },
  'authorization.unresolved': {
    severity: 'warning',
    says: 'A known caller asked for a route, method, body, tool or MCP session that the profile does not accept.',
  },
  'authorization.space-refused': {
    severity: 'warning',
    says: 'The spaces of a request were malformed, absent, contradictory or unknown, or the object that it names was.',
  },
  'authorization.would-deny': {
    severity: 'warning',
    says: 'Enforcement observe: the request passed, and enforce would have refused it.',
  },
  'rate_limit.exceeded': { severity: 'warning', says: 'A limit of the decision had no room.' },
  'policy.rolled-back': {
    severity: 'warning',
    says: 'An operator let a policy bundle in that is older than the one before it. Written before it is in force.',
  },
  'config.reloaded': { severity: 'info', says: 'A new generation is in force.' },
  'config.rolled-back': { severity: 'warning', says: 'An operator went back to a kept generation.' },
  'config.dry-run': { severity: 'info', says: 'An operator asked what a reload would change. Nothing was changed.' },
  'config.reload-failed': { severity: 'error', says: 'A new generation was refused; the former one stays.' },
  'system.started': { severity: 'info', says: 'The process serves.' },
  'system.stopped': { severity: 'info', says: 'The process stops.' },
  'system.segment-started': {
    severity: 'info',
    says: 'First record of every segment: names the segment before it, with its last number and hash.',
  },
  'system.requests-open': {
    severity: 'info',
    says: 'Requests admitted in earlier segments whose outcome is still to come, by id.',
  },
  'system.checkpoint': {
    severity: 'info',
    says: 'Count and hash so far; the same goes to the process log and to checkpoint.json.',
  },
  'system.recovered': {
    severity: 'warning',
    says: 'The process before this one did not stop in order: torn tail, and admitted requests without an outcome, by id.',
  },
  'system.audit-lost': {
    severity: 'critical',
    says: 'How many records could not be written since the last one that was.',
  },
  'system.unavailable': {
    severity: 'error',
    says: 'A request was refused because the gateway or something that it needs was not available.',
  },
  'system.overloaded': {
    severity: 'warning',
    says: 'A request was refused because too much was under way: requests, bodies, memory, or work for the event loop.',
  },
  'security.malformed-request': { severity: 'warning', says: 'The gate refused the bytes of a request.' },
  'security.refusals-folded': {
    severity: 'warning',
    says: 'Refusals, and what unknown callers did under observe, beyond the budget or the room: counted by code.',
  },
  'security.audit-file-changed': {
    severity: 'critical',
    says: 'Somebody removed, renamed, cut or wrote to the segment while it was in use.',
  },
  'security.clock-stepped': {
    severity: 'warning',
    says: 'The wall clock jumped by `step_ms`: times before and after it do not compare.',
  },
  'security.audit-chain-broken': {
    severity: 'critical',
    says: 'The newest segment does not verify at start; it is kept as it is and a new one begins.',
  },
} as const satisfies Record<EventName, { severity: AuditLevel; says: string }>;

/** Types of features that are still to come: nothing writes them, and nothing else may take their names. */
export const reservedEventTypes = {
  'auth.admin-failed': {
    severity: 'warning',
    says: 'An operator listener was called without a valid admin credential.',
  },
  'user.created': { severity: 'info', says: 'A local user was made.' },
  'user.changed': { severity: 'info', says: 'A local user was changed.' },
  'user.removed': { severity: 'warning', says: 'A local user was removed.' },
  'policy.activated': { severity: 'info', says: 'A policy bundle came into force.' },
  'policy.rejected': { severity: 'error', says: 'A policy bundle was refused; the former one stays.' },
  'config.reload-requested': { severity: 'info', says: 'An operator asked for a reload. Written before it begins.' },
} as const satisfies Record<EventName, { severity: AuditLevel; says: string }>;

export type AuditEventType = keyof typeof auditEventTypes;

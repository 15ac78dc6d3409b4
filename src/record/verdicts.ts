import type { Code, Fault, Refusal } from '../model/codes.js';
import type { Trail } from '../model/trail.js';
import type { Verdict } from './decision-text.js';
import { auditEventTypes, type AuditEventType } from './events.js';

// Codes whose type does not follow from the room that they name.
const exact: Partial<Record<Code, AuditEventType>> = {
  'gate.overloaded': 'system.overloaded',
  'identify.many-credentials': 'auth.many-credentials',
  'identify.too-many-failures': 'auth.throttled',
  'identify.busy': 'auth.busy',
  'policy.failed': 'policy.failed',
  'policy.expired': 'policy.failed',
};

const byRoom: Readonly<Record<string, AuditEventType>> = {
  gate: 'security.malformed-request',
  pressure: 'system.overloaded',
  identify: 'auth.failed',
  resolve: 'authorization.unresolved',
  space: 'authorization.space-refused',
  object: 'authorization.space-refused',
  mcp: 'authorization.unresolved',
  authorize: 'authorization.denied',
  policy: 'authorization.denied',
  tunnel: 'security.malformed-request',
  lease: 'authorization.denied',
  limit: 'rate_limit.exceeded',
};

/** Which type of record tells a refusal or fault. */
export const typeOf = (code: Code): AuditEventType =>
  exact[code] ?? byRoom[code.slice(0, code.indexOf('.'))] ?? 'system.unavailable';

export const denied = (why: Refusal | Fault): Verdict => {
  const type = typeOf(why.code);
  return { type, severity: auditEventTypes[type].severity, effect: 'deny', why };
};

export const wouldDeny = (why: Refusal | Fault): Verdict => ({
  type: 'authorization.would-deny',
  severity: auditEventTypes['authorization.would-deny'].severity,
  effect: 'would_deny',
  why,
});

/** The policy may ask for another severity of an allowed request. */
export const allowed = (trail: Trail): Verdict => ({
  type: 'authorization.allowed',
  severity: trail.decision?.obligations.audit ?? 'info',
  effect: 'allow',
  why: null,
});

import { no, ok, type Result } from '../base/result.js';
import { instantText } from './manifest.js';
import type { Accepted } from './serials.js';

/** What is known of a bundle that asks to be taken. */
interface Applicant {
  readonly revision: string;
  readonly serial: number | null;
  readonly notAfterMs: number | null;
  readonly signedBy: string | null;
  readonly content: string;
}

/** What signed metadata has to say for a bundle to be taken. */
export interface AdmissionRules {
  /** Lowest serial of all, by configuration; nothing goes below it. */
  readonly minSerial: number | null;
  readonly requiresSerial: boolean;
  /** Also a bundle that is in use already is given up once its time is over. */
  readonly enforcesNotAfter: boolean;
}

export interface AdmissionContext {
  readonly rules: AdmissionRules;
  /** What was taken last; null when nothing was. */
  readonly last: Accepted | null;
  readonly allowsRollback: boolean;
  readonly nowMs: number;
}

/** A bundle that may be taken into use. */
export interface Admitted {
  /** What is to be kept when it comes into force; null for a bundle without a serial that can be believed. */
  readonly accept: Accepted | null;
  /** What was taken last, where this goes back behind it. */
  readonly backFrom: Accepted | null;
  readonly isExpired: boolean;
}

/** Says whether a bundle follows on what was taken before it. Only of one whose signature was verified is anything believed. */
export function admit(bundle: Applicant, context: AdmissionContext): Result<Admitted, string> {
  if (bundle.signedBy === null) return ok({ accept: null, backFrom: null, isExpired: false });
  const { last, rules, allowsRollback } = context;
  const fault = serialFault(bundle, rules);
  if (fault !== null) return no(fault);
  const back = last === null ? null : backFault(bundle, last);
  if (back !== null && !allowsRollback) return no(`${back}; to go back on purpose: memgate reload --allow-rollback`);
  const isSame = last?.serial === bundle.serial && last.content === bundle.content;
  const { notAfterMs } = bundle;
  const isExpired = notAfterMs !== null && context.nowMs >= notAfterMs;
  if (isExpired && (!isSame || rules.enforcesNotAfter)) {
    return no(
      `is not to be taken into use from ${instantText(notAfterMs)} on, and now it is ${instantText(context.nowMs)}`,
    );
  }
  const { serial, content, revision } = bundle;
  const accept = serial === null ? null : { serial, content, revision };
  return ok({ accept, backFrom: back === null ? null : last, isExpired });
}

function serialFault({ serial }: Applicant, { minSerial, requiresSerial }: AdmissionRules): string | null {
  if (serial === null) {
    return requiresSerial
      ? 'has no serial in its signed metadata: sign it with memgate policy sign --serial, or set policy.verification.require_serial to false'
      : null;
  }
  if (minSerial === null || serial >= minSerial) return null;
  return `has serial ${String(serial)}, under policy.verification.min_serial ${String(minSerial)}`;
}

function backFault({ serial, content }: Applicant, last: Accepted): string | null {
  if (serial === null) return `has no serial, and one with serial ${String(last.serial)} was taken before it`;
  if (serial < last.serial)
    return `is older than what was taken before it: serial ${String(serial)} after ${String(last.serial)} (revision ${last.revision})`;
  if (serial > last.serial || content === last.content) return null;
  return `has serial ${String(serial)} like the one before it (revision ${last.revision}), and other content; each build needs a higher serial`;
}

import { joinedHeaders } from '../model/grpc.js';
import { Receipt } from '../model/proofs.js';
import type { CleanRequest } from '../model/request.js';
import type { ForwardContext } from './context.js';
import { OpenCall } from './grpc-exchange.js';
import type { ForwardCall, Sendable } from './grpc-port.js';
import type { GrpcUpstream } from './grpc-upstream.js';
import { admittedHeaders, observedHeaders } from './header-list.js';

export interface CallContext extends Omit<ForwardContext, 'upstream' | 'holding' | 'tunnel'> {
  readonly upstream: GrpcUpstream;
  readonly headersTimeoutMs: number;
}

/** Written by us, or about this connection alone. */
const ours: ReadonlySet<string> = new Set(['te', 'grpc-timeout', 'content-length']);
const units: Readonly<Record<string, number>> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 1e-3, n: 1e-6 };
const timeoutDigitsMax = 99_999_999;
/** Beyond it a timer of Node's fires at once. */
const timerMax = 2 ** 31 - 1;
const ignored = (): void => undefined;

export function createForwardCall(context: CallContext): ForwardCall {
  return (first, reply) => {
    const { proof } = first;
    const request = proof instanceof Receipt ? proof.admission.permit.target.request : proof.request;
    const { isStream } = reply;
    if (isStream) request.place.leave(); // streams have places of their own
    const wanted = timeoutOf(request);
    const deadlineMs = isStream ? wanted : Math.min(wanted ?? Infinity, context.deadlineMs);
    let leave = ignored;
    const call = new OpenCall({
      context,
      request,
      permit: proof instanceof Receipt ? proof.admission.permit : null,
      isStream,
      reply,
      answer: proof instanceof Receipt ? context.answer : { ...context.answer, injectsCredential: false },
      open: () => {
        if (isStream) leave = context.upstream.streams.take(ownerOf(first));
        return context.upstream.open(headersOf(first, request, { rules: context.request, deadlineMs }));
      },
      deadlineMs,
      silenceMs: {
        head: isStream ? context.streamIdleTimeoutMs : context.headersTimeoutMs,
        body: isStream ? context.streamIdleTimeoutMs : context.bodyTimeoutMs,
      },
      over: () => {
        leave();
      },
    });
    return call;
  };
}

/** Where nothing is enforced a stream counts for nobody, as with HTTP. */
function ownerOf({ proof }: Sendable): string | null {
  if (!(proof instanceof Receipt)) return null;
  const { kind, id } = proof.admission.permit.identity.subject;
  return `${kind}:${id}`;
}

interface Heading {
  readonly rules: ForwardContext['request'];
  readonly deadlineMs: number | null;
}

function headersOf({ proof }: Sendable, request: CleanRequest, { rules, deadlineMs }: Heading): Record<string, string> {
  const list = proof instanceof Receipt ? admittedHeaders(proof, rules) : observedHeaders(proof, rules);
  const fields = Object.entries(joinedHeaders(list)).filter(([name]) => !ours.has(name));
  return {
    ':method': 'POST',
    ':path': request.path,
    ...Object.fromEntries(fields),
    te: 'trailers',
    ...(deadlineMs !== null && { 'grpc-timeout': `${String(Math.min(Math.ceil(deadlineMs), timeoutDigitsMax))}m` }),
  };
}

/** How long the caller wants to wait, in ms; the gate of calls has checked the form. */
function timeoutOf(request: CleanRequest): number | null {
  const text = request.header('grpc-timeout');
  if (text === undefined) return null;
  const ms = Math.max(1, Number(text.slice(0, -1)) * (units[text.slice(-1)] ?? 1));
  return ms > timerMax ? null : ms;
}

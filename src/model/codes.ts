import type { RpcRefusal } from './rpc.js';

/** We work, and the answer is no. `status` is read by respond.ts alone; `say` is for the caller and never holds request bytes. */
export const refusals = {
  'gate.malformed': { status: 400, say: 'The request is not well-formed HTTP/1.1.' },
  'gate.target': { status: 400, say: 'The request target is not in the accepted form.' },
  'gate.header': { status: 400, say: 'A request header is not in the accepted form.' },
  'gate.framing': { status: 400, say: 'The framing of the request body is not accepted.' },
  'gate.host': { status: 400, say: 'The Host header is not in the accepted form.' },
  'gate.host-unknown': { status: 421, say: 'This host is not served here.' },
  'gate.version': { status: 505, say: 'Use HTTP/1.1.' },
  'gate.method': { status: 405, say: 'This method is not accepted.' },
  'gate.expectation': { status: 417, say: 'Only the expectation 100-continue is accepted.' },
  'gate.upgrade': { status: 400, say: 'Protocol upgrades are not accepted here.' },
  'gate.headers-too-large': { status: 431, say: 'The request head is too large.' },
  'gate.timeout': { status: 408, say: 'The request did not arrive in time.' },
  'gate.body-too-large': { status: 413, say: 'The request body is too large.' },
  'gate.overloaded': { status: 503, say: 'Too many requests are in progress. Try again later.' },
  'pressure.full': { status: 503, say: 'Too many requests are in progress. Try again later.' },
  'pressure.share': { status: 503, say: 'Too many requests of this caller are in progress. Try again later.' },
  'pressure.late': { status: 503, say: 'The gateway does not keep up. Try again later.' },
  'pressure.memory': { status: 503, say: 'The gateway is short of memory. Try again later.' },
  'identify.many-credentials': { status: 400, say: 'Send exactly one credential.' },
  'identify.unauthenticated': { status: 401, say: 'A valid credential is required.' },
  'identify.too-many-failures': { status: 429, say: 'Too many failed attempts from this address.' },
  'identify.busy': { status: 503, say: 'Too many credentials are being verified. Try again later.' },
  'resolve.unknown-route': { status: 404, say: 'There is no such route.' },
  'resolve.method': { status: 405, say: 'This route does not accept this method.' },
  'resolve.content-type': {
    status: 415,
    say: 'The content type is not the one that this route accepts, in UTF-8 and without content encoding.',
  },
  'resolve.body': { status: 400, say: 'The request body is not in the strict form that this route accepts.' },
  'resolve.query': { status: 400, say: 'The query holds a parameter that is not accepted.' },
  'space.malformed': { status: 400, say: 'A space is not in the accepted form.' },
  'space.conflict': { status: 400, say: 'The request names its space in ways that disagree.' },
  'space.absent': { status: 400, say: 'This request must name its space.' },
  'space.unknown': { status: 403, say: 'This space is not known.' },
  'object.malformed': { status: 400, say: 'The id of an object is not in the accepted form.' },
  'object.unknown': { status: 404, say: 'There is no such object.' },
  'mcp.batch': { status: 400, say: 'A JSON-RPC batch is not accepted: send one message at a time.' },
  'mcp.message': { status: 400, say: 'The body is not one strict JSON-RPC 2.0 request or notification.' },
  'mcp.method': { status: 403, say: 'This method is not accepted here.' },
  'mcp.params': { status: 400, say: 'The parameters of the message are not in the accepted form.' },
  'mcp.unlisted': { status: 403, say: 'There is no such tool, resource or prompt here.' },
  'mcp.header-mismatch': { status: 400, say: 'A header does not say what the body says.' },
  'mcp.version': { status: 400, say: 'This revision of the protocol is not accepted here.' },
  'mcp.session': { status: 404, say: 'There is no such session.' },
  'mcp.origin': { status: 403, say: 'Requests of this origin are not accepted.' },
  'authorize.denied': { status: 403, say: 'The policy does not allow this request.' },
  'policy.undefined': { status: 403, say: 'The policy gives no answer for this request.' },
  'authorize.too-large': { status: 431, say: 'The request holds more than the policy may be asked about.' },
  'limit.exceeded': { status: 429, say: 'The rate limit is exceeded.' },
  'lease.revoked': { status: 401, say: 'The credential was revoked while the request was under way.' },
  'lease.expired': { status: 401, say: 'The credential expired while the request was under way.' },
  'lease.denied': { status: 403, say: 'The policy does not allow this request any more.' },
  'lease.shutdown': { status: 503, say: 'The gateway is about to stop. Try again later.' },
  'tunnel.protocol': { status: 400, say: 'The WebSocket was not used as RFC 6455 wants it.' },
  'tunnel.message': { status: 400, say: 'A WebSocket message is not in the form that this route accepts.' },
  'tunnel.too-large': { status: 413, say: 'A WebSocket message is too large.' },
  'tunnel.first': { status: 408, say: 'The first WebSocket message did not come in time.' },
  'limit.cost': { status: 429, say: 'This request costs more than the limit can ever hold.' },
} as const satisfies Record<string, { status: number; say: string }>;

/** Something is broken. `owner` says whose alarm rings: operator, policy, upstream or maintainer. */
export const faults = {
  'policy.expired': { status: 503, owner: 'policy', say: 'The policy is out of date. Try again later.' },
  'policy.failed': { status: 503, owner: 'policy', say: 'The policy could not be evaluated. Try again later.' },
  'record.unavailable': { status: 503, owner: 'operator', say: 'The decision could not be recorded. Try again later.' },
  'store.unavailable': { status: 503, owner: 'operator', say: 'The key store is not available. Try again later.' },
  'upstream.unreachable': { status: 502, owner: 'upstream', say: 'The memory server could not be reached.' },
  'upstream.invalid': { status: 502, owner: 'upstream', say: 'The memory server gave an invalid answer.' },
  'upstream.aborted': { status: 502, owner: 'upstream', say: 'The memory server broke off its answer.' },
  'upstream.credential': {
    status: 502,
    owner: 'operator',
    say: 'The memory server refused the credential of the gateway.',
  },
  'upstream.no-credential': {
    status: 503,
    owner: 'operator',
    say: 'The gateway has no credential of the memory server for this space.',
  },
  'upstream.unchecked': {
    status: 502,
    owner: 'upstream',
    say: 'The answer of the memory server could not be checked.',
  },
  'upstream.timeout': { status: 504, owner: 'upstream', say: 'The memory server did not answer in time.' },
  'upstream.busy': {
    status: 503,
    owner: 'upstream',
    say: 'Too many requests wait for the memory server. Try again later.',
  },
  'self.bug': { status: 500, owner: 'maintainer', say: 'An unexpected error.' },
} as const satisfies Record<
  string,
  { status: number; owner: 'operator' | 'policy' | 'upstream' | 'maintainer'; say: string }
>;

export type RefusalCode = keyof typeof refusals;
export type FaultCode = keyof typeof faults;
export type Code = RefusalCode | FaultCode;

/** Facts beside a refusal that its answer or its record need. */
export interface RefusalFacts {
  /** For audit and log, never for the caller; no secret, no raw request bytes. */
  readonly detail: string;
  /** Permissions that would have been needed, by name. */
  readonly missing?: readonly string[];
  /** Codes of the policy's reasons. */
  readonly reasons?: readonly string[];
  /** Whole seconds until a retry can succeed. */
  readonly retryAfterS?: number;
  /** Methods for `Allow` on a 405. */
  readonly allow?: readonly string[];
  /** What an answer in JSON-RPC form says. */
  readonly rpc?: RpcRefusal;
}

export interface Refusal extends RefusalFacts {
  readonly code: RefusalCode;
}

export const refuse = (code: RefusalCode, detail: string, facts: Omit<RefusalFacts, 'detail'> = {}): Refusal => ({
  code,
  detail,
  ...facts,
});

/** Something that we need is broken. Thrown, and answered 5xx by its code; nothing is forwarded after it. */
export class Fault extends Error {
  readonly code: FaultCode;
  /** True when the request had gone upstream before it broke: then its outcome must not say otherwise. */
  wasForwarded = false;

  constructor(code: FaultCode, detail: string, options?: { cause?: unknown }) {
    super(detail, options);
    this.name = 'Fault';
    this.code = code;
  }
}

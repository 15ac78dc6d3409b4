import type { ServerResponse } from 'node:http';
import type { LateRefusal } from '../model/body-failure.js';
import { Fault, faults, refusals, type Code, type FaultCode, type Refusal } from '../model/codes.js';
import type { LimitState } from '../model/decision.js';
import type { Outcome, Trail } from '../model/trail.js';
import { challenge, isRpc, rpcErrorText } from './rpc-refusal.js';
import type { AnswerOptions } from './stages.js';

interface Answer {
  readonly why: Refusal | Fault;
  readonly trail: Trail;
  readonly response: ServerResponse;
  readonly answers: AnswerOptions;
}

const titles: Readonly<Record<number, string>> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  405: 'Method Not Allowed',
  408: 'Request Timeout',
  409: 'Conflict',
  413: 'Content Too Large',
  415: 'Unsupported Media Type',
  417: 'Expectation Failed',
  421: 'Misdirected Request',
  429: 'Too Many Requests',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
  505: 'HTTP Version Not Supported',
};

const errorTypes: Readonly<Record<number, string>> = {
  401: 'authentication_error',
  403: 'authorization_error',
  404: 'not_found_error',
  429: 'rate_limit_error',
  500: 'internal_error',
  502: 'upstream_error',
  503: 'unavailable_error',
  504: 'upstream_error',
};

/** Seconds after which a 503 may be tried again, where nothing better is known. */
export const retryAfterFaultS = 1;

const isFaultCode = (code: Code): code is FaultCode => code in faults;

const entryOf = (code: Code): { readonly status: number; readonly say: string } =>
  isFaultCode(code) ? faults[code] : refusals[code];

/** The only place that knows status codes. */
export const statusOf = (code: Code): number => entryOf(code).status;

/** Status and reason phrase of a status line. */
export const statusLine = (code: Code): string => `${String(statusOf(code))} ${titles[statusOf(code)] ?? 'Error'}`;

/** Whatever was thrown, as a Fault: anything else is a bug of ours and told to `bug`. */
export function asFault(thrown: unknown, bug: (thrown: unknown) => void): Fault {
  if (thrown instanceof Fault && thrown.code !== 'self.bug') return thrown;
  bug(thrown);
  return thrown instanceof Fault ? thrown : new Fault('self.bug', 'an unexpected error', { cause: thrown });
}

/** Headers that every answer carries, our own and forwarded ones. */
export function answerHeaders(trail: Trail, options: AnswerOptions): string[] {
  const list = ['X-Request-Id', trail.raw.id];
  if (trail.limit !== null) pushLimit(list, trail.limit, { options, nowS: Math.floor(trail.raw.receivedAtMs / 1_000) });
  return list;
}

/** @see draft-ietf-httpapi-ratelimit-headers for RateLimit and RateLimit-Policy */
function pushLimit(
  list: string[],
  limit: LimitState,
  { options, nowS }: { readonly options: AnswerOptions; readonly nowS: number },
): void {
  const remaining = String(limit.remaining);
  if (options.legacyLimitHeaders) {
    list.push(
      'X-RateLimit-Limit',
      String(limit.limit),
      'X-RateLimit-Remaining',
      remaining,
      'X-RateLimit-Reset',
      String(limit.resetAtS),
    );
  }
  if (options.ietfLimitHeaders) {
    list.push(
      'RateLimit-Policy',
      `"${limit.id}";q=${String(limit.limit)};w=${String(limit.perS)}`,
      'RateLimit',
      `"${limit.id}";r=${remaining};t=${String(Math.max(0, limit.resetAtS - nowS))}`,
    );
  }
}

/** Writes a refusal or a fault in its documented form and ends the exchange. Nothing of the request is repeated in it. */
export async function respond(answer: Answer): Promise<Outcome> {
  const { why, trail, response } = answer;
  const status = statusOf(why.code);
  const body = Buffer.from(bodyText(answer));
  const isOpen = !response.destroyed && !response.headersSent;
  if (isOpen) {
    response.writeHead(status, refusalHeaders(answer, status, body.length));
    response.write(trail.raw.method === 'HEAD' ? '' : body);
    await trail.raw.body.discard();
    response.end();
  } else if (!response.destroyed) {
    response.destroy();
  }
  const code = why.code;
  return {
    status: isOpen ? status : 0,
    endedBy: isOpen ? 'gateway' : 'client',
    notForwarded: wasForwarded(why) ? null : code,
    code,
    requestBytes: trail.raw.body.received,
    responseBytes: isOpen ? body.length : 0,
    upstreamMs: null,
    ...answerOf(why),
  };
}

const missingOf = (why: Refusal | Fault): readonly string[] => (why instanceof Fault ? [] : (why.missing ?? []));

function bodyText({ why, trail, answers }: Answer): string {
  const problem = problemOf(why, trail.raw.id);
  return isRpc(trail, answers.rpc) ? rpcErrorText(why, trail, problem) : JSON.stringify(problem);
}

/** Some fail, or are given up, when a part of them has gone upstream. */
const answerOf = (why: Refusal | LateRefusal | Fault): Pick<Outcome, 'answer'> =>
  'answer' in why ? { answer: why.answer } : {};

const wasForwarded = (why: Refusal | Fault): boolean => 'wasForwarded' in why && why.wasForwarded;

function refusalHeaders({ why, trail, answers }: Answer, status: number, length: number): string[] {
  const isInRpc = isRpc(trail, answers.rpc);
  const list = [
    'Content-Type',
    isInRpc ? 'application/json' : 'application/problem+json',
    'Content-Length',
    String(length),
    'Cache-Control',
    'no-store',
    'X-Content-Type-Options',
    'nosniff',
    ...answerHeaders(trail, answers),
  ];
  const retryAfterS = retryAfter(why, status);
  if (retryAfterS !== null) list.push('Retry-After', String(retryAfterS));
  const wanted = challengeOf({ why, trail, answers }, status);
  if (wanted !== null) list.push('WWW-Authenticate', wanted);
  if (!(why instanceof Fault) && why.allow !== undefined) list.push('Allow', why.allow.join(', '));
  if (closes(trail, status)) list.push('Connection', 'close');
  return list;
}

/** An MCP client acts on what it is told here: it is told of rights only where a right is what it lacks. */
function challengeOf({ why, trail, answers }: Omit<Answer, 'response'>, status: number): string | null {
  if (isRpc(trail, answers.rpc)) {
    const { path } = trail.request ?? { path: '' };
    return challenge(status, missingOf(why), answers.rpc.metadataUrl(path));
  }
  if (status === 401) return 'Bearer';
  return status === 403 ? 'Bearer error="insufficient_scope"' : null;
}

/** Requests that are wrong in themselves: whoever sends one may have meant the bytes behind it otherwise than we read them. */
const doubtful: ReadonlySet<number> = new Set([400, 404, 405, 408, 413, 415, 417, 421, 431, 505]);

/** An unread body would be taken for the next request; and a stranger's body may hold one that somebody in front of us has seen. */
const closes = ({ request, raw }: Trail, status: number): boolean =>
  request === null || !raw.body.isComplete || doubtful.has(status) || (status === 401 && raw.body.framing !== 'none');

const retryAfter = (why: Refusal | Fault, status: number): number | null => {
  if (!(why instanceof Fault) && why.retryAfterS !== undefined) return why.retryAfterS;
  return status === 503 ? retryAfterFaultS : null;
};

/** What the caller is told. */
export function saidOf(why: Refusal | Fault): string {
  const missing = missingOf(why);
  return missing.length > 0 ? `Missing required permission: ${missing.join(', ')}` : entryOf(why.code).say;
}

/**
 * The body of a refusal or fault; `error` is the object that older clients read.
 *
 * @see RFC 9457
 */
export const problemText = (why: Refusal | Fault, id: string): string => JSON.stringify(problemOf(why, id));

function problemOf(why: Refusal | Fault, id: string): Record<string, unknown> {
  const status = statusOf(why.code);
  const missing = missingOf(why);
  const detail = saidOf(why);
  const retryAfterS = retryAfter(why, status);
  return {
    type: `urn:memgate:refusal:${why.code}`,
    title: titles[status] ?? 'Error',
    status,
    detail,
    instance: `urn:memgate:decision:${id}`,
    error: {
      code: status,
      message: detail,
      type: errorTypes[status] ?? 'invalid_request_error',
      ...(status === 429 && retryAfterS !== null && { retry_after: retryAfterS }),
    },
    ...(missing.length > 0 && { missing }),
  };
}

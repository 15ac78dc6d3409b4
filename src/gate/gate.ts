import { no, ok, type Result } from '../base/result.js';
import { refuse, type Refusal } from '../model/codes.js';
import { CleanRequest, type RawRequest } from '../model/request.js';
import { clientAddress } from './client-address.js';
import { readFraming } from './framing.js';
import { HeaderNames } from './header-names.js';
import { readHeaders } from './headers.js';
import { normalHost } from './host.js';
import { ownHeaders, trustHeaders } from './names.js';
import { readTarget } from './target.js';
import { upgradeProblem } from './upgrade.js';

export { networkTest } from './client-address.js';
export { normalHost } from './host.js';
export { trustHeaders } from './names.js';

export interface GateContext {
  /** Normal forms of the Host values that are served; empty serves any. */
  readonly allowedHosts: ReadonlySet<string>;
  /** Whether an address is a proxy whose X-Forwarded-For is believed. */
  readonly isTrustedProxy: (address: string) => boolean;
  /** Further names with one meaning: space carriers, trust headers of the profile, identity and upstream credential headers. */
  readonly protectedHeaders: readonly string[];
}

export type Gate = (raw: RawRequest) => Result<CleanRequest, Refusal>;

const methods: ReadonlySet<string> = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);
const requestIdForm = /^[A-Za-z0-9._-]{1,64}$/;

/**
 * Turns bytes into one canonical request, or refuses: the only reading of a request there is. Decides on raw header lines and the raw
 * target, never on merged ones, and refuses everything that the upstream client would refuse (a refusal there can wedge its pool).
 *
 * @see RFC 9110, RFC 9112
 */
export function createGate(context: GateContext): Gate {
  const names = new HeaderNames([...ownHeaders, ...trustHeaders, ...context.protectedHeaders]);
  return (raw) => {
    const line = lineProblem(raw);
    if (line !== null) return no(line);
    const headers = readHeaders(raw.rawHeaders, names);
    if (!headers.ok) return headers;
    const { all, endToEnd } = headers.value;
    const framing = readFraming(raw.method, raw.httpVersion, all);
    if (!framing.ok) return framing;
    const host = readHost(all.get('host'), context.allowedHosts);
    if (!host.ok) return host;
    const target = readTarget(raw.target, host.value);
    if (!target.ok) return target;
    const wrong = expectationProblem(raw, all) ?? upgradeProblem(raw, all, framing.value);
    if (wrong !== null) return no(wrong);
    const clientRequestId = all.get('x-request-id');
    return ok(
      CleanRequest.passed({
        id: raw.id,
        receivedAtMs: raw.receivedAtMs,
        startedMs: raw.startedMs,
        method: raw.method,
        path: target.value.path,
        query: target.value.query,
        headers: endToEnd,
        host: host.value,
        clientAddress: clientAddress(raw.peerAddress, all.get('x-forwarded-for'), context.isTrustedProxy),
        clientRequestId: clientRequestId !== undefined && requestIdForm.test(clientRequestId) ? clientRequestId : null,
        userAgent: all.get('user-agent') ?? null,
        expectsContinue: all.get('expect') !== undefined,
        body: raw.body,
        place: raw.place,
        upgrade: raw.upgrade ?? null,
      }),
    );
  };
}

function expectationProblem({ httpVersion }: RawRequest, headers: ReadonlyMap<string, string>): Refusal | null {
  const expects = headers.get('expect');
  if (expects === undefined || (expects.toLowerCase() === '100-continue' && httpVersion === '1.1')) return null;
  return refuse('gate.expectation', 'an expectation other than 100-continue');
}

function lineProblem({ httpVersion, method, target }: RawRequest): Refusal | null {
  if (httpVersion === '0.9') return refuse('gate.malformed', 'HTTP/0.9');
  if (httpVersion !== '1.1' && (httpVersion !== '1.0' || (method !== 'GET' && method !== 'HEAD'))) {
    return refuse('gate.version', 'a version other than HTTP/1.1, or HTTP/1.0 with more than GET and HEAD');
  }
  if (!methods.has(method)) return refuse('gate.method', 'a method that is never accepted', { allow: [...methods] });
  if (target === '*') {
    return method === 'OPTIONS'
      ? refuse('gate.method', 'OPTIONS *', { allow: [...methods] })
      : refuse('gate.target', 'asterisk-form');
  }
  return null;
}

function readHost(value: string | undefined, allowed: ReadonlySet<string>): Result<string, Refusal> {
  const host = value === undefined ? null : normalHost(value);
  if (host === null) return no(refuse('gate.host', 'no host, or not one host with an optional port'));
  if (allowed.size > 0 && !allowed.has(host))
    return no(refuse('gate.host-unknown', 'a host that is not in gateway.allowed_hosts'));
  return ok(host);
}

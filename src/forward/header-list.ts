import type { CleanRequest } from '../model/request.js';
import type { Observed, Receipt } from '../model/proofs.js';
import { kept } from '../base/kept.js';
import type { Subject } from '../model/subject.js';
import type { UpstreamCredential } from './credential.js';
import { plain, type NamedHeader } from './identity-header.js';

/** Names of the headers that tell the memory server who calls; null switches one off. */
export interface IdentityHeaders {
  readonly requestId: string | null;
  readonly subject: string | null;
  readonly keyId: string | null;
  readonly spaces: string | null;
}

export interface RequestHeaderRules {
  readonly identity: IdentityHeaders;
  /** Further ones, by which the profile of this server tells who calls. */
  readonly profileHeaders: readonly NamedHeader[];
  readonly credential: UpstreamCredential | null;
  /** Lower-case names that carry the caller's credential; they pass only where we observe. */
  readonly credentials: ReadonlySet<string>;
  /** Lower-case names that never pass, in any mode: trust headers, and the names under which we vouch for somebody. */
  readonly untrusted: ReadonlySet<string>;
}

/** The header list of an admitted request, built from scratch: what may pass, then exactly one of each of ours. */
export function admittedHeaders(receipt: Receipt, rules: RequestHeaderRules): string[] {
  const { identity, target } = receipt.admission.permit;
  const { request, facts } = target;
  const list: string[] = [];
  for (const { name, key, value } of request.headers) {
    const isDropped = rules.untrusted.has(key) || rules.credentials.has(key) || facts.dropHeaders.has(key);
    if (!isDropped) list.push(name, value);
  }
  for (const [name, value] of facts.setHeaders) list.push(name, value);
  const { requestId, subject, keyId, spaces } = rules.identity;
  if (requestId !== null) list.push(requestId, request.id);
  if (subject !== null) list.push(subject, plainId(identity.subject));
  if (keyId !== null && identity.subject.kind === 'api_key') list.push(keyId, plainId(identity.subject));
  if (spaces !== null) list.push(spaces, facts.spaces.all ? '*' : facts.spaces.ids.map(plain).join(','));
  for (const { name, valueFor } of rules.profileHeaders) pushKnown(list, name, valueFor(receipt.admission.permit));
  if (rules.credential !== null) pushKnown(list, rules.credential.header, rules.credential.valueFor(facts.spaces));
  pushForwarded(list, request);
  pushLength(list, request, facts.body);
  return list;
}

/** An observed request keeps its own credential and carriers. What it says of who it is and where it comes from goes, as in every mode. */
export function observedHeaders(observed: Observed, rules: RequestHeaderRules): string[] {
  const { request } = observed;
  const list: string[] = [];
  for (const { name, key, value } of request.headers) if (!rules.untrusted.has(key)) list.push(name, value);
  if (rules.identity.requestId !== null) list.push(rules.identity.requestId, request.id);
  pushForwarded(list, request);
  pushLength(list, request, observed.target?.facts.body ?? null);
  return list;
}

function pushForwarded(list: string[], request: CleanRequest): void {
  list.push('X-Forwarded-For', request.clientAddress, 'X-Forwarded-Host', request.host, 'X-Forwarded-Proto', 'http');
}

/** A body that was read whole goes on with its length, whatever its framing was; a stream with a known length keeps it. */
function pushLength(list: string[], request: CleanRequest, body: Buffer | null): void {
  if (body !== null) list.push('Content-Length', String(body.length));
  else if (request.body.framing === 'length' && request.body.length !== null)
    list.push('Content-Length', String(request.body.length));
}

function pushKnown(list: string[], name: string, value: string | null): void {
  if (value !== null) list.push(name, value);
}

const plainId = kept(({ id }: Subject) => plain(id));

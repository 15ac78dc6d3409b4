import type { CleanRequest } from '../model/request.js';
import type { Observed, Receipt } from '../model/proofs.js';
import { kept } from '../base/kept.js';
import type { Subject } from '../model/subject.js';
import type { Secret } from '../base/secret.js';

/** Names of the headers that tell the memory server who calls; null switches one off. */
export interface IdentityHeaders {
  readonly requestId: string | null;
  readonly subject: string | null;
  readonly keyId: string | null;
  readonly spaces: string | null;
}

/** What the memory server wants to see from us. */
export interface UpstreamCredential {
  readonly header: string;
  /** Word before the secret; empty for none. */
  readonly scheme: string;
  readonly secret: Secret;
}

export interface RequestHeaderRules {
  readonly identity: IdentityHeaders;
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
  if (rules.credential !== null) {
    const { header, scheme, secret } = rules.credential;
    list.push(header, scheme === '' ? secret.reveal() : `${scheme} ${secret.reveal()}`);
  }
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

/** Identity values are opaque: whatever is not plain is percent-encoded, so that no value can become a second header. */
const plain = (value: string): string => value.replaceAll(/[^A-Za-z0-9._:@/+-]/gu, percentEncoded);

const plainId = kept(({ id }: Subject) => plain(id));

/** By bytes: `encodeURIComponent` throws for half a surrogate pair. */
const percentEncoded = (character: string): string =>
  Array.from(Buffer.from(character), (byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');

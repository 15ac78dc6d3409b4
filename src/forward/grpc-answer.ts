import type { IncomingHttpHeaders } from 'node:http2';
import { Fault } from '../model/codes.js';
import { grpcStatus, joinedHeaders } from '../model/grpc.js';
import { passableHeaders, type AnswerRules } from './answer.js';
import type { CallTrailers } from './grpc-port.js';

const statusForm = /^(?:\d|1[0-6])$/;
const messageForm = /^[\x20-\x7e]{0,4096}$/;
const detailsForm = /^[A-Za-z0-9+/]{0,8192}={0,2}$/;
const answerType = /^application\/grpc(?:[+;]|$)/i;

/**
 * The head of an answer as it passes back.
 *
 * @param raw names and values alternating, with pseudo-headers
 * @throws Fault `upstream.invalid` for one that is no answer to a call
 */
export function callHead(raw: readonly string[], rules: AnswerRules): string[] {
  const list: string[] = [];
  let status = 0;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    if (name === ':status') status = Number(value);
    else if (!name.startsWith(':')) list.push(name, value);
  }
  const { list: passable } = passableHeaders(status, list, rules);
  if (status !== 200) throw new Fault('upstream.invalid', `status ${String(status)} to a call`);
  const at = passable.findIndex((name, index) => index % 2 === 0 && name.toLowerCase() === 'content-type');
  if (at < 0 || !answerType.test(passable[at + 1] ?? ''))
    throw new Fault('upstream.invalid', 'a content type other than application/grpc');
  return passable;
}

/**
 * What a call ends with: status, message and details, and no other trailer.
 *
 * @throws Fault `upstream.credential` where our own credential was refused, `upstream.invalid` without a status
 */
export function callTrailers(fields: IncomingHttpHeaders, { injectsCredential }: AnswerRules): CallTrailers {
  const status = String(fields['grpc-status'] ?? '');
  if (!statusForm.test(status)) throw new Fault('upstream.invalid', 'a call that ended without a status');
  if (injectsCredential && Number(status) === grpcStatus.unauthenticated)
    throw new Fault('upstream.credential', 'the memory server answered UNAUTHENTICATED');
  const message = String(fields['grpc-message'] ?? '');
  const details = String(fields['grpc-status-details-bin'] ?? '');
  return {
    'grpc-status': status,
    ...(message !== '' && messageForm.test(message) && { 'grpc-message': message }),
    ...(details !== '' && detailsForm.test(details) && { 'grpc-status-details-bin': details }),
  };
}

/** The fields of a head that is all there is of an answer. */
export const fieldsOf = (list: readonly string[]): IncomingHttpHeaders => joinedHeaders(list);

const invalid: ReadonlySet<string> = new Set(['ERR_HTTP2_ERROR', 'ERR_HTTP2_SESSION_ERROR']);

/** What it means that a call broke before it was answered. */
export function codeOf(error: Error | null): 'upstream.invalid' | 'upstream.unreachable' {
  const code = error !== null && 'code' in error ? String(error.code) : '';
  return invalid.has(code) ? 'upstream.invalid' : 'upstream.unreachable';
}

import { createHash } from 'node:crypto';
import { Fault } from '../model/codes.js';
import type { CleanRequest } from '../model/request.js';
import type { WebSocketFacts } from '../model/target.js';
import { passableHeaders, type AnswerRules } from './answer.js';

/** What a client may ask of the memory server's side of a WebSocket. */
export interface Offer {
  readonly subprotocols: readonly string[];
  readonly extension: string | null;
}

const isOwn = (name: string): boolean => name.toLowerCase().startsWith('sec-websocket-');
const compression = 'permessage-deflate';

/** Of what the client offers, what the profile allows. */
export function offerOf(request: CleanRequest, rules: WebSocketFacts): Offer {
  const listed = (request.header('sec-websocket-protocol') ?? '').split(',').map((name) => name.trim());
  const extensions = (request.header('sec-websocket-extensions') ?? '').split(/[,;]/).map((name) => name.trim());
  return {
    subprotocols: listed.filter((name) => rules.subprotocols.includes(name)),
    extension: rules.compression && extensions.includes(compression) ? compression : null,
  };
}

/** The header list of the handshake: that of any request, and the offer. The rest is written where the connection is made. */
export function askHead(headers: readonly string[], { subprotocols, extension }: Offer): string[] {
  const list: string[] = [];
  for (let i = 0; i + 1 < headers.length; i += 2)
    if (!isOwn(headers[i] ?? '')) list.push(headers[i] ?? '', headers[i + 1] ?? '');
  if (subprotocols.length > 0) list.push('Sec-WebSocket-Protocol', subprotocols.join(', '));
  if (extension !== null) list.push('Sec-WebSocket-Extensions', extension);
  return list;
}

/** @returns what the server agreed to without being asked, or null */
export function agreed(headers: readonly string[], offer: Offer): string | null {
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] ?? '').toLowerCase();
    const value = headers[i + 1] ?? '';
    if (name === 'sec-websocket-protocol' && !offer.subprotocols.includes(value)) return 'a subprotocol not asked for';
    const extension = value.split(';')[0]?.trim();
    if (name === 'sec-websocket-extensions' && (value.includes(',') || extension !== offer.extension))
      return 'an extension not asked for';
  }
  return null;
}

/** A no of the memory server is passed on; everything else that is no WebSocket is a fault of its side. */
export function declineFault(status: number, injectsCredential: boolean): Fault | null {
  const isCredential = status === 401 && injectsCredential;
  if (status >= 400 && status <= 599 && !isCredential) return null;
  return new Fault(isCredential ? 'upstream.credential' : 'upstream.invalid', `answered ${String(status)}`);
}

/** What a server answers to a key. @see RFC 6455 §4.2.2 */
export const acceptOf = (key: string): string =>
  createHash('sha1').update(`${key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest('base64');

interface Answering {
  readonly request: CleanRequest;
  readonly answer: AnswerRules;
  readonly own: readonly string[];
}

/** The head of our 101: what may pass of the server's, and the answer to the client's own key. */
export function answerHead(headers: readonly string[], { request, answer, own }: Answering): string[] {
  const list = ['Connection', 'Upgrade', 'Upgrade', 'websocket'];
  const passed = passableHeaders(200, headers, answer).list;
  for (let i = 0; i + 1 < passed.length; i += 2) {
    const name = (passed[i] ?? '').toLowerCase();
    if (name !== 'sec-websocket-accept' && name !== 'content-length') list.push(passed[i] ?? '', passed[i + 1] ?? '');
  }
  list.push('Sec-WebSocket-Accept', acceptOf(request.header('sec-websocket-key') ?? ''));
  return [...list, ...own];
}

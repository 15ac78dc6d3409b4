import { Fault } from '../model/codes.js';
import type { UpstreamRequest } from './port.js';

export interface RequestHead {
  readonly text: string;
  /** Null for a body in chunks. */
  readonly bodyBytes: number | null;
}

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const fieldValue = /^[\t\x20-\x7e\x80-\xff]*$/;
const targetForm = /^\/[!-~]*$/;
const plainLength = /^[0-9]{1,15}$/;

/** Names that this client writes itself, or whose meaning ends here. */
const neverGiven: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const lengthsOfNames: ReadonlySet<number> = new Set([...neverGiven, 'content-length'].map((name) => name.length));
const methodsWithBody: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH', 'QUERY']);

/**
 * The head as it is sent. What the gate let through can be written; the second look is for whatever comes from elsewhere.
 *
 * @throws Fault `self.bug` for a request that one server or another would read as something else
 */
export function requestHead({ method, target, headers, body }: UpstreamRequest, host: string): RequestHead {
  if (!token.test(method) || method === 'CONNECT') throw unwritable('its method');
  if (!targetForm.test(target)) throw unwritable('its target');
  let text = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: keep-alive\r\n`;
  let declared: number | null = null;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = headers[i] ?? '';
    const value = headers[i + 1] ?? '';
    if (!token.test(name) || !fieldValue.test(value)) throw unwritable(`header line ${String(i / 2)}`);
    text += `${name}: ${value}\r\n`;
    if (!lengthsOfNames.has(name.length)) continue;
    const key = name.toLowerCase();
    if (neverGiven.has(key)) throw unwritable(`its header ${key}`);
    if (key !== 'content-length') continue;
    if (declared !== null || !plainLength.test(value)) throw unwritable('its length');
    declared = Number(value);
  }
  const known = body === null ? 0 : Buffer.isBuffer(body) ? body.length : null;
  if (known !== null && declared !== null && declared !== known) throw unwritable('a length that is not its body’s');
  const framing = declared !== null ? '' : framingLine(known, method);
  return { text: `${text}${framing}\r\n`, bodyBytes: known ?? declared };
}

function framingLine(bodyBytes: number | null, method: string): string {
  if (bodyBytes === null) return 'Transfer-Encoding: chunked\r\n';
  return bodyBytes > 0 || methodsWithBody.has(method) ? `Content-Length: ${String(bodyBytes)}\r\n` : '';
}

const unwritable = (what: string): Fault =>
  new Fault('self.bug', `a request was not sent: ${what} is not what may be written`);

import { Fault } from '../model/codes.js';
import { hopByHop } from '../model/hop-by-hop.js';

const headerLinesMax = 200;
export const bodilessStatus: ReadonlySet<number> = new Set([204, 205, 304]);

export interface AnswerRules {
  /** Lower-case names that never pass back: credentials, and names that we set ourselves. */
  readonly drop: ReadonlySet<string>;
  /** Authority of the upstream, which a Location must not show. */
  readonly upstreamAuthority: string;
  /** True when our credential was sent: a 401 is then the operator's concern, not the client's. */
  readonly injectsCredential: boolean;
}

/** The head of an answer as it passes back. */
export interface PassableHead {
  /** Names and values alternating. */
  readonly list: string[];
  /** Content-Length; null for an answer whose end is marked otherwise. */
  readonly declaredBytes: number | null;
}

/**
 * Checks the head of an answer and picks the headers that may pass.
 *
 * @param raw names and values alternating
 * @throws Fault `upstream.invalid` for a head that must not be passed on, `upstream.credential` for a refused credential of ours
 */
export function passableHeaders(status: number, raw: readonly string[], rules: AnswerRules): PassableHead {
  if (status < 200 || status > 599) throw new Fault('upstream.invalid', `status ${String(status)}`);
  if (status === 401 && rules.injectsCredential)
    throw new Fault('upstream.credential', 'the memory server answered 401');
  if (raw.length > headerLinesMax * 2)
    throw new Fault('upstream.invalid', `over ${String(headerLinesMax)} header lines`);
  const list: string[] = [];
  let nominated: ReadonlySet<string> | null = null;
  let encodings = 0;
  let declaredBytes: number | null = null;
  for (let i = 0; i + 1 < raw.length; i += 2) {
    const name = raw[i] ?? '';
    const value = raw[i + 1] ?? '';
    const key = name.toLowerCase();
    if (key === 'transfer-encoding') {
      encodings += 1;
      if (encodings > 1 || value.toLowerCase() !== 'chunked')
        throw new Fault('upstream.invalid', 'a transfer-encoding other than one chunked');
    }
    if (key === 'content-length') declaredBytes = Number(value);
    if (key === 'connection') nominated = nominations(value, nominated);
    if (hopByHop.has(key) || rules.drop.has(key)) continue;
    list.push(name, key === 'location' ? ownLocation(value, rules.upstreamAuthority) : value);
  }
  if (nominated === null) return { list, declaredBytes };
  return { list: without(list, nominated), declaredBytes: nominated.has('content-length') ? null : declaredBytes };
}

/** Adds the names that a Connection value gives, but for those that never pass anyway; null where there are none. */
function nominations(value: string, former: ReadonlySet<string> | null): ReadonlySet<string> | null {
  const names = value
    .split(',')
    .map((option) => option.trim().toLowerCase())
    .filter((name) => name !== 'close' && !hopByHop.has(name));
  return names.length === 0 ? former : new Set([...(former ?? []), ...names]);
}

const without = (list: readonly string[], names: ReadonlySet<string>): string[] =>
  list.filter((_, index) => !names.has((list[index - (index % 2)] ?? '').toLowerCase()));

/** An absolute Location at the upstream's own authority becomes a path, which the client resolves against us. */
function ownLocation(value: string, authority: string): string {
  const absolute = /^(?:https?:)?\/\/([^/?#]*)(.*)$/is.exec(value);
  if (absolute?.[1]?.toLowerCase() !== authority) return value;
  const rest = absolute[2] ?? '';
  return rest.startsWith('/') ? rest : `/${rest}`;
}

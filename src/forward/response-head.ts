import { Fault } from '../model/codes.js';

/** How long the body is, in bytes, or how its end is marked. */
export type BodyFraming = number | 'chunked' | 'until-close';

export interface ResponseHead {
  readonly status: number;
  /** Names and values alternating, Latin-1. */
  readonly headers: readonly string[];
  readonly framing: BodyFraming;
  /** How long the connection may rest after this answer, as far as the server says; 0 when it must not be used again. */
  readonly restMs: number;
}

const headerLinesMax = 200;
const statusLine = /^HTTP\/1\.([01]) ([1-5][0-9][0-9])(?: [\t\x20-\x7e\x80-\xff]*)?$/;
/** A name of token characters right before the colon, then no control character but the tab. A folded line begins with a blank: no name. */
export const headerLine = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+:[\t\x20-\x7e\x80-\xff]*$/;
/** Not even a tab behind them: readers disagree on it. */
const chunked = /^ *chunked *$/i;
const plainLength = /^ *[0-9]{1,15} *$/;

/**
 * Reads the head of an answer, or refuses it: what two readers could take for different things is not read at all.
 *
 * @param text status line and header lines, without the empty line at the end
 * @param method of the request: nothing follows the head of an answer to HEAD
 * @throws Fault `upstream.invalid`
 * @see RFC 9112 §4–§6
 */
export function parseHead(text: string, method: string): ResponseHead {
  const statusEnd = lineEnd(text, 0);
  const [, minor, digits] = statusLine.exec(text.slice(0, statusEnd)) ?? [];
  if (digits === undefined) throw invalid('a malformed status line');
  const status = Number(digits);
  const headers: string[] = [];
  const facts = new FramingFacts();
  for (let at = statusEnd + 2; at < text.length;) {
    const end = lineEnd(text, at);
    const line = text.slice(at, end);
    if (!headerLine.test(line)) throw invalid('a malformed header line');
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    const value = withoutBlanks(line, colon + 1);
    headers.push(name, value);
    facts.see(name, value, line.slice(colon + 1));
    at = end + 2;
  }
  if (headers.length > headerLinesMax * 2) throw invalid(`over ${String(headerLinesMax)} header lines`);
  const isOldVersion = minor === '0';
  return { status, headers, ...facts.read({ status, isHead: method === 'HEAD', isOldVersion }) };
}

const lineEnd = (text: string, from: number): number => {
  const at = text.indexOf('\r\n', from);
  return at < 0 ? text.length : at;
};

/** Blanks are space and tab; `trim` would take byte A0 as well. */
function withoutBlanks(line: string, from: number): string {
  let start = from;
  let end = line.length;
  while (start < end && isBlank(line.charCodeAt(start))) start += 1;
  while (end > start && isBlank(line.charCodeAt(end - 1))) end -= 1;
  return line.slice(start, end);
}

const isBlank = (code: number): boolean => code === 32 || code === 9;

interface AnswerKind {
  readonly status: number;
  readonly isHead: boolean;
  readonly isOldVersion: boolean;
}

/** The header lines that say where the answer ends and what becomes of the connection. */
class FramingFacts {
  #length: number | null = null;
  #isChunked = false;
  #isClosing = false;
  #restMs = Infinity;

  /** @param spelled the value with its blanks */
  see(name: string, value: string, spelled: string): void {
    switch (name.length) {
      case 14:
        if (name.toLowerCase() === 'content-length') this.#seeLength(spelled);
        break;
      case 17:
        if (name.toLowerCase() === 'transfer-encoding') this.#seeEncoding(spelled);
        break;
      case 10:
        this.#seeConnection(name.toLowerCase(), value);
        break;
      default:
    }
  }

  read({ status, isHead, isOldVersion }: AnswerKind): Pick<ResponseHead, 'framing' | 'restMs'> {
    const hasFraming = this.#length !== null || this.#isChunked;
    if (this.#length !== null && this.#isChunked) throw invalid('a length and chunks');
    if (this.#isChunked && isOldVersion) throw invalid('chunks in HTTP/1.0');
    if (status < 200 && (hasFraming || this.#isClosing || isOldVersion))
      throw invalid('an interim answer with a body, or with nothing behind it');
    const isBodiless = status < 200 || status === 204 || status === 304;
    const end = isBodiless ? 0 : this.#isChunked ? 'chunked' : (this.#length ?? 'until-close');
    // Whoever announces a body where none may be will perhaps send it; so may, after HEAD, who says nothing of its end.
    const isDoubtful = status === 204 && hasFraming && this.#length !== 0;
    const isLast = this.#isClosing || isOldVersion || isDoubtful || end === 'until-close';
    const framing = isHead ? 0 : end;
    return { framing, restMs: isLast ? 0 : this.#restMs };
  }

  #seeLength(spelled: string): void {
    if (this.#length !== null) throw invalid('two lengths');
    if (!plainLength.test(spelled)) throw invalid('a malformed length');
    this.#length = Number(spelled);
  }

  #seeEncoding(spelled: string): void {
    if (this.#isChunked || !chunked.test(spelled)) throw invalid('a transfer-encoding other than one chunked');
    this.#isChunked = true;
  }

  #seeConnection(key: string, value: string): void {
    if (key === 'connection') this.#isClosing ||= /(?:^|,)[\t ]*close[\t ]*(?:,|$)/i.test(value);
    if (key !== 'keep-alive') return;
    // The server closes then: leave it a second earlier.
    const seconds = /(?:^|[,;\t ])timeout[\t ]*=[\t ]*"?([0-9]{1,9})/i.exec(value)?.[1];
    if (seconds !== undefined) this.#restMs = Math.max(0, Number(seconds) * 1_000 - 1_000);
  }
}

export const invalid = (detail: string): Fault => new Fault('upstream.invalid', detail);

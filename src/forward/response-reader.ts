import { bodyReader, type BodyReader } from './response-body.js';
import { invalid, parseHead, type ResponseHead } from './response-head.js';

export interface ResponseParts {
  head(head: ResponseHead): void;
  /** @param part a view into the bytes that were read: who keeps it copies it */
  data(part: Buffer): void;
}

const headBytesMax = 16_384;
const interimMax = 16;
const headEnd = Buffer.from('\r\n\r\n');
const lf = 10;
const cr = 13;
const begins = ['HTTP/1.1 ', 'HTTP/1.0 '] as const;

/** Reads one answer, interim ones before it included, from bytes that come in any pieces. Made anew for each request: nothing is left of the one before. */
export class ResponseReader {
  readonly #method: string;
  readonly #parts: ResponseParts;
  readonly #take: (part: Buffer) => void;
  #head: ResponseHead | null = null;
  #body: BodyReader | null = null;
  #interims = 0;
  /** The beginning of a head that comes in several pieces. */
  #held: Buffer | null = null;
  #heldBytes = 0;

  constructor(method: string, parts: ResponseParts) {
    this.#method = method;
    this.#parts = parts;
    this.#take = (part) => {
      parts.data(part);
    };
  }

  get isDone(): boolean {
    return this.#body?.isDone === true;
  }

  get head(): ResponseHead | null {
    return this.#head;
  }

  /** @returns how many of the bytes belong to the answer: fewer than there are means that something came behind it. @throws Fault `upstream.invalid` */
  read(bytes: Buffer): number {
    let at = 0;
    while (at < bytes.length && !this.isDone)
      at = this.#body === null ? this.#readHead(bytes, at) : this.#body.read(bytes, at, this.#take);
    return at;
  }

  /** @returns whether the answer is whole when the connection ends here */
  finish(): boolean {
    return this.#body !== null && (this.#body.isDone || this.#body.endsWithConnection);
  }

  #readHead(bytes: Buffer, from: number): number {
    const end = this.#held === null ? bytes.indexOf(headEnd, from) : -1;
    if (end < 0) return this.#holdHead(bytes, from);
    if (end - from > headBytesMax) throw tooLong();
    this.#see(bytes.toString('latin1', from, end));
    return end + headEnd.length;
  }

  /** Looks at each byte once, however small the pieces are. */
  #holdHead(bytes: Buffer, from: number): number {
    const held = (this.#held ??= Buffer.allocUnsafe(headBytesMax + headEnd.length));
    const former = this.#heldBytes;
    const copied = bytes.copy(held, former, from);
    this.#heldBytes += copied;
    const all = held.subarray(0, this.#heldBytes);
    const end = all.indexOf(headEnd, Math.max(0, former - headEnd.length + 1));
    if (end < 0) {
      if (this.#heldBytes === held.length) throw tooLong();
      refuseEarly(all, former);
      return from + copied;
    }
    this.#held = null;
    this.#heldBytes = 0;
    this.#see(held.toString('latin1', 0, end));
    return from + end + headEnd.length - former;
  }

  #see(text: string): void {
    const head = parseHead(text, this.#method);
    if (head.status < 200) {
      this.#interims += 1;
      if (head.status === 101 || this.#interims > interimMax) throw invalid('an interim answer that nobody asked for');
      return; // interim answers are ours to give, not the memory server's
    }
    this.#head = head;
    this.#body = bodyReader(head.framing);
    this.#parts.head(head);
  }
}

const tooLong = (): Error => invalid(`a head over ${String(headBytesMax)} bytes`);

/** What can never become a head is not waited for. */
function refuseEarly(begun: Buffer, from: number): void {
  const start = begun.toString('latin1', 0, begins[0].length);
  if (!begins.some((begin) => begin.startsWith(start))) throw invalid('an answer that is not HTTP/1');
  for (let at = begun.indexOf(lf, from); at >= 0; at = begun.indexOf(lf, at + 1))
    if (begun[at - 1] !== cr) throw invalid('a bare line feed');
}

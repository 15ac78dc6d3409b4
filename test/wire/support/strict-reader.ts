/** One request as a strict server reads it. */
export interface ReadRequest {
  readonly method: string;
  readonly target: string;
  /** Names and values as they were sent, Latin-1. */
  readonly headers: readonly (readonly [name: string, value: string])[];
  readonly trailers: readonly (readonly [name: string, value: string])[];
  readonly framing: 'none' | 'length' | 'chunked';
  readonly body: Buffer;
  /** All values of a name, whatever its case. */
  values(name: string): string[];
}

export interface ReadEvents {
  /** The head is whole; the body is still to come. */
  head?(request: ReadRequest): void;
  done(request: ReadRequest): void;
  /** Not HTTP/1.1 to the letter. Nothing is read after it. */
  broken(why: string): void;
}

type State = 'head' | 'length' | 'size' | 'chunk' | 'chunk-end' | 'trailers' | 'broken';

const requestLine = /^([A-Z]+) ([!-~]+) HTTP\/1\.1$/;
const fieldLine = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([\t\x20-\x7e\x80-\xff]*)$/;
const length = /^(?:0|[1-9]\d{0,15})$/;
const chunkSize = /^[0-9A-Fa-f]{1,8}$/;
const blanks = /^[ \t]+|[ \t]+$/g;
const emptyLine = Buffer.from('\r\n\r\n');
const lineEnd = Buffer.from('\r\n');

/**
 * A reader of requests that forgives nothing, written for the tests alone: it shares no code with the gate and none with the
 * upstream client, so that two wrongs cannot agree.
 */
export class StrictReader {
  readonly #events: ReadEvents;
  #state: State = 'head';
  #rest: Buffer = Buffer.alloc(0);
  #left = 0;
  #parts: Buffer[] = [];
  #head: Omit<ReadRequest, 'body' | 'trailers'> | null = null;

  constructor(events: ReadEvents) {
    this.#events = events;
  }

  /** True between two requests. */
  get isIdle(): boolean {
    return this.#state === 'head' && this.#rest.length === 0;
  }

  push(bytes: Buffer): void {
    this.#rest = this.#rest.length === 0 ? bytes : Buffer.concat([this.#rest, bytes]);
    while (this.#step());
  }

  #step(): boolean {
    switch (this.#state) {
      case 'head':
        return this.#upTo(emptyLine, (text) => this.#readHead(text));
      case 'length':
        return this.#take(() => this.#done([]));
      case 'size':
        return this.#upTo(lineEnd, (text) => this.#readSize(text));
      case 'chunk':
        return this.#take(() => (this.#state = 'chunk-end'));
      case 'chunk-end':
        return this.#upTo(lineEnd, (text) =>
          text === '' ? (this.#state = 'size') : this.#broken('no line end behind a chunk'),
        );
      case 'trailers':
        return this.#readTrailers();
      case 'broken':
        return false;
    }
  }

  #upTo(mark: Buffer, take: (text: string) => unknown): boolean {
    const end = this.#rest.indexOf(mark);
    if (end < 0) return false;
    const text = this.#rest.toString('latin1', 0, end);
    this.#rest = this.#rest.subarray(end + mark.length);
    take(text);
    return true;
  }

  #take(then: () => unknown): boolean {
    const part = this.#rest.subarray(0, this.#left);
    this.#rest = this.#rest.subarray(part.length);
    this.#left -= part.length;
    if (part.length > 0) this.#parts.push(part);
    if (this.#left > 0) return false;
    then();
    return true;
  }

  #readHead(text: string): void {
    const [first = '', ...lines] = text.split('\r\n');
    const line = requestLine.exec(first);
    if (line === null) {
      this.#broken(`request line ${JSON.stringify(first)}`);
      return;
    }
    const headers = fields(lines);
    if (headers === null) {
      this.#broken('a header line');
      return;
    }
    const values = (name: string): string[] =>
      headers.filter(([key]) => key.toLowerCase() === name.toLowerCase()).map(([, value]) => value);
    const lengths = values('content-length');
    const encodings = values('transfer-encoding');
    if (values('host').length !== 1) {
      this.#broken('not one host');
      return;
    }
    if (lengths.length + encodings.length > 1) {
      this.#broken('more than one framing header');
      return;
    }
    if (lengths.length === 1 && !length.test(lengths[0] ?? '')) {
      this.#broken('content-length');
      return;
    }
    if (encodings.length === 1 && encodings[0] !== 'chunked') {
      this.#broken('transfer-encoding');
      return;
    }
    const framing = encodings.length === 1 ? 'chunked' : lengths.length === 1 ? 'length' : 'none';
    this.#head = { method: line[1] ?? '', target: line[2] ?? '', headers, framing, values };
    this.#events.head?.({ ...this.#head, trailers: [], body: Buffer.alloc(0) });
    this.#left = Number(lengths[0] ?? 0);
    this.#state = framing === 'chunked' ? 'size' : 'length';
  }

  #readSize(text: string): void {
    if (!chunkSize.test(text)) {
      this.#broken('chunk size');
      return;
    }
    this.#left = Number.parseInt(text, 16);
    this.#state = this.#left === 0 ? 'trailers' : 'chunk';
  }

  #readTrailers(): boolean {
    if (this.#rest.subarray(0, 2).equals(lineEnd)) {
      this.#rest = this.#rest.subarray(2);
      this.#done([]);
      return true;
    }
    return this.#upTo(emptyLine, (text) => {
      const trailers = fields(text.split('\r\n'));
      if (trailers === null) this.#broken('a trailer line');
      else this.#done(trailers);
    });
  }

  #done(trailers: ReadRequest['trailers']): void {
    const head = this.#head;
    if (head === null) return;
    const body = this.#parts.length === 1 && this.#parts[0] !== undefined ? this.#parts[0] : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#head = null;
    this.#state = 'head';
    this.#events.done({ ...head, trailers, body });
  }

  #broken(why: string): void {
    this.#state = 'broken';
    this.#events.broken(why);
  }
}

function fields(lines: readonly string[]): [string, string][] | null {
  const read: [string, string][] = [];
  for (const line of lines) {
    const field = fieldLine.exec(line);
    if (field === null) return null;
    read.push([field[1] ?? '', (field[2] ?? '').replace(blanks, '')]); // not trim(): it takes a byte A0 as well
  }
  return read;
}

/** Reads a whole piece of bytes: its requests, and why reading ended before its end. */
export function readAll(bytes: Buffer): { readonly requests: readonly ReadRequest[]; readonly wrong: string | null } {
  const requests: ReadRequest[] = [];
  const wrong: string[] = [];
  const reader = new StrictReader({
    done: (request) => requests.push(request),
    broken: (why) => wrong.push(why),
  });
  reader.push(bytes);
  return { requests, wrong: wrong[0] ?? (reader.isIdle ? null : 'the bytes end within a request') };
}

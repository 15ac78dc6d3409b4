import { headerLine, invalid, type BodyFraming } from './response-head.js';

/** Finds the bytes of a body between those that frame it. Knows no socket: however the bytes are cut, the result is the same. */
export interface BodyReader {
  readonly isDone: boolean;
  /** Whether the end of the connection is the end of the body. */
  readonly endsWithConnection: boolean;
  /** @returns where the next byte is that was not read. @throws Fault `upstream.invalid` */
  read(bytes: Buffer, from: number, take: (part: Buffer) => void): number;
}

export function bodyReader(framing: BodyFraming): BodyReader {
  if (framing === 'chunked') return new ChunkedBody();
  return framing === 'until-close' ? untilClose : new CountedBody(framing);
}

const untilClose: BodyReader = {
  isDone: false,
  endsWithConnection: true,
  read: (bytes, from, take) => {
    take(bytes.subarray(from));
    return bytes.length;
  },
};

class CountedBody implements BodyReader {
  readonly endsWithConnection = false;
  #left: number;

  constructor(bytes: number) {
    this.#left = bytes;
  }

  get isDone(): boolean {
    return this.#left === 0;
  }

  read(bytes: Buffer, from: number, take: (part: Buffer) => void): number {
    const to = Math.min(bytes.length, from + this.#left);
    this.#left -= to - from;
    if (to > from) take(bytes.subarray(from, to));
    return to;
  }
}

const lf = 10;
/** A size that a number holds exactly. No extensions: no server of ours sends them, and readers disagree on where they end. */
const chunkSize = /^[0-9A-Fa-f]{1,13}\r\n$/;
/** A trailer must not say anew what the head has said. */
const framingTrailer = /^(?:content-length|transfer-encoding|connection|upgrade):/i;
const lineBytesMax = { size: 15, gap: 2, trailer: 4_096 } as const;

class ChunkedBody implements BodyReader {
  readonly endsWithConnection = false;
  #expects: keyof typeof lineBytesMax | 'data' | 'nothing' = 'size';
  #left = 0;
  #line = '';
  #trailerBytes = 0;

  get isDone(): boolean {
    return this.#expects === 'nothing';
  }

  read(bytes: Buffer, from: number, take: (part: Buffer) => void): number {
    let at = from;
    while (at < bytes.length && this.#expects !== 'nothing') {
      at = this.#expects === 'data' ? this.#readData(bytes, at, take) : this.#readLine(bytes, at);
    }
    return at;
  }

  #readData(bytes: Buffer, from: number, take: (part: Buffer) => void): number {
    const to = Math.min(bytes.length, from + this.#left);
    this.#left -= to - from;
    if (this.#left === 0) this.#expects = 'gap';
    take(bytes.subarray(from, to));
    return to;
  }

  #readLine(bytes: Buffer, from: number): number {
    const kind = this.#expects === 'size' || this.#expects === 'gap' ? this.#expects : 'trailer';
    const end = bytes.indexOf(lf, from);
    const to = end < 0 ? bytes.length : end + 1;
    if (this.#line.length + to - from > lineBytesMax[kind]) throw invalid(`an overlong line within chunks`);
    this.#line += bytes.toString('latin1', from, to);
    if (end < 0) return to;
    const line = this.#line;
    this.#line = '';
    if (kind === 'size') this.#seeSize(line);
    else if (kind === 'gap') this.#seeGap(line);
    else this.#seeTrailer(line);
    return to;
  }

  #seeSize(line: string): void {
    if (!chunkSize.test(line)) throw invalid('a malformed chunk size');
    this.#left = Number.parseInt(line, 16);
    this.#expects = this.#left === 0 ? 'trailer' : 'data';
  }

  #seeGap(line: string): void {
    if (line !== '\r\n') throw invalid('a chunk longer than it says');
    this.#expects = 'size';
  }

  #seeTrailer(line: string): void {
    if (line === '\r\n') {
      this.#expects = 'nothing';
      return;
    }
    this.#trailerBytes += line.length;
    if (this.#trailerBytes > lineBytesMax.trailer) throw invalid('too many trailers');
    const isWellFormed = line.endsWith('\r\n') && headerLine.test(line.slice(0, -2));
    if (!isWellFormed || framingTrailer.test(line)) throw invalid('a trailer that may not be');
  }
}

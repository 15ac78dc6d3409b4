import type { Socket } from 'node:net';
import type { Readable } from 'node:stream';
import { Fault } from '../model/codes.js';

export interface UploadFacts {
  readonly socket: Socket;
  readonly source: Readable;
  /** Null for chunks. */
  readonly bytes: number | null;
  /** Told how many bytes were written, or that the upstream takes more. */
  readonly moved: (bytes: number) => void;
  readonly failed: (fault: Fault) => void;
}

const lineEnd = '\r\n';

/** Passes a body on behind its head, no faster than the upstream takes it, and exactly as long as was said. */
export class Upload {
  readonly #facts: UploadFacts;
  #left: number;
  /** Parts that are written at the end of this turn. */
  #due: Buffer[] = [];
  #isEnded = false;
  #isDone = false;
  #isStopped = false;

  constructor(facts: UploadFacts) {
    this.#facts = facts;
    this.#left = facts.bytes ?? Infinity;
    facts.socket.on('drain', this.#onDrain);
    facts.source.on('end', this.#onEnd).on('data', this.#onData);
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** Whether it is the client that the upstream waits for. */
  get isWaitingForClient(): boolean {
    return !this.#isDone && !this.#facts.socket.writableNeedDrain;
  }

  stop(): void {
    const { socket, source } = this.#facts;
    this.#isStopped = true;
    this.#due = [];
    socket.off('drain', this.#onDrain);
    source.off('data', this.#onData).off('end', this.#onEnd);
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#left -= chunk.length;
    if (this.#left < 0) {
      this.#facts.failed(new Fault('self.bug', 'a body longer than its length'));
      return;
    }
    if (chunk.length > 0) this.#writeSoon(chunk); // an empty chunk would be the last one
  };

  readonly #onDrain = (): void => {
    this.#facts.moved(0);
    this.#facts.source.resume();
  };

  readonly #onEnd = (): void => {
    const { bytes, failed } = this.#facts;
    if (bytes !== null && this.#left > 0) {
      failed(new Fault('self.bug', 'a body shorter than its length'));
      return;
    }
    this.#isEnded = true;
    if (this.#due.length === 0) setImmediate(this.#write);
  };

  /** After all that has come was read: who answers early and leaves would break the connection under a write, and its answer would be lost. */
  #writeSoon(chunk: Buffer): void {
    if (this.#due.push(chunk) === 1) setImmediate(this.#write);
  }

  readonly #write = (): void => {
    const { socket, source, bytes, moved } = this.#facts;
    let isTaken = true;
    for (const chunk of this.#due) {
      if (this.#isStopped) return;
      moved(chunk.length);
      isTaken = bytes === null ? writeChunk(socket, chunk) : socket.write(chunk);
    }
    if (this.#isStopped) return;
    this.#due = [];
    if (this.#isEnded) this.#finish();
    else if (!isTaken) source.pause();
  };

  #finish(): void {
    if (this.#facts.bytes === null) this.#facts.socket.write('0\r\n\r\n', 'latin1');
    this.#isDone = true;
    this.stop();
    this.#facts.moved(0);
  }
}

function writeChunk(socket: Socket, chunk: Buffer): boolean {
  socket.cork();
  socket.write(`${chunk.length.toString(16)}${lineEnd}`, 'latin1');
  socket.write(chunk);
  const isTaken = socket.write(lineEnd, 'latin1');
  socket.uncork();
  return isTaken;
}
